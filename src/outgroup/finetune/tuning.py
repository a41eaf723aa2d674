"""From images with labels to a tuned backbone, and the images that it has not seen."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone, OnnxBackbone
from outgroup.classifier.training import copies_as_groups
from outgroup.classifier.tuner import PREFIX, Targets, Tuned
from outgroup.data import Samples
from outgroup.embeddings import ProgressBar
from outgroup.errors import InvalidDataError, UnreadableImageError
from outgroup.finetune.inputs import compute_inputs
from outgroup.finetune.network import TunableNetwork
from outgroup.finetune.objectives import choose_objective
from outgroup.finetune.plan import Plan
from outgroup.finetune.splitting import TUNED, UNSEEN, WATCHED, split, strata
from outgroup.finetune.training import History, TrainingData, n_steps, train
from outgroup.images import ImageSource, Preprocessing, content_digest, load_image, read_source

#: Images that are read ahead.
CHUNK = 64


@dataclass(frozen=True)
class Chosen:
    """The images that tuning is about, in the order of their content.

    Parameters
    ----------
    rows : list of int
        Rows of the samples.
    digests : list of str
        Content of each.
    targets : Targets
        Of each.
    collections : list
        Of each.
    parts : ndarray of int64
        What becomes of each; see `outgroup.finetune.splitting`.
    """

    rows: list[int]
    digests: list[str]
    targets: Targets
    collections: list[str]
    parts: NDArray[np.int64]

    def counts(self, part: int) -> dict[str, int]:
        """Return how many images of a part have each label."""
        counts = (self.targets.Y[self.parts == part] == 1).sum(axis=0).tolist()
        return {n: count for n, count in zip(self.targets.names, counts, strict=True) if count}

    def n_others(self, part: int) -> int:
        """Return how many images of a part are negatives."""
        return int((~self.targets.Y[self.parts == part].any(axis=1)).sum())

    def n_known(self, part: int) -> int:
        """Return how many images of a part are not."""
        return int(self.targets.Y[self.parts == part].any(axis=1).sum())


def tune_backbone(
    network: TunableNetwork,
    preprocessing: Preprocessing,
    base: Backbone,
    name: str,
    plan: Plan,
    samples: Samples,
    targets: Targets,
    collections: Sequence[str],
    *,
    seed: int,
    threads: int | None,
    progress: bool | None,
    device: str,
    folder: Path | None,
) -> Tuned:
    """Tune a network on some of the images, and return it as a backbone.

    Parameters
    ----------
    network : TunableNetwork
        Tuned in place.
    preprocessing : Preprocessing
        Of its images.
    base : Backbone
        Where its licence and source are from.
    name : str
        What it is called.
    plan, samples, targets, collections, seed, threads, progress
        See `FineTune` and `Tuner.tune`.
    device : str
        Of torch.
    folder : Path or None
        Where an unfinished training is kept; None: nowhere.
    """
    chosen = choose_rows(samples, targets, collections, plan, seed, threads, progress)
    used = np.flatnonzero(chosen.parts != UNSEEN)
    parts = chosen.parts[used]
    key = _key(network, plan, chosen, seed)
    with tempfile.TemporaryDirectory(prefix="outgroup-") as work:
        sources = [samples.sources[chosen.rows[i]] for i in used]
        pixels = _pixels(sources, preprocessing, Path(work), threads, progress)
        start = network.first_step(plan.unfreeze)
        options: dict[str, Any] = {"seed": seed, "threads": threads, "progress": progress}
        inputs = compute_inputs(
            network, start, pixels, plan.pictures, plan.variants, Path(work), **options
        )
        names = np.array([chosen.collections[i] for i in used])
        tuned, watched = (np.flatnonzero(parts == part) for part in (TUNED, WATCHED))
        wanted = chosen.targets.Y[used].astype(np.float32)
        data = TrainingData(inputs, wanted, names, tuned, watched, targets.several)
        checkpoint = None if folder is None else folder / f"{key[:32]}.pt"
        with ProgressBar(n_steps(data, plan), progress, what="tuning, steps") as bar:
            history = train(
                network,
                data,
                choose_objective(plan.objective),
                plan,
                seed=seed,
                device=device,
                checkpoint=checkpoint,
                key=key,
                advance=bar.advance,
            )
    graph = network.to_onnx()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    backbone = OnnxBackbone(
        lambda: graph,
        name=f"{PREFIX}{name}",
        digest=hashlib.sha256(graph).hexdigest(),
        preprocessing=preprocessing,
        licence=base.licence,
        source=f"tuned from {name}: {base.source}",
    )
    seen = {chosen.rows[i] for i in used}
    unseen = [row for row in range(len(samples)) if row not in seen]
    return Tuned(backbone, unseen, _info(plan, chosen, history))


def choose_rows(
    samples: Samples,
    targets: Targets,
    collections: Sequence[str],
    plan: Plan,
    seed: int,
    threads: int | None = None,
    progress: bool | None = None,
) -> Chosen:
    """Read all images once, and say what becomes of each.

    Those that can't be read, are there under two labels, or have one that nobody knows, have no
    part in it; copies of one image stay together. The order of the files does not matter.
    """
    with ProgressBar(len(samples), progress, what="reading") as bar:
        digests = list(_in_threads(_digest, samples.sources, threads, bar))
    said: dict[str | None, set[bytes]] = {}
    for digest, row in zip(digests, targets.Y, strict=True):
        said.setdefault(digest, set()).add(row.tobytes())
    looked_at = [min(row, default=0) >= 0 for row in targets.Y.tolist()]
    rows = [i for i, d in enumerate(digests) if d and len(said[d]) == 1 and looked_at[i]]
    rows.sort(key=lambda i: (str(digests[i]), samples.origins[i], samples.groups[i] or ""))
    names = [collections[i] for i in rows]
    groups = copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows])
    origins = [samples.origins[i] for i in rows]
    if not rows:
        raise InvalidDataError("None of the images can be read, so that nothing can be tuned.")
    chosen = replace(targets, Y=targets.Y[rows])
    labels = strata(chosen.names, chosen.Y, chosen.several)
    need_others = not targets.several
    parts = split(labels, names, origins, groups, plan.hold_out, seed, need_others)
    return Chosen(rows, [str(digests[i]) for i in rows], chosen, names, parts)


def _pixels(
    sources: Sequence[ImageSource],
    preprocessing: Preprocessing,
    folder: Path,
    threads: int | None,
    progress: bool | None,
) -> NDArray[np.uint8]:
    """Return all images as a memory map of shape (n, crop, crop, 3)."""
    size = preprocessing.crop
    pixels = np.lib.format.open_memmap(
        folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(len(sources), size, size, 3)
    )

    def load(source: ImageSource) -> NDArray[np.uint8]:
        return load_image(read_source(source), preprocessing)

    with ProgressBar(len(sources), progress, what="pictures") as bar:
        for i, image in enumerate(_in_threads(load, sources, threads, bar)):
            pixels[i] = image
    return pixels


def _digest(source: ImageSource) -> str | None:
    try:
        data = read_source(source)
        load_image(data, Preprocessing(resize=8, crop=8))
        return content_digest(data)
    except UnreadableImageError:
        return None


def _in_threads(
    do: Any, sources: Sequence[ImageSource], threads: int | None, bar: ProgressBar
) -> Iterator[Any]:
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        for begin in range(0, len(sources), CHUNK):
            for result in pool.map(do, sources[begin : begin + CHUNK]):
                bar.advance()
                yield result


def _key(network: TunableNetwork, plan: Plan, chosen: Chosen, seed: int) -> str:
    """Return the hash of all that decides the weights."""
    digest = hashlib.sha256(json.dumps([plan.to_dict(), seed], sort_keys=True).encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    wanted = [chosen.targets.names, chosen.targets.Y.tolist(), chosen.targets.several]
    described = [chosen.digests, wanted, chosen.collections, chosen.parts.tolist()]
    digest.update(json.dumps(described).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _info(plan: Plan, chosen: Chosen, history: History) -> dict[str, Any]:
    return {
        "plan": plan.to_dict(),
        "tuned_on": chosen.counts(TUNED),
        "n_others_tuned_on": chosen.n_others(TUNED),
        "watched": chosen.counts(WATCHED),
        "n_others_watched": chosen.n_others(WATCHED),
        "epochs": history.epochs,
        "best_epoch": history.best,
        "sentence": _sentence(plan, chosen, history),
    }


def _sentence(plan: Plan, chosen: Chosen, history: History) -> str:
    part = {"last": "its last block", "half": "half of its blocks", "all": "all of it"}
    before, after = (f"{100 * history.figure(i).accepted:.1f} %" for i in (0, history.best))
    if chosen.targets.several:
        seen = (
            "where each label is found on 95 % of the images that have it, it was found on "
            f"{before} of those without it before and on {after} after"
        )
    else:
        seen = (
            f"where 95 % of these images are kept, {before} of these negatives were accepted "
            f"before and {after} after"
        )
    return (
        f"The network was tuned ({part[plan.unfreeze]}) on {chosen.n_known(TUNED):,} of these "
        f"images and {chosen.n_others(TUNED):,} negatives. {chosen.n_known(WATCHED):,} other "
        f"images and {chosen.n_others(WATCHED):,} other negatives watched: {seen} "
        f"(epoch {history.best})."
    )
