"""Icebergs and ships: networks with several inputs, beside simpler ones, on simulated radar chips.

Every model learns from the same chips and is measured on chips of other scenes; figures are means
over seeds, each with its own chips for training. Intervals, and those of differences, are over
resampled scenes of the test set. Models can be run one by one, and their answers are kept in a
folder:

    python benchmarks/iceberg.py WORK --seed 0 --model two-branch-plus
    python benchmarks/iceberg.py WORK --join --out benchmarks/results/iceberg.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from documents import save
from scipy.ndimage import gaussian_filter, label

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "iceberg"))
from simulate import UNKNOWN, simulate, simulate_unknown

from outgroup import MultiInputClassifier
from outgroup.classifier.row_comparison import figure
from outgroup.errors import DataWarning
from outgroup.multi_input import PRESETS, Bands, Inputs, Numeric
from outgroup.multi_input.image_statistics import describe_images

TRAIN, TEST, STRANGE = 1000, 1500, 200
TEST_SEED = 1000

HH, HV = Bands("band_1", units="dB"), Bands("band_2", units="dB")
ANGLE = Numeric("inc_angle", missing="indicator")
BOTH = Inputs([HH, HV], [ANGLE])
SMALL = PRESETS["two-branch"]

Answers = dict[str, np.ndarray]


def network(inputs: Inputs, preset: Any) -> Callable[..., tuple[Answers, dict[str, Any]]]:
    """Return a function that answers by a network."""

    def answer(train: Any, test: Any, strange: Any, seed: int) -> tuple[Answers, dict[str, Any]]:
        start = time.process_time()
        model = MultiInputClassifier(inputs, preset, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # the angle tells the scene: by design
            model.fit(train, "is_iceberg", groups="scene")
        seconds = time.process_time() - start
        found = model.predict(test, nearest=0)
        answers = {"probability": found.class_scores[:, 1], "known": found.other_score}
        for kind, rows in strange.items():
            answers[kind] = model.predict(rows, nearest=0).other_score
        guarantee = model.certificate.guarantees[0]
        return answers, {
            "threshold": model.threshold,
            "bound": guarantee.bound,
            "expected": guarantee.k / guarantee.n,
            "cpu_seconds": round(seconds),
        }

    return answer


def statistics(data: Any) -> np.ndarray:
    """Return statistics of both bands, as the detectors see them."""
    return np.column_stack(
        [describe_images(data[band][:, np.newaxis]) for band in ("band_1", "band_2")]
    )


def measures(data: Any) -> np.ndarray:
    """Return what somebody who knows radar would measure of the target.

    It is the largest blob of HH smoothed that is 5 dB above the sea: its area, length and
    slimness, its power and peak above the sea in both bands, and HH over HV.
    """
    rows = []
    for hh, hv in zip(data["band_1"], data["band_2"], strict=True):
        blobs, _ = label(gaussian_filter(hh, 1.0) > np.median(hh) + 5.0)
        sizes = np.bincount(blobs.ravel())
        sizes[0] = 0
        blob = blobs == sizes.argmax() if sizes.any() else hh == hh.max()
        at = np.argwhere(blob)
        spread = np.linalg.eigvalsh(np.cov(at.T) + np.eye(2) / 12) if len(at) > 1 else np.ones(2)
        powers, peaks = [], []
        for band in (hh, hv):
            excess = 10 ** (band / 10.0) - 10 ** (np.median(band) / 10.0)
            powers.append(10 * np.log10(max(excess[blob].sum(), 1e-4)))
            peaks.append(float(band[blob].max() - np.median(band)))
        shape = [np.log(blob.sum()), np.log(spread[1]), np.log(spread[1] / spread[0])]
        rows.append([*shape, *powers, *peaks, powers[0] - powers[1], np.median(hh), np.median(hv)])
    return np.array(rows)


def logistic(describe: Callable[[Any], np.ndarray]) -> Callable[..., Any]:
    """Return a function that answers by a logistic regression on a description and the angle."""

    def answer(train: Any, test: Any, strange: Any, seed: int) -> tuple[Answers, dict[str, Any]]:
        from sklearn.linear_model import LogisticRegressionCV
        from sklearn.model_selection import GroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        def rows(data: Any) -> np.ndarray:
            angle = np.array([np.nan if a == "na" else a for a in data["inc_angle"]], dtype=float)
            X = np.column_stack([describe(data), np.nan_to_num(angle, nan=38.0), np.isnan(angle)])
            return np.column_stack([X, X**2])

        X, y = rows(train), np.array(train["is_iceberg"])
        splits = list(GroupKFold(5).split(X, y, train["scene"]))
        fit = LogisticRegressionCV(
            Cs=np.logspace(-3, 2, 11), cv=splits, scoring="neg_log_loss", max_iter=3000
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            model = make_pipeline(StandardScaler(), fit).fit(X, y)
        return {"probability": model.predict_proba(rows(test))[:, 1]}, {}

    return answer


MODELS: dict[str, Callable[..., tuple[Answers, dict[str, Any]]]] = {
    "two-branch-plus": network(BOTH, PRESETS["two-branch-plus"]),
    "two-branch-plus, no angle": network(Inputs([HH, HV]), PRESETS["two-branch-plus"]),
    "two-branch": network(BOTH, SMALL),
    "two-branch, three networks": network(BOTH, replace(SMALL, members=3)),
    "two-branch, no angle": network(Inputs([HH, HV]), SMALL),
    "one band (HH) and angle": network(Inputs([HH], [ANGLE]), SMALL),
    "one band (HV) and angle": network(Inputs([HV], [ANGLE]), SMALL),
    "logistic on statistics": logistic(statistics),
    "logistic on measures of the target": logistic(measures),
}


def data(work: Path, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return simulated chips, made once."""
    file = work / f"{name}.npz"
    if not file.exists():
        made = make()
        angles = [np.nan if a == "na" else a for a in made.pop("inc_angle")]
        np.savez(file, inc_angle=np.array(angles, dtype=float), **made)
    with np.load(file) as there:
        found: dict[str, Any] = {name: there[name] for name in there.files}
    found["inc_angle"] = ["na" if np.isnan(a) else float(a) for a in found["inc_angle"]]
    return {name: cells if "band" in name else list(cells) for name, cells in found.items()}


