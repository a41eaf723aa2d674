"""Several labels an image: the zoo's images pasted side by side, by every strategy for labels.

Usage: ``python benchmarks/multilabel.py ZOO`` with the folders of ``benchmarks/zoo.py``; two
minutes. Pictures are made in a temporary folder and deleted. ``--documents`` writes the table of
the last result into ``docs/choosing.md``, and does nothing else.

Each picture shows the middle squares of two images, squeezed to half their width. To train: an
animal of ``train`` and one of another class or the same, or a thing of ``pool``; two things of
``pool`` are a row of zeros, as are two animals of three kinds of ``other_near``. To test: the same
from ``test`` and from images of ``pool`` that were not trained on, and pictures of none of the
labels whose halves are animals of the other five kinds of ``other_near``. Where the distance starts
to count in ``blend`` was chosen on these, so nothing of them is new to it; pictures made of
``test_unknown_near`` and ``test_unknown_far`` are, and are for reporting only.

An image of ``train`` is in several pictures, and these are in different folds. So held-out pictures
are not as new as those of the test, and labels are missed more often than the 5 % that are expected
of new pictures; who has such pictures should say so by groups.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from PIL import Image
from setting import machine, versions

from outgroup import ImageClassifier

RESULTS = Path(__file__).parent / "results" / "multilabel.json"
STRATEGIES = ("blend", "sigmoid", "sigmoid-0.95")
CLASSES = ("cat", "dog", "giraffe")
SIDE = 224

#: Kinds of ``other_near`` that are trained on, the first so many by name.
N_NEAR_TRAINED = 3

#: Pictures of a pair of classes, of a class beside a thing, and of no label, to train and to test.
SIZES = {"train": (40, 60, 300), "test": (30, 40, 200)}

Row = tuple[Path, str]


class Zoo:
    """Files of the zoo, and halves of pictures drawn from them."""

    def __init__(self, root: Path, rng: np.random.Generator) -> None:
        self.root, self.rng = root, rng
        near = sorted(folder.name for folder in (root / "other_near").iterdir())
        self.near = {"train": near[:N_NEAR_TRAINED], "test": near[N_NEAR_TRAINED:]}
        pool = self.files("pool")
        self.things = {"train": pool[::2], "test": pool[1::2]}

    def files(self, *folder: str) -> list[Path]:
        """Return all files below a folder."""
        return sorted(f for f in self.root.joinpath(*folder).rglob("*") if f.is_file())

    def draw(self, files: list[Path]) -> Path:
        """Return one of the files."""
        return files[self.rng.integers(len(files))]

    def labelled(self, part: str) -> Iterator[tuple[Path, Path, str]]:
        """Yield two files and their labels."""
        of_class = {name: self.files(part, name) for name in CLASSES}
        n_pair, n_alone, _ = SIZES[part]
        for i, left in enumerate(CLASSES):
            for right in CLASSES[i:]:
                for _ in range(n_pair):
                    label = "|".join(sorted({left, right}))
                    yield self.draw(of_class[left]), self.draw(of_class[right]), label
            for _ in range(n_alone):
                yield self.draw(of_class[left]), self.draw(self.things[part]), left

    def pairs(self, files: list[Path], n: int) -> Iterator[tuple[Path, Path, str]]:
        """Yield two of the files, which have no label."""
        for _ in range(n):
            yield self.draw(files), self.draw(files), ""

    def animals(self, part: str) -> list[Path]:
        """Return the look-alikes of a part."""
        return [file for kind in self.near[part] for file in self.files("other_near", kind)]


def half(file: Path) -> Image.Image:
    """Return the square middle of an image."""
    image = Image.open(file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))


def write(
    folder: Path, pairs: Iterator[tuple[Path, Path, str]], rng: np.random.Generator
) -> list[Row]:
    """Paste each pair, either way round, and return the pictures with their labels."""
    folder.mkdir(parents=True)
    rows = []
    for number, (one, two, label) in enumerate(pairs):
        halves = [half(one), half(two)]
        if rng.random() < 0.5:
            halves.reverse()
        # a square, because the network crops the middle square and would lose half of each
        picture = Image.new("RGB", (2 * SIDE, 2 * SIDE))
        for i, square in enumerate(halves):
            picture.paste(square.resize((SIDE, 2 * SIDE)), (i * SIDE, 0))
        path = folder / f"{number:05d}.jpg"
        picture.save(path, quality=92)
        rows.append((path, label))
    return rows


def write_csv(path: Path, rows: list[Row]) -> Path:
    """Write pictures and labels."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "source"])
        table.writerows([str(picture), label, picture.parent.name] for picture, label in rows)
    return path


