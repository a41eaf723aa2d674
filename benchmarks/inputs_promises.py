"""Whether the promise of several networks is kept: repeated, on rows without end.

Rows have numbers of which a class depends on two; new ones can be drawn at will, so that the share
of them that is called other is known to a fraction of a percent. Small sets and networks that learn
them by heart are the hard case. Three thresholds of the same networks are compared:

* **kept**: from the rows that nothing has seen, what `MultiInputClassifier` does;
* **out of fold**: from rows that one of the networks has not seen, scored by this one, while new
  rows get the mean of all;
* **learned**: from rows that networks have learned from.

A promise of 95 % confidence may be broken in 5 % of the repeats. A few minutes on one core::

    python benchmarks/inputs_promises.py --out benchmarks/results/inputs_promises.json
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from outgroup.calibration import HeldOut, choose_threshold
from outgroup.errors import DataWarning
from outgroup.multi_input import Inputs, MultiInputClassifier, Numeric, Preset
from outgroup.multi_input.dealing import deal_rows
from outgroup.multi_input.encoding import read_cells
from outgroup.multi_input.frames import as_frame
from outgroup.multi_input.model import answered
from outgroup.multi_input.scoring import features_of

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
    """Fit once, and return of each threshold what is promised and what is true.

    Returns
    -------
    dict
        By the name of the threshold: "rejected" of new rows, "expected" and "promised".
    """
    draws = np.random.default_rng([7, seed])
    rows, labels = draw(n, draws)
    classifier = MultiInputClassifier(INPUTS, by_heart(members), seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        classifier.fit(rows, labels)
    model, data = classifier.model, classifier.report
    new = model.score(read_cells(INPUTS, as_frame(draw(n_new, draws)[0]))).other
    own = model.encoder.encode(data.cells)
    answers = model.networks.run(own)
    features = features_of(data.cells, own, model.encoder, model.plan)
    deal = deal_rows(data, members, seed)
    rest = (model.encoder, model.plan, model.target)
    out_of_fold = [
        answered([answer.take(at)], features.take(at), [scorer], *rest).other
        for answer, scorer, at in zip(
            answers, model.scorers, map(deal.held_out, deal.members), strict=True
        )
    ]
    at = deal.learned(deal.members[0])
    learned = answered(
        [answer.take(at) for answer in answers], features.take(at), model.scorers, *rest
    ).other
    ways = {"kept": model.known_scores, "out of fold": np.concatenate(out_of_fold)}
    found = {}
    for name, scores in {**ways, "learned": learned}.items():
        made = choose_threshold(HeldOut(scores))
        promise = made.certificate.promises[0]
        found[name] = {
            "rejected": float((new > made.threshold).mean()),
            "expected": (promise.k + 1) / (promise.n + 1),
            "promised": promise.bound,
        }
    return found


def summary(found: list[Found]) -> Found:
    """Return of each threshold the means over repeats, and how often its promise was broken."""
    result = {}
    for name in found[0]:
        one = {key: np.array([each[name][key] for each in found]) for key in found[0][name]}
        result[name] = {
            **{key: float(values.mean()) for key, values in one.items()},
            "rejected_standard_error": float(one["rejected"].std() / np.sqrt(len(found))),
            "broken": float((one["rejected"] > one["promised"]).mean()),
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
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
