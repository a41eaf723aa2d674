"""Whether the guarantee of several networks holds, in repeated simulations.

The class of a row depends on two of its numbers. New rows can be drawn at will, so that the share
of them that is rejected is known to a fraction of a percent. Small sets and networks that learn
them by heart are the hard case. Three thresholds of the same networks are compared:

* **kept**: from rows that no network has seen, as `MultiInputClassifier` does;
* **out of fold**: from rows that one of the networks has not seen, scored by this one, while new
  rows get the mean of all;
* **learned**: from rows that networks have learned from.

A guarantee of 95 % confidence may fail in 5 % of the repeats. A few minutes on one core::

    python benchmarks/inputs_promises.py --out benchmarks/results/inputs_promises.json
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from documents import save

from outgroup import MultiInputClassifier
from outgroup._features import take
from outgroup.calibration import HeldOut, choose_threshold
from outgroup.errors import DataWarning
from outgroup.multi_input import Inputs, Numeric, Preset
from outgroup.multi_input.row_scoring import row_layers
from outgroup.multi_input.row_table import as_row_table, read_cells
from outgroup.multi_input.training_rows import split_rows

COLUMNS = 4
INPUTS = Inputs(table=[Numeric(f"x{i}") for i in range(COLUMNS)])
NEW = 400

Found = dict[str, dict[str, float]]


def draw(n: int, draws: np.random.Generator) -> tuple[dict[str, Any], list[int]]:
    """Return n rows as columns, and their labels."""
    X = draws.normal(size=(n, COLUMNS))
    y = X[:, 0] + X[:, 1] + draws.normal(size=n) > 0
    return {f"x{i}": X[:, i].tolist() for i in range(COLUMNS)}, y.astype(int).tolist()


def by_heart(members: int) -> Preset:
    """Return networks that learn a small table by heart."""
    return Preset((), "pool", (24,), epochs=12, batch=32, rate=3e-2, members=members)


def once(seed: int, n: int = 120, members: int = 3, n_new: int = NEW) -> Found:
    """Fit once, and return for each threshold what its certificate says and what is true.

    Returns
    -------
    dict
        By the name of the threshold: "rejected" of new rows, "expected" and "guaranteed".
    """
    draws = np.random.default_rng([7, seed])
    rows, labels = draw(n, draws)
    classifier = MultiInputClassifier(INPUTS, by_heart(members), seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        classifier.fit(rows, labels)
    encoder, data = classifier.encoder, classifier.report
    new = encoder.encode(read_cells(INPUTS, as_row_table(draw(n_new, draws)[0])))
    layers = row_layers(data.cells, encoder.cell_encoder, encoder.networks)
    split = split_rows(data, members, seed)

    def scores_at(at: Any, members: slice) -> Any:
        some = replace(encoder, scorers=encoder.scorers[members])
        found, _ = some.score([take(own, at) for own in layers[members]])
        return found["other_scores"][:, 0]

    out_of_fold = [
        scores_at(split.held_out(member), slice(i, i + 1)) for i, member in enumerate(split.members)
    ]
    scores_of = {
        "kept": classifier.model.known_scores,
        "out of fold": np.concatenate(out_of_fold),
        "learned": scores_at(split.learned(split.members[0]), slice(None)),
    }
    found = {}
    for name, scores in scores_of.items():
        made = choose_threshold(HeldOut(scores))
        guarantee = made.certificate.guarantees[0]
        found[name] = {
            "rejected": float((new.layers["other_scores"][:, 0] > made.threshold).mean()),
            "expected": (guarantee.k + 1) / (guarantee.n + 1),
            "guaranteed": guarantee.bound,
        }
    return found


def summary(found: list[Found]) -> Found:
    """Return for each threshold the means over repeats, and how often its guarantee failed."""
    result = {}
    for name in found[0]:
        one = {key: np.array([each[name][key] for each in found]) for key in found[0][name]}
        result[name] = {
            **{key: float(values.mean()) for key, values in one.items()},
            "rejected_standard_error": float(one["rejected"].std() / np.sqrt(len(found))),
            "broken": float((one["rejected"] > one["guaranteed"]).mean()),
        }
    return result


def main() -> None:
    """Repeat, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = {}
    for n, members in ((120, 1), (120, 3), (400, 3)):
        found = [once(seed, n, members) for seed in range(given.repeats)]
        result[f"{n} rows, networks: {members}"] = summary(found)
        print(n, members, json.dumps(summary(found), indent=1), flush=True)
    if given.out:
        told = {"repeats": given.repeats, "new_rows": NEW, "results": result}
        save(given.out, told)


if __name__ == "__main__":
    main()