def run(work: Path, name: str, seed: int) -> None:
    """Answer by one model, and keep the answers."""
    train = data(work, f"train-{seed}", lambda: simulate(TRAIN, seed))
    test = data(work, "test", lambda: simulate(TEST, TEST_SEED))
    strange = {
        kind: data(work, kind, lambda kind=kind: simulate_unknown(kind, STRANGE, TEST_SEED))
        for kind in UNKNOWN
    }
    answers, more = MODELS[name](train, test, strange, seed)
    np.savez(work / f"{name} {seed}.npz", **answers)
    (work / f"{name} {seed}.json").write_text(json.dumps(more))


def join(work: Path) -> dict[str, Any]:
    """Return the figures of all models and seeds that were run."""
    test = data(work, "test", lambda: simulate(TEST, TEST_SEED))
    y = np.array(test["is_iceberg"])
    _, scene = np.unique(test["scene"], return_inverse=True)
    losses, found = {}, {}
    for name in MODELS:
        seeds = sorted(int(f.stem.rsplit(" ", 1)[1]) for f in work.glob(f"{name} ?.npz"))
        if not seeds:
            continue
        answers = [dict(np.load(work / f"{name} {seed}.npz")) for seed in seeds]
        said = [json.loads((work / f"{name} {seed}.json").read_text()) for seed in seeds]
        P = np.clip([one["probability"] for one in answers], 1e-7, 1 - 1e-7)
        losses[name] = dict(zip(seeds, -np.log(np.where(y == 1, P, 1 - P)), strict=True))
        right = (P > 0.5) == (y == 1)
        found[name] = {
            "seeds": seeds,
            "log_loss": vars(figure(np.mean(list(losses[name].values()), axis=0), scene)),
            "accuracy": vars(figure(right.mean(axis=0), scene)),
        }
        if "known" in answers[0]:
            found[name]["other"] = [
                _other(one, more) for one, more in zip(answers, said, strict=True)
            ]
            found[name]["rejected_at_95_percent_known_kept"] = {
                kind: vars(_over_chips(answers, kind)) for kind in UNKNOWN
            }
            found[name]["cpu_seconds"] = [more["cpu_seconds"] for more in said]
    best = losses["two-branch-plus"]
    for name, own in losses.items():
        shared = sorted({*own} & {*best})
        if name != "two-branch-plus" and shared:
            more = np.mean([own[seed] - best[seed] for seed in shared], axis=0)
            found[name]["log_loss_more_than_plus"] = {"seeds": shared, **vars(figure(more, scene))}
    setting = {"train": TRAIN, "test": TEST, "scenes_of_test": int(scene.max()) + 1}
    return {"setting": setting, "ways": found}


def _over_chips(answers: list[Answers], kind: str) -> Any:
    """Return the share of chips that are rejected, mean over seeds, with an interval over chips."""
    over = [one[kind] > np.quantile(one["known"], 0.95, method="higher") for one in answers]
    return figure(np.mean(over, axis=0), np.arange(STRANGE))


def _other(answers: Answers, more: dict[str, Any]) -> dict[str, Any]:
    """Return shares rejected by the model's threshold, and by that of 95 % of the test chips."""
    known = answers["known"]
    by_own, by_test = more["threshold"], float(np.quantile(known, 0.95, method="higher"))
    kinds = {
        kind: {
            "rejected": float((answers[kind] > by_own).mean()),
            "rejected_at_95_percent_known_kept": float((answers[kind] > by_test).mean()),
        }
        for kind in UNKNOWN
    }
    return {
        "known_rejected": float((known > by_own).mean()),
        "guaranteed_at_most": more["bound"],
        "expected": more["expected"],
        **kinds,
    }


def main() -> None:
    """Run parts, or join them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--model", nargs="*", default=[*MODELS], choices=[*MODELS])
    parser.add_argument("--join", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.join:
        if given.out is None:
            print(json.dumps(join(given.work), indent=1))
        else:
            save(given.out, join(given.work))
        return
    for seed in given.seed:
        for name in given.model:
            run(given.work, name, seed)


if __name__ == "__main__":
    main()
