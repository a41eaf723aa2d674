"""Negatives by the collection they were given in, and garbage that is never learned from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.datasets import Samples, from_images
from outgroup.embeddings import Embedder
from outgroup.synthetic import GENERATORS, made_from_nothing

#: Images of each kind of garbage that a comparison of strategies meets.
N_PROBES = 32


def collections(images: Any) -> Iterator[tuple[str, Samples]]:
    """Yield the collections that were given, each with its samples.

    Parameters
    ----------
    images : folder, images, or a list of these
        Each folder of a list is a collection named after it, a second of the same name with a
        number behind it; images that were given one by one are one.
    """
    many = images if isinstance(images, (list, tuple)) else [images]
    folders = [item for item in many if _is_folder(item)]
    loose = [item for item in many if not _is_folder(item)] if folders else []
    seen: Counter[str] = Counter()
    for folder in folders:
        name = os.path.basename(os.path.abspath(folder))
        seen[name] += 1
        yield (f"{name} {seen[name]}" if seen[name] > 1 else name), from_images(folder)
    if loose or not folders:
        yield "negatives", from_images(loose or images)


def told_apart(images: Any) -> Iterator[Samples]:
    """Yield the samples of each collection, with origins that differ from one to the other."""
    seen: Counter[str] = Counter()
    for item in images:
        samples = from_images(item)
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
