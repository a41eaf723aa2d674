"""Negatives by the collection they were given in, and garbage that is never learned from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone
from outgroup.classifier.pool_images import Known, opened_pool, samples_of
from outgroup.data import Samples, from_images
from outgroup.embeddings import Embedder
from outgroup.synthetic import GENERATORS, made_from_nothing

#: Images of each kind of garbage that a comparison of strategies meets.
N_PROBES = 32


def collections(
    images: Any, known: Known | None = None, seed: int = 0, backbone: Backbone | None = None
) -> Iterator[tuple[str, Samples]]:
    """Yield the collections that were given, each with its samples.

    Parameters
    ----------
    images : folder, images, Pool, or a list of these
        Each folder or pool of a list is a collection named after it, a second of the same name
        with a number behind it; images that were given one by one are one.
    known : callable or None
        Returns embeddings of known images, where a pool is too large to learn from all of it.
    seed : int, default=0
        Seed of what is drawn from a pool.
    backbone : Backbone or None
        What `known` is by, and whose embeddings are taken from a pool that has them.
    """
    many = images if isinstance(images, (list, tuple)) else [images]
    pools = [opened_pool(item) for item in many]
    is_one = [pool is not None or _is_folder(item) for item, pool in zip(many, pools, strict=True)]
    seen: Counter[str] = Counter()
    for item, pool, one in zip(many, pools, is_one, strict=True):
        if one:
            name = os.path.basename(os.path.abspath(item if pool is None else pool.path))
            seen[name] += 1
            samples = from_images(item) if pool is None else samples_of(pool, known, seed, backbone)
            yield (f"{name} {seen[name]}" if seen[name] > 1 else name), samples
    loose = [item for item, one in zip(many, is_one, strict=True) if not one]
    if loose or not any(is_one):
        yield "negatives", from_images(loose if any(is_one) else images)


def told_apart(images: Any) -> Iterator[Samples]:
    """Yield the samples of each collection, with origins that differ from one to the other."""
    seen: Counter[str] = Counter()
    for item in images:
        pool = opened_pool(item)
        samples = from_images(item) if pool is None else samples_of(pool)
        seen.update({*samples.origins})
        names = {name: f"{name} {times}" if times > 1 else name for name, times in seen.items()}
        yield replace(samples, origins=[names[name] for name in samples.origins])


def embedded_garbage(embedder: Embedder, seed: int) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the embeddings by layer of synthetic garbage, by kind."""
    kinds = made_from_nothing()
    images = [GENERATORS.get(kind)().draw(N_PROBES, seed=seed) for kind in kinds]
    embedded = embedder.embed(list(np.concatenate(images)))
    parts = {layer: np.split(values, len(images)) for layer, values in embedded.layers.items()}
    return {kind: {layer: parts[layer][i] for layer in parts} for i, kind in enumerate(kinds)}


def _is_folder(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike)) and os.path.isdir(item)
