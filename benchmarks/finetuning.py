"""Tune the last block on the zoo, and compare with the frozen network, over seeds.

Usage: ``python benchmarks/finetuning.py ZOO [--threads N]`` where ZOO is as for ``zoo.py``. What
the frozen layers make of all images is computed once and shared by all runs; ``timed`` is one run
of the command line from beginning to end. Unknown test images are for reporting alone. ``--docs``
writes the tables of the last result into docs/finetuning.md, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from setting import machine, versions

from outgroup.backbones import get_backbone
from outgroup.backbones.efficientnet_lite0 import load_weights
from outgroup.finetune import Plan
from outgroup.finetune.inputs import Inputs, compute_inputs
from outgroup.finetune.network import Lite0
from outgroup.finetune.objectives import choose_objective
from outgroup.finetune.splitting import TUNED, UNSEEN, WATCHED, split
from outgroup.finetune.training import TrainingData, train
from outgroup.images import load_image, read_source
from outgroup.metrics import Rate, fpr_at_tpr
from outgroup.model import fit_model
from outgroup.selection import select_strategy
from outgroup.synthetic import GENERATORS, made_from_nothing
from outgroup.training_set import TrainingSet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "finetuning.json"
DOCUMENT = ROOT / "docs" / "finetuning.md"
START, END = "<!-- {}:start -->\n", "<!-- {}:end -->"
CLASSES = ("cat", "dog", "giraffe")
SEEDS = (0, 1, 2)
FEW_GIRAFFES = 20
N_PROBES = 16
GARBAGE = made_from_nothing()


class Zoo:
    """All images of the zoo with what the frozen layers make of them."""

    def __init__(self, folder: Path, work: Path, limit: int | None = None) -> None:
        parts = ("train", "test", "other_near", "pool", "test_unknown_near", "test_unknown_far")
        paths = [p for part in parts for p in sorted((folder / part).rglob("*")) if p.is_file()]
        if limit:
            paths = paths[:: max(len(paths) // limit, 1)]
        self.part = np.array([p.relative_to(folder).parts[0] for p in paths])
        self.kind = np.array([p.relative_to(folder).parts[1] for p in paths])
        preprocessing = get_backbone("efficientnet-lite0").preprocessing
        garbage = [GENERATORS.get(kind)().draw(N_PROBES, seed=0) for kind in GARBAGE]
        self.n = len(paths)
        pixels = np.lib.format.open_memmap(
            work / "zoo.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(self.n + N_PROBES * len(garbage), 224, 224, 3),
        )
        for i, path in enumerate(paths):
            pixels[i] = load_image(read_source(path), preprocessing)
        for i, image in enumerate(np.concatenate(garbage)):
            pixels[self.n + i] = load_image(image, preprocessing)
        network = Lite0(load_weights())
        self.inputs: Inputs = compute_inputs(
            network, network.first_step("last"), pixels, (), 0, work, seed=0, progress=False
        )
        self.frozen = self.features(network.eval())

    def rows(self, *parts: str) -> np.ndarray:
        """Return the rows of parts."""
        return np.flatnonzero(np.isin(self.part, parts))

    def features(self, network: Lite0) -> dict[str, np.ndarray]:
        """Return the layers of all images, and of garbage behind them."""
        total = self.n + N_PROBES * len(GARBAGE)
        found: dict[str, list[np.ndarray]] = {}
        with torch.no_grad():
            for begin in range(0, total, 64):
                rows = np.arange(begin, min(begin + 64, total))
                for name, values in network(self.inputs.plain(rows), self.inputs.start).items():
                    found.setdefault(name, []).append(values.numpy())
        return {name: np.concatenate(values) for name, values in found.items()}

    def labels(self, rows: np.ndarray) -> list[str | None]:
        """Return the class of each row, None for negatives."""
        return [self.kind[i] if self.part[i] in ("train", "test") else None for i in rows]

    def tuned(self, rows: np.ndarray, plan: Plan, seed: int) -> tuple[Any, np.ndarray, Any]:
        """Return features by a network tuned on some of the rows, what became of each, and how."""
        labels = self.labels(rows)
        groups: list[str | None] = [None] * len(rows)
        origins = [f"{self.part[i]}/{self.kind[i]}" for i in rows]
        parts = split(labels, self.part[rows].tolist(), origins, groups, plan.hold_out, seed)
        y = np.full(len(self.part), -1)
        for k, name in enumerate(CLASSES):
            y[rows[np.array([label == name for label in labels])]] = k
        collections = self.part.astype(str)
        tuned, watched = rows[parts == TUNED], rows[parts == WATCHED]
        data = TrainingData(self.inputs, y, len(CLASSES), collections, tuned, watched)
        network = Lite0(load_weights())
        start = time.perf_counter()
        history = train(network, data, choose_objective(plan.objective), plan, seed=seed)
        how = {
            "seconds": round(time.perf_counter() - start, 1),
            "epochs": len(history.epochs) - 1,
            "best_epoch": history.best,
            "watched_before": history.epochs[0],
            "watched_after": history.epochs[history.best],
        }
        return self.features(network), parts, how

    def answers(
        self,
        features: dict[str, np.ndarray],
        rows: np.ndarray,
        seed: int,
        strategy: str,
        *,
        tuned: bool,
        test: np.ndarray,
    ) -> dict[str, Any]:
        """Fit and calibrate on some rows, and return the figures of the test images."""
        probes = {
            kind: {
                layer: values[self.n + k * N_PROBES : self.n + (k + 1) * N_PROBES]
                for layer, values in features.items()
            }
            for k, kind in enumerate(GARBAGE)
        }
        data = TrainingSet.from_labels(
            {layer: values[rows] for layer, values in features.items()},
            self.labels(rows),
            None,
            [f"{self.part[i]}/{self.kind[i]}" for i in rows],
            None,
            self.part[rows].tolist(),
            probes,
        )
        data = replace(data, tuned=tuned)
        chosen, _, dealt = select_strategy(strategy, data, seed=seed)
        model = fit_model(data, chosen, seed=seed, rows=dealt)
        answers = model.predict({layer: values[: self.n] for layer, values in features.items()})
        score = answers.other_score
        said = np.array([str(label) for label in answers.at(np.inf).labels])
        near, far = self.rows("test_unknown_near"), self.rows("test_unknown_far")
        return {
            "strategy": chosen.name,
            "n_calibrated_on": len(model.known_scores),
            "known_rejected": rate(score[test] > model.threshold),
            "wrong_class": rate(said[test] != self.kind[test]),
            "near_accepted": rate(score[near] <= model.threshold),
            "far_accepted": rate(score[far] <= model.threshold),
            "near_at_equal_known": rate(score[near] <= kept(score[test])),
            "far_at_equal_known": fpr_at_tpr(score[test], score[far]),
            "giraffes_rejected": rate(
                (score > model.threshold)[test][self.kind[test] == "giraffe"]
            ),
        }


def kept(known: np.ndarray) -> float:
    """Return the threshold that keeps 95 % of the given known images."""
    return float(np.sort(known)[int(np.ceil(0.95 * len(known))) - 1])


def rate(happened: np.ndarray) -> dict[str, Any]:
    """Return a share with its 95 % interval."""
    return Rate(int(happened.sum()), len(happened)).to_dict()


def compare(zoo: Zoo, plan: Plan) -> list[dict[str, Any]]:
    """Return frozen and tuned figures of each seed."""
    rows, test = zoo.rows("train", "other_near", "pool"), zoo.rows("test")
    found = []
    for seed in SEEDS:
        frozen = zoo.answers(zoo.frozen, rows, seed, "auto", tuned=False, test=test)
        features, parts, how = zoo.tuned(rows, plan, seed)
        unseen = rows[parts == UNSEEN]
        halved = zoo.answers(zoo.frozen, unseen, seed, "auto", tuned=False, test=test)
        tuned = zoo.answers(features, unseen, seed, "auto", tuned=True, test=test)
        row = {"frozen": frozen, "frozen, half of the images": halved, "tuned": tuned}
        found.append({"seed": seed, "training": how, **row})
        tell(found[-1])
    return found


def calibration(zoo: Zoo, plan: Plan) -> list[dict[str, Any]]:
    """Return how many known images are rejected that are like those of training for certain.

    Known images of ``train`` and ``test`` are shuffled together and dealt anew. "naive" lays the
    threshold on the very images that the network was tuned on.
    """
    found = []
    negatives = zoo.rows("other_near", "pool")
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        dealt = []
        for name in CLASSES:
            known = np.flatnonzero(np.isin(zoo.part, ["train", "test"]) & (zoo.kind == name))
            n = np.count_nonzero((zoo.part == "train") & (zoo.kind == name))
            shuffled = rng.permutation(known)
            dealt.append((shuffled[:n], shuffled[n:]))
        rows = np.concatenate([*(first for first, _ in dealt), negatives])
        test = np.concatenate([second for _, second in dealt])
        features, parts, _ = zoo.tuned(rows, plan, seed)
        row = {"seed": seed}
        for name, part in (("held out", UNSEEN), ("naive", TUNED)):
            options = {"tuned": True, "test": test}
            got = zoo.answers(features, rows[parts == part], seed, "blend", **options)
            row[name] = got["known_rejected"]
        found.append(row)
        tell(row)
    return found


def imbalanced(zoo: Zoo, plan: Plan, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return figures with few giraffes: focal loss and oversampling, each with and without."""
    test = zoo.rows("test")
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows = zoo.rows("train", "other_near", "pool")
        giraffes = rows[zoo.kind[rows] == "giraffe"]
        lost = rng.permutation(giraffes)[FEW_GIRAFFES:]
        rows = rows[~np.isin(rows, lost)]
        frozen = zoo.answers(zoo.frozen, rows, seed, "blend", tuned=False, test=test)
        found.append({"seed": seed, "focal": None, "oversampling": None, **frozen})
        for objective in ("sigmoid", "focal-sigmoid"):
            for balance in (None, "oversample"):
                how = replace(plan, objective=objective, balance=balance)
                features, parts, training = zoo.tuned(rows, how, seed)
                unseen = rows[parts == UNSEEN]
                got = zoo.answers(features, unseen, seed, "blend", tuned=True, test=test)
                focal = objective != "sigmoid"
                kind = {"seed": seed, "focal": focal, "oversampling": balance is not None}
                found.append({**kind, "training": training, **got})
                tell(found[-1])
    return found


