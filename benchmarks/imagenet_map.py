"""Cats and dogs of the zoo by the names of ImageNet's classes, without training.

Usage: ``python benchmarks/imagenet_map.py ZOO`` where ZOO is the folder that ``zoo.py`` describes.
Without an image, with a threshold from the first 30 and from all training images of each class, and
learned from 5 images of each. Giraffes are no class of ImageNet: they count as other here, and what
asking for them says is kept in the result.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from documents import save
from one_class import said
from setting import versions

from outgroup import ImageClassifier
from outgroup.data import Samples, from_images
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import Rate

RESULTS = Path(__file__).parent / "results" / "imagenet_map.json"
MAP = {"cat": "cat", "dog": "dog"}


def images(zoo: Path, n: int | None) -> Samples:
    """Return training images of the two classes, the first `n` of each."""
    parts = [from_images(zoo / "train" / name, label=name) for name in MAP]
    return Samples.concatenate(p.subset(range(len(p) if n is None else n)) for p in parts)


def measure(zoo: Path, model: ImageClassifier) -> dict[str, Any]:
    """Return what becomes of test images."""
    right = rejected = n = 0
    for name in MAP:
        labels = model.predict(zoo / "test" / name).labels
        n += len(labels)
        right += labels.count(name)
        rejected += labels.count(None)
    accepted = {}
    for kind, folder in (
        ("giraffes", "test/giraffe"),
        ("other animals", "test_unknown_near"),
        ("other things", "test_unknown_far"),
    ):
        scores = model.predict(zoo / folder).other_score
        scores = scores[np.isfinite(scores)]
        accepted[kind] = Rate(int((scores <= model.threshold).sum()), len(scores)).to_dict()
    return {
        "threshold": model.threshold,
        "certificate": model.certificate.sentence,
        "known rejected": Rate(rejected, n).to_dict(),
        "wrong class": Rate(n - right - rejected, n).to_dict(),
        "accepted": accepted,
    }


def main() -> None:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    zoo = parser.parse_args().zoo
    models = {
        "map, no image": ImageClassifier(map=MAP).fit(),
        "map, 30 images a class": ImageClassifier(map=MAP).fit(images(zoo, 30)),
        "map, all images": ImageClassifier(map=MAP).fit(images(zoo, None)),
        "learned from 5 a class": ImageClassifier(strategy="imagenet").fit(images(zoo, 5)),
        "learned from all": ImageClassifier(strategy="imagenet").fit(images(zoo, None)),
    }
    rows = {name: measure(zoo, model) for name, model in models.items()}
    for name, row in rows.items():
        accepted = ", ".join(f"{kind} {said(rate)}" for kind, rate in row["accepted"].items())
        rejected, wrong = said(row["known rejected"]), said(row["wrong class"])
        print(f"{name}: rejected {rejected}, wrong {wrong}; accepted {accepted}")
        print(f"  {row['certificate']}")
    try:
        ImageClassifier(map={**MAP, "giraffe": "giraffe"}).fit()
    except InvalidParameterError as error:
        missing = str(error)
    found = {"rows": rows, "asked for a giraffe": missing, "versions": versions()}
    save(RESULTS, found)


if __name__ == "__main__":
    main()