def make(zoo: Zoo, work: Path) -> tuple[Path, Path, dict[str, Path]]:
    """Make all pictures; return the tables to train and test, and folders of unknown ones."""
    rng = zoo.rng
    tables = {}
    for part in ("train", "test"):
        rows = write(work / part / "labelled", zoo.labelled(part), rng)
        n_none = SIZES[part][2]
        rows += write(work / part / "things", zoo.pairs(zoo.things[part], n_none), rng)
        if part == "train":
            rows += write(work / part / "animals", zoo.pairs(zoo.animals(part), n_none // 2), rng)
        tables[part] = write_csv(work / f"{part}.csv", rows)
    unknown = {}
    for name, files in (
        ("other animals", zoo.animals("test")),
        ("unknown near", zoo.files("test_unknown_near")),
        ("unknown far", zoo.files("test_unknown_far")),
    ):
        write(work / "unknown" / name, zoo.pairs(files, SIZES["test"][2]), rng)
        unknown[name] = work / "unknown" / name
    return tables["train"], tables["test"], unknown


def without_none(table: Path) -> Path:
    """Return a table without the pictures of no label."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [(Path(row["path"]), row["label"]) for row in csv.DictReader(file) if row["label"]]
    return write_csv(table.with_name("labelled_only.csv"), rows)


def measure(zoo: Zoo, work: Path) -> list[dict[str, Any]]:
    """Train and evaluate every strategy, with and without pictures of no label."""
    train, test, unknown = make(zoo, work)
    results = []
    for negatives, table in (("things and animals", train), ("none", without_none(train))):
        for strategy in STRATEGIES:
            classifier = ImageClassifier(strategy=strategy, multi_label=True, progress=False)
            classifier.fit(table)
            found, _ = classifier.evaluate(test, list(unknown.values()))
            row = {
                "negatives": negatives,
                "strategy": strategy,
                "certificate": classifier.certificate.sentence,
                **found.to_dict(),
            }
            results.append(row)
            given = {name: str(rate) for name, rate in found.by_origin.items()}
            print(negatives, strategy, found.macro_f1, found.exact_match, given, flush=True)
    return results


def table(results: list[dict[str, Any]]) -> str:
    """Return the rows of the table, as Markdown."""
    lines = [
        "| images of none to learn from | strategy | labels missed | all labels right | "
        "things given any | animals given any | other things given any |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results:
        origins = row["by_origin"]
        shares = [
            row["exact_match"],
            *(origins[name] for name in ("things", "unknown near", "unknown far")),
        ]
        said = " | ".join(percent(share) for share in shares)
        # without an interval: labels of one picture are no independent draws
        missed = f"{100 * (1 - recall(row['labels'])):.1f} %"
        lines.append(f"| {row['negatives']} | {row['strategy']} | {missed} | {said} |")
    return "\n".join(lines) + "\n"


def recall(labels: list[dict[str, Any]]) -> float:
    """Return the share of all labels that were given."""
    found: list[dict[str, Any]] = [label["recall"] for label in labels]
    return float(sum(rate["k"] for rate in found) / sum(rate["n"] for rate in found))


def percent(rate: dict[str, Any]) -> str:
    """Return a share with its 95 % interval."""
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def documents() -> Sections:
    """Return what is shown of the last result."""
    return {
        DOCS / "choosing.md": {"labels": table(json.loads(RESULTS.read_text("utf-8"))["results"])}
    }


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(), "versions": versions(), "sizes": SIZES}
    with tempfile.TemporaryDirectory() as work:
        zoo = Zoo(arguments.zoo, np.random.default_rng(0))
        report["look-alikes trained on"] = zoo.near["train"]
        report["results"] = measure(zoo, Path(work))
    save(RESULTS, report)


if __name__ == "__main__":
    main()