def timed(folder: Path, work: Path) -> dict[str, Any]:
    """Return the time of one training by the command line, from images to the file."""
    command = [sys.executable, "-c", "from outgroup.cli import main; main()", "train"]
    command += [str(folder / "train"), "--other", str(folder / "other_near")]
    command += ["--pool", str(folder / "pool"), "--finetune", "--json", "--out"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, str(work / "timed.outgroup")],
        env={**os.environ, "OUTGROUP_CACHE": str(work / "cache")},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = json.loads(done.stdout)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "load_after": [round(load, 2) for load in os.getloadavg()],
        "sentence": told["finetune"]["sentence"],
        "certificate": told["certificate"]["sentence"],
    }


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the document by name, as Markdown."""
    return {
        "seeds": _seeds(found["compare"]),
        "imbalanced": _imbalanced(found["imbalanced"]),
        "calibration": _calibration(found["calibration"]),
    }


def _seeds(compared: list[dict[str, Any]]) -> str:
    lines = [
        "| seed | network | known called other | near accepted | near accepted, 95 % of known kept "
        "| far accepted |",
        "|---|---|---|---|---|---|",
    ]
    for row in compared:
        for name in ("frozen", "frozen, half of the images", "tuned"):
            got = row[name]
            said = " | ".join(
                percent(got[figure])
                for figure in (
                    "known_rejected",
                    "near_accepted",
                    "near_at_equal_known",
                    "far_accepted",
                )
            )
            lines.append(f"| {row['seed']} | {name} ({got['strategy']}) | {said} |")
    return "\n".join(lines) + "\n"


def _imbalanced(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| seed | network | focal | oversampling | known called other | giraffes called other "
        "| wrong class | near accepted | near accepted, 95 % of known kept |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = {None: "", True: "yes", False: "no"}
    for row in rows:
        figures = ("known_rejected", "giraffes_rejected", "wrong_class", "near_accepted")
        said = " | ".join(percent(row[name]) for name in (*figures, "near_at_equal_known"))
        network = "frozen" if row["focal"] is None else "tuned"
        what = f"{names[row['focal']]} | {names[row['oversampling']]}"
        lines.append(f"| {row['seed']} | {network} | {what} | {said} |")
    return "\n".join(lines) + "\n"


def _calibration(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| seed | calibrated on images kept from tuning | on those tuned on |",
        "|---|---|---|",
    ]
    for row in rows:
        said = " | ".join(percent(row[name]) for name in ("held out", "naive"))
        lines.append(f"| {row['seed']} | {said} |")
    return "\n".join(lines) + "\n"


def percent(got: dict[str, Any]) -> str:
    """Return a share with its 95 % interval."""
    low, high = got["interval"]
    return f"{100 * got['value']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def write_document() -> None:
    """Put the tables of the last result between their marks."""
    text = DOCUMENT.read_text("utf-8")
    for name, rows in tables(json.loads(RESULTS.read_text("utf-8"))).items():
        before, rest = text.split(START.format(name))
        text = (
            before + START.format(name) + rows + END.format(name) + rest.split(END.format(name))[1]
        )
    DOCUMENT.write_text(text, "utf-8")


def tell(row: dict[str, Any]) -> None:
    """Print a row on standard error."""
    print(json.dumps(row), file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path, nargs="?")
    parser.add_argument("--docs", action="store_true", help="write the tables, and nothing else")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--imbalanced-seeds", type=int, default=len(SEEDS))
    parser.add_argument("--limit", type=int, default=None, help="of images, for a trial")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.docs:
        write_document()
        return
    if arguments.zoo is None:
        parser.error("give the folder of the zoo")
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    plan = Plan(epochs=arguments.epochs)
    found: dict[str, Any] = {"machine": machine(), "versions": versions(), "plan": plan.to_dict()}
    found["torch"] = torch.__version__
    with tempfile.TemporaryDirectory() as work:
        zoo = Zoo(arguments.zoo, Path(work), arguments.limit)
        steps = {
            "compare": lambda: compare(zoo, plan),
            "imbalanced": lambda: imbalanced(zoo, plan, tuple(range(arguments.imbalanced_seeds))),
            "calibration": lambda: calibration(zoo, plan),
            "timed": lambda: timed(arguments.zoo, Path(work)),
        }
        for name, step in steps.items():
            found[name] = step()
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found["timed"], indent=1))


if __name__ == "__main__":
    main()
