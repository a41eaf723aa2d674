"""One known class of the zoo, with the pool as negatives and from its own images alone.

Usage: ``python benchmarks/one_class.py ZOO`` where ZOO is the folder that ``zoo.py`` describes. Of
its training images only those of the class are used, and the pool. Shares are given at the model's
own threshold, and at that which keeps 95 % of the test images of the class.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from documents import save
from setting import versions

from outgroup import ImageClassifier
from outgroup.data import from_images
from outgroup.evaluation import Rate

RESULTS = Path(__file__).parent / "results" / "one_class.json"
CLASSES = ("cat", "dog", "giraffe")
STRATEGIES = ("auto", "one-class", "blend", "sigmoid", "detector", "imagenet")


def other_scores(model: ImageClassifier, folder: Path) -> np.ndarray:
    """Return the other-scores of all images below a folder."""
    scores: np.ndarray = model.predict(folder).other_score
    return scores[np.isfinite(scores)]


def measure(zoo: Path, name: str, strategy: str, pool: bool) -> dict[str, Any]:
    """Train on one class, and return what is accepted of everything else."""
    model = ImageClassifier(strategy=strategy)
    known = from_images(zoo / "train" / name, label=name)
    model.fit(known, other=zoo / "pool" if pool else None)
    kept = other_scores(model, zoo / "test" / name)
    unknown = {
        other: other_scores(model, zoo / "test" / other) for other in CLASSES if other != name
    }
    unknown["other animals"] = other_scores(model, zoo / "test_unknown_near")
    unknown["other things"] = other_scores(model, zoo / "test_unknown_far")
    at_95 = float(np.quantile(kept, 0.95, method="higher"))
    row: dict[str, Any] = {"class": name, "negatives": "pool" if pool else "none"}
    row |= {"strategy": strategy, "taken": model.contents.model.strategy.name}
    row["certificate"] = model.certificate.sentence
    for key, threshold in (("own threshold", model.threshold), ("95 % kept", at_95)):
        row[key] = {
            "known rejected": Rate(int((kept > threshold).sum()), len(kept)).to_dict(),
            "accepted": {
                kind: Rate(int((scores <= threshold).sum()), len(scores)).to_dict()
                for kind, scores in unknown.items()
            },
        }
    return row


def said(rate: dict[str, Any]) -> str:
    """Return a share with its 95 % interval."""
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    zoo = parser.parse_args().zoo
    rows = []
    for name in CLASSES:
        for pool in (True, False):
            for strategy in STRATEGIES:
                if strategy == "sigmoid" and not pool:
                    continue  # a head alone has nothing to tell one class from
                row = measure(zoo, name, strategy, pool)
                rows.append(row)
                for key in ("own threshold", "95 % kept"):
                    found = row[key]
                    accepted = ", ".join(f"{k} {said(v)}" for k, v in found["accepted"].items())
                    rejected = said(found["known rejected"])
                    print(f"{name} {row['negatives']} {strategy} {key}: {rejected}; {accepted}")
    save(RESULTS, {"rows": rows, "versions": versions()})


if __name__ == "__main__":
    main()
