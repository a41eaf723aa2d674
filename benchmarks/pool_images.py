"""What keeping small JPEGs does to embeddings, and what building a pool costs beside embedding.

Usage: ``python benchmarks/pool_images.py --images DIR [--count 600]``. DIR holds photographs.

For each quality of the JPEG: how far the embedding of the image as it is kept is from that of the
original (cosine), how large it is, and whether the two can be told apart. The last is what counts:
negatives from a pool must not differ from known images by having been kept. A linear probe learns
from pairs of originals and kept images, and is asked about pairs of other images; 0.5 is a guess.

Then the time that `Pool.add` takes for the same files as plain embedding, in turns on the same
cores, and the processor's time of both, which other programs hardly change. The result is
``benchmarks/results/pool_images.json``.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import setting
from documents import save

from outgroup import Pool
from outgroup.backbones import get_backbone
from outgroup.embeddings import Embedder
from outgroup.images import decode
from outgroup.pool import Incoming
from outgroup.pool.storage import StoredForm

RESULT = Path(__file__).parent / "results" / "pool_images.json"
FORMS = [(quality, colours) for quality in (85, 90, 95) for colours in ("4:2:0", "4:4:4")]
TURN = 100  # images until it is the other's turn


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of one matrix with the same row of another, both (n, d)."""
    a, b = (x.astype(np.float64) for x in (a, b))
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def told_apart(originals: np.ndarray, kept: np.ndarray) -> float:
    """Return the AUROC of a linear probe that says which is which, on images it has not seen."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n = len(originals) * 2 // 3
    labels = np.repeat([0, 1], n)
    probe = make_pipeline(
        StandardScaler(), LogisticRegressionCV(Cs=np.logspace(-5, 0, 6), cv=3, max_iter=2000)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names of arguments that will change
        probe.fit(np.concatenate([originals[:n], kept[:n]]), labels)
    scores = probe.decision_function(np.concatenate([originals[n:], kept[n:]]))
    return float(roc_auc_score(np.repeat([0, 1], len(originals) - n), scores))


def drift(files: list[Path]) -> list[dict[str, Any]]:
    """Return what each way of keeping the images does to their embeddings."""
    network = get_backbone("efficientnet-lite0")
    embedder = Embedder(network, progress=False)
    base = StoredForm.for_network(network.preprocessing)
    originals = embedder.embed(files).layers
    small = [base.shrink(decode(file, min_side=base.shorter)) for file in files]
    found = []
    for quality, colours in FORMS:
        form = dataclasses.replace(base, quality=quality, subsampling=colours)
        kept = [form.encode(image) for image in small]
        layers = embedder.embed(kept).layers
        row: dict[str, Any] = {"quality": quality, "subsampling": colours}
        row["bytes"] = round(statistics.mean(map(len, kept)))
        for name, vectors in layers.items():
            cosine = cosines(originals[name], vectors)
            row[name] = {
                "mean": round(float(cosine.mean()), 4),
                "5 % below": round(float(np.quantile(cosine, 0.05)), 4),
            }
        same = originals["logits"].argmax(1) == layers["logits"].argmax(1)
        row["same_first_class"] = round(float(same.mean()), 3)
        row["told_apart_auroc"] = round(told_apart(originals["last"], layers["last"]), 3)
        row["is_the_pools"] = form == base
        print(row, flush=True)
        found.append(row)
    return found


def timed(action: Callable[[], object]) -> np.ndarray:
    """Return the seconds on the clock and on the processor that an action takes."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return np.array([time.perf_counter() - wall, time.process_time() - processor])


def throughput(files: list[Path], repeats: int) -> dict[str, Any]:
    """Return images per second of building a pool and of embedding alone."""
    network = get_backbone("efficientnet-lite0")
    embedder = Embedder(network, progress=False)
    embedder.embed(files[:16])
    ratios = []
    rates = []
    for repeat in range(repeats):
        seconds = np.zeros((2, 2))
        with tempfile.TemporaryDirectory() as folder:
            pool = Pool.create(Path(folder) / "pool", network)
            for start in range(0, len(files), TURN):
                part = files[start : start + TURN]
                incoming = [Incoming(file, file.parent.name, str(file)) for file in part]

                def build(given: list[Incoming] = incoming, pool: Pool = pool) -> None:
                    pool.add(given, progress=False)

                def embed(given: list[Path] = part) -> None:
                    embedder.embed(given)

                turns = [(0, build), (1, embed)]
                for i, action in turns if (start // TURN + repeat) % 2 else turns[::-1]:
                    seconds[i] += timed(action)
        ratios.append(seconds[1] / seconds[0])
        rates.append(len(files) / seconds[:, 0])
        print(f"build {rates[-1][0]:.0f}/s, embed {rates[-1][1]:.0f}/s, {ratios[-1]}", flush=True)
    wall, processor = np.median(ratios, axis=0)
    return {
        "images": len(files),
        "repeats": repeats,
        "build_images_per_second": [round(float(rate[0]), 1) for rate in rates],
        "embedding_images_per_second": [round(float(rate[1]), 1) for rate in rates],
        "ratio": round(float(wall), 3),
        "ratio_of_processor_time": round(float(processor), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    files = sorted(path for path in options.images.rglob("*") if path.is_file())
    random.Random(0).shuffle(files)
    files = files[: options.count]
    record = {
        "images": len(files),
        "machine": setting.machine(),
        "versions": setting.versions(),
        "kept_images": drift(files),
        "throughput": throughput(files, options.repeats),
    }
    save(RESULT, record)


if __name__ == "__main__":
    main()
