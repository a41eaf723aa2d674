"""What synthetic negatives are good for: the zoo with none, with each kind, and with its pool.

Usage: ``python benchmarks/synthetic_negatives.py ZOO`` (see ``benchmarks/embedded.py``); some
minutes on one thread. Each strategy learns from the training images and 400 negatives of one sort,
or the 2,500 of the pool. Counted is what it accepts at the threshold that rejects 5 % of the test
images of the known classes: garbage of kinds that it has not learned from (where it learns from
several kinds, each is left out in turn), things that are no animals (``test_unknown_far``), and
other animals (``test_unknown_near``). Garbage that is made of known images is made of training
images to learn from, and of test images to count.
``--documents`` writes the table of the last result into docs/negatives.md, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from embedded import Embedded
from PIL import Image, ImageOps
from setting import machine, versions
from threadpoolctl import threadpool_limits

from outgroup.backbones import get_backbone
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.evaluation import Rate
from outgroup.model import Model, fit_model
from outgroup.pool.sampling import Chunk, draw
from outgroup.strategies import choose_strategy
from outgroup.synthetic import GENERATORS, made_from_nothing
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "synthetic_negatives.json"
STRATEGIES = ("other-class", "sigmoid", "blend")
LEARNED, COUNTED, SIZE = 400, 200, 224
#: Columns of the table: what is counted, by what it is called.
ASKED = {
    "made from nothing": "garbage made from nothing",
    "made of known images": "garbage made of known images",
    "far": "other things",
    "near": "other animals",
}

Layers = dict[str, np.ndarray]


def photographs(folder: Path) -> np.ndarray:
    """Return all images below a folder as squares of 320 pixels."""
    squares = []
    for path in sorted(folder.rglob("*.*")):
        with Image.open(path) as image:
            squares.append(np.asarray(ImageOps.fit(image.convert("RGB"), (320, 320))))
    return np.stack(squares)


def garbage(zoo: Path) -> dict[str, dict[str, Layers]]:
    """Return embeddings of each kind, to learn from and to count."""
    embedder = Embedder(get_backbone("efficientnet-lite0"), cache=EmbeddingCache(), threads=1)
    found: dict[str, dict[str, Layers]] = {}
    for seed, (what, part, n) in enumerate(
        (("learned", "train", LEARNED), ("counted", "test", COUNTED))
    ):
        known = photographs(zoo / part)
        for name, cls in GENERATORS:
            images = cls().draw(n, SIZE, images=known if cls.needs_images else None, seed=seed)
            found.setdefault(name, {})[what] = embedder.embed(list(images)).layers
    return found


def joined(parts: list[Layers]) -> Layers:
    """Return rows of several sorts as one."""
    return {layer: np.concatenate([part[layer] for part in parts]) for layer in parts[0]}


def thinned(layers: Layers, n: int) -> Layers:
    """Return the first n rows."""
    return {name: values[:n] for name, values in layers.items()}


def negatives(zoo: Embedded, kinds: dict[str, dict[str, Layers]]) -> dict[str, Any]:
    """Return by name: rows to learn from, the folder of each, and the kinds of garbage in them."""
    rows = zoo.rows("pool")
    chunk = Chunk(rows, zoo.layers["last"][rows], zoo.kind[rows].tolist())
    known = zoo.layers["last"][zoo.rows("train")]
    found: dict[str, Any] = {"none": (None, [], [])}

    def synthetic(names: list[str]) -> tuple[Layers, list[str]]:
        each = LEARNED // len(names)
        parts = [thinned(kinds[name]["learned"], each) for name in names]
        return joined(parts), [name for name in names for _ in range(each)]

    for name in kinds:
        found[name] = (*synthetic([name]), [name])
    drawn_freely = made_from_nothing()
    found["synthetic, made from nothing"] = (*synthetic(drawn_freely), drawn_freely)
    found["synthetic, all kinds"] = (*synthetic([*kinds]), [*kinds])
    for near, far in ((0, LEARNED), (LEARNED, 0), (LEARNED // 2, LEARNED // 2)):
        drawn = draw([chunk], known, near=near, far=far).rows
        found[f"pool: {near} near, {far} far"] = (zoo.take(drawn), zoo.kind[drawn].tolist(), [])
    found["pool: all"] = (zoo.take(rows), zoo.kind[rows].tolist(), [])
    layers, folders = synthetic(drawn_freely)
    both = joined([zoo.take(rows), layers])
    every = [*zoo.kind[rows].tolist(), *folders]
    found["pool: all, and made from nothing"] = (both, every, drawn_freely)
    return found


def learned(zoo: Embedded, strategy: str, rows: Layers | None, folders: list[str]) -> Model:
    """Return a model of the training images and negatives."""
    train = zoo.rows("train")
    layers = zoo.take(train) if rows is None else joined([zoo.take(train), rows])
    data = TrainingSet.from_labels(
        layers,
        [*map(str, zoo.kind[train]), *[None] * len(folders)],
        origins=[*zoo.kind[train].tolist(), *folders],
    )
    return fit_model(data, choose_strategy(strategy))


def left_out(rows: Layers, folders: list[str], kind: str) -> tuple[Layers, list[str]]:
    """Return negatives without those of a kind."""
    kept = np.array(folders) != kind
    return {name: values[kept] for name, values in rows.items()}, [
        folder for folder, keep in zip(folders, kept, strict=True) if keep
    ]


def measure(zoo: Embedded, kinds: dict[str, dict[str, Layers]]) -> list[dict[str, Any]]:
    """Return what each strategy accepts with each sort of negatives."""
    parts = {"test": "test", "far": "test_unknown_far", "near": "test_unknown_near"}
    asked = {name: zoo.take(zoo.rows(part)) for name, part in parts.items()}
    found = []
    for name, (rows, folders, made) in negatives(zoo, kinds).items():
        for strategy in STRATEGIES:
            if rows is None and strategy == "other-class":
                continue
            start = time.perf_counter()
            model = learned(zoo, strategy, rows, folders)
            accepted = counted(model, asked, {"far": asked["far"], "near": asked["near"]})
            unseen = {kind: kinds[kind]["counted"] for kind in kinds if kind not in made}
            by_kind = counted(model, asked, unseen)
            for kind in made if len(made) > 1 else []:
                fewer = learned(zoo, strategy, *left_out(rows, folders, kind))
                by_kind |= counted(fewer, asked, {kind: kinds[kind]["counted"]})
            free = made_from_nothing()
            for what, group in zip(ASKED, (free, sorted({*kinds} - {*free})), strict=False):
                rates = [by_kind[kind] for kind in group if kind in by_kind]
                accepted[what] = Rate(sum(r.k for r in rates), sum(r.n for r in rates))
            found.append(
                {
                    "negatives": name,
                    "n": len(folders),
                    "strategy": strategy,
                    "accepted": {what: accepted[what].to_dict() for what in ASKED},
                    "garbage by kind": {kind: by_kind[kind].to_dict() for kind in sorted(by_kind)},
                    "seconds": round(time.perf_counter() - start, 1),
                }
            )
            print(strategy, name, {what: str(accepted[what]) for what in ASKED}, flush=True)
    return found


def counted(model: Model, asked: dict[str, Layers], unknown: dict[str, Layers]) -> dict[str, Rate]:
    """Return what is accepted at the threshold that rejects 5 % of the known test images."""
    threshold = np.quantile(model.predict(asked["test"]).other_score, 0.95, method="higher")
    rates = {}
    for name, rows in unknown.items():
        scores = model.predict(rows).other_score
        rates[name] = Rate(int((scores <= threshold).sum()), len(scores))
    return rates


def table(results: list[dict[str, Any]]) -> str:
    """Return the rows of the table in the document, as Markdown."""
    lines = [
        "| negatives | strategy | " + " | ".join(ASKED.values()) + " |",
        "|---|---|" + "---|" * len(ASKED),
    ]
    for row in results:
        said = []
        for what in ASKED:
            rate = row["accepted"][what]
            low, high = rate["interval"]
            said.append(f"{100 * rate['value']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]")
        lines.append(f"| {row['negatives']} | {row['strategy']} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def documents() -> Sections:
    """Return what is shown of the last result."""
    results = json.loads(RESULTS.read_text("utf-8"))["results"]
    return {DOCS / "negatives.md": {"measured": table(results)}}


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with threadpool_limits(1):
        results = measure(Embedded.load(arguments.zoo), garbage(arguments.zoo))
    found = {
        "results": results,
        "seconds": round(time.perf_counter() - start),
        "machine": machine(),
        "versions": versions(),
    }
    save(RESULTS, found)


if __name__ == "__main__":
    main()
