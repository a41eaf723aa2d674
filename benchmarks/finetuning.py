"""Tune the last block on the zoo and on digits, and compare with the frozen network, over seeds.

Usage: ``python benchmarks/finetuning.py ZOO [--threads N]`` where ZOO is as for ``zoo.py``. What
the frozen layers make of all images is computed once and shared by all runs; ``timed`` is one run
of the command line from beginning to end. Unknown test images are for reporting alone. ``--only``
does some of the steps anew, and leaves what the others came to. ``--documents`` writes the tables
of the last result into docs/finetuning.md, and does nothing else.
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
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from documents import DOCS, Sections, add_flag, save
from PIL import Image
from setting import machine, versions
from sklearn.datasets import load_digits

from outgroup.backbones import get_backbone
from outgroup.backbones.efficientnet_lite0 import load_weights
from outgroup.contamination import find_suspects
from outgroup.evaluation import Rate
from outgroup.finetune import FineTunePlan
from outgroup.finetune.objectives import choose_objective
from outgroup.finetune.tunable_network import Lite0
from outgroup.finetune.tuning_batches import TuningData, TuningInputs, compute_inputs
from outgroup.finetune.tuning_data import TUNED, UNSEEN, WATCHED, split
from outgroup.finetune.tuning_run import train
from outgroup.images import load_image, read_source
from outgroup.model import fit_model
from outgroup.selection import choose_network, select_strategy
from outgroup.synthetic import GENERATORS, made_from_nothing
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "finetuning.json"
STEPS = ("compare", "elsewhere", "timed", "imbalanced", "calibration")
SEEDS = (0, 1, 2)
FEW_GIRAFFES = 20
N_PROBES = 16
GARBAGE = made_from_nothing()


class Pictures:
    """Images with what the frozen layers make of them.

    ``part`` says what an image is for: "train" and "test" of the classes, the collections of
    negatives, and "test_unknown_near" and "test_unknown_far". ``kind`` is its folder.
    """

    def __init__(
        self, sources: Sequence[Any], part: np.ndarray, kind: np.ndarray, work: Path
    ) -> None:
        self.part, self.kind, self.n = part, kind, len(sources)
        self.classes = sorted({*kind[part == "train"].tolist()})
        preprocessing = get_backbone("efficientnet-lite0").preprocessing
        garbage = [GENERATORS.get(name)().draw(N_PROBES, seed=0) for name in GARBAGE]
        work.mkdir()
        pixels = np.lib.format.open_memmap(
            work / "pixels.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(self.n + N_PROBES * len(garbage), 224, 224, 3),
        )
        for i, source in enumerate(sources):
            is_path = isinstance(source, Path)
            pixels[i] = load_image(read_source(source) if is_path else source, preprocessing)
        for i, image in enumerate(np.concatenate(garbage)):
            pixels[self.n + i] = load_image(image, preprocessing)
        network = Lite0(load_weights())
        self.inputs: TuningInputs = compute_inputs(
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

    def tuned(self, rows: np.ndarray, plan: FineTunePlan, seed: int) -> tuple[Any, np.ndarray, Any]:
        """Return features by a network tuned on some of the rows, what became of each, and how."""
        labels = self.labels(rows)
        groups: list[str | None] = [None] * len(rows)
        origins = [f"{self.part[i]}/{self.kind[i]}" for i in rows]
        parts = split(labels, self.part[rows].tolist(), origins, groups, plan.hold_out, seed)
        targets = np.zeros((self.n, len(self.classes)), dtype=np.float32)
        for k, name in enumerate(self.classes):
            targets[rows[np.array([label == name for label in labels])], k] = 1.0
        tuned, watched = rows[parts == TUNED], rows[parts == WATCHED]
        data = TuningData(self.inputs, targets, self.part.astype(str), tuned, watched)
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

    def training_set(
        self,
        features: dict[str, np.ndarray],
        rows: np.ndarray,
        calibrates: np.ndarray | None = None,
    ) -> TrainingSet:
        """Return some rows to learn from; those that tuning has not seen calibrate."""
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
            origins=[f"{self.part[i]}/{self.kind[i]}" for i in rows],
            collections=self.part[rows].tolist(),
            probes=probes,
        )
        return data if calibrates is None else replace(data, tuned=True, calibrates=calibrates)

    def without_suspects(self, rows: np.ndarray, seed: int) -> np.ndarray:
        """Return the rows without those of the pool that look like a class."""
        pooled = self.part[rows] == "pool"
        known = self.training_set(self.frozen, rows[~pooled])
        found = find_suspects(known, self.frozen["last"][rows[pooled]], seed=seed)
        return np.delete(rows, np.flatnonzero(pooled)[found.rows])

    def answers(
        self,
        features: dict[str, np.ndarray],
        data: TrainingSet,
        seed: int,
        strategy: str,
        test: np.ndarray,
    ) -> dict[str, Any]:
        """Fit and calibrate, and return the figures of the test images."""
        chosen, _, folded = select_strategy(strategy, data, seed=seed)
        model = fit_model(data, chosen, seed=seed, rows=folded)
        answers = model.predict({layer: values[: self.n] for layer, values in features.items()})
        score = answers.other_score
        said = np.array([str(label) for label in answers.at(np.inf).labels])
        near, far = self.rows("test_unknown_near"), self.rows("test_unknown_far")
        rejected = score > model.threshold
        found = {
            "strategy": chosen.name,
            "n_learned_from": len(data.y),
            "n_calibrated_on": len(model.known_scores),
            "known_rejected": rate(rejected[test]),
            "wrong_class": rate(said[test] != self.kind[test]),
            "near_accepted": rate(~rejected[near]),
            "near_at_equal_known": rate(score[near] <= kept(score[test])),
        }
        if len(far):
            found["far_accepted"] = rate(~rejected[far])
        if "giraffe" in self.classes:
            found["giraffes_rejected"] = rate(rejected[test][self.kind[test] == "giraffe"])
        return found


def zoo_of(folder: Path, work: Path, limit: int | None = None) -> Pictures:
    """Return the images of the zoo."""
    parts = ("train", "test", "other_near", "pool", "test_unknown_near", "test_unknown_far")
    paths = [p for part in parts for p in sorted((folder / part).rglob("*")) if p.is_file()]
    if limit:
        paths = paths[:: max(len(paths) // limit, 1)]
    part = np.array([p.relative_to(folder).parts[0] for p in paths])
    return Pictures(paths, part, np.array([p.relative_to(folder).parts[1] for p in paths]), work)


def digits_of(seed: int, work: Path) -> Pictures:
    """Return handwritten digits: four to know, three to learn from as negatives, three unknown.

    They are those of scikit-learn, of 8 x 8 pixels and enlarged, which is as unlike the pictures
    of ImageNet as can be. 100 of each known digit are learned from.
    """
    digits = load_digits()
    known, negatives, _ = np.split(np.random.default_rng(seed).permutation(10), [4, 7])
    part = np.select(
        [np.isin(digits.target, known), np.isin(digits.target, negatives)],
        ["test", "other_near"],
        "test_unknown_near",
    ).astype("U32")
    for digit in known:
        part[np.flatnonzero(digits.target == digit)[:100]] = "train"
    images = [
        Image.fromarray((image * 255 / 16).astype(np.uint8)).resize((224, 224), Image.BICUBIC)
        for image in digits.images
    ]
    kind = np.array([f"digit {digit}" for digit in digits.target])
    return Pictures([np.asarray(image.convert("RGB")) for image in images], part, kind, work)


def kept(known: np.ndarray) -> float:
    """Return the threshold that keeps 95 % of the given known images."""
    return float(np.sort(known)[int(np.ceil(0.95 * len(known))) - 1])


def rate(happened: np.ndarray) -> dict[str, Any]:
    """Return a share with its 95 % interval."""
    return Rate(int(happened.sum()), len(happened)).to_dict()


def compare_one(
    pictures: Pictures, rows: np.ndarray, plan: FineTunePlan, seed: int
) -> dict[str, Any]:
    """Return figures of the frozen and the tuned network, and which of them would be taken."""
    test = pictures.rows("test")
    before = pictures.training_set(pictures.frozen, rows)
    row = {"frozen": pictures.answers(pictures.frozen, before, seed, "auto", test)}
    features, parts, how = pictures.tuned(rows, plan, seed)
    after = pictures.training_set(features, rows, parts == UNSEEN)
    half = pictures.training_set(features, rows[parts == UNSEEN])
    half = replace(half, tuned=True)
    row["tuned, taught by half"] = pictures.answers(features, half, seed, "auto", test)
    row["tuned"] = pictures.answers(features, after, seed, "auto", test)
    choice = choose_network(before, after, seed=seed)
    row["taken"] = row["tuned" if choice.tuned else "frozen"]
    return {"seed": seed, "training": how, "choice": asdict(choice), **row}


def compare(zoo: Pictures, plan: FineTunePlan) -> list[dict[str, Any]]:
    """Return figures on the zoo for each seed."""
    found = []
    for seed in SEEDS:
        rows = zoo.without_suspects(zoo.rows("train", "other_near", "pool"), seed)
        found.append(compare_one(zoo, rows, plan, seed))
        tell(found[-1])
    return found


def elsewhere(work: Path, plan: FineTunePlan) -> list[dict[str, Any]]:
    """Return figures on handwritten digits for each seed, which deals the digits, too."""
    found = []
    for seed in SEEDS:
        digits = digits_of(seed, work / f"digits-{seed}")
        found.append(compare_one(digits, digits.rows("train", "other_near"), plan, seed))
        tell(found[-1])
    return found


def calibration(zoo: Pictures, plan: FineTunePlan) -> list[dict[str, Any]]:
    """Return how many known images are rejected that are like those of training for certain.

    Known images of ``train`` and ``test`` are shuffled together and split anew. "naive" chooses the
    threshold on the very images that the network was tuned on.
    """
    found = []
    negatives = zoo.rows("other_near", "pool")
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        parts_of = []
        for name in zoo.classes:
            known = np.flatnonzero(np.isin(zoo.part, ["train", "test"]) & (zoo.kind == name))
            n = np.count_nonzero((zoo.part == "train") & (zoo.kind == name))
            shuffled = rng.permutation(known)
            parts_of.append((shuffled[:n], shuffled[n:]))
        rows = np.concatenate([*(first for first, _ in parts_of), negatives])
        test = np.concatenate([second for _, second in parts_of])
        features, parts, _ = zoo.tuned(rows, plan, seed)
        row = {"seed": seed}
        for name, part in (("held out", UNSEEN), ("naive", TUNED)):
            data = zoo.training_set(features, rows, parts == part)
            row[name] = zoo.answers(features, data, seed, "blend", test)["known_rejected"]
        found.append(row)
        tell(row)
    return found


def imbalanced(zoo: Pictures, plan: FineTunePlan, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return figures with few giraffes: focal loss and oversampling, each with and without."""
    test = zoo.rows("test")
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows = zoo.without_suspects(zoo.rows("train", "other_near", "pool"), seed)
        giraffes = rows[zoo.kind[rows] == "giraffe"]
        lost = rng.permutation(giraffes)[FEW_GIRAFFES:]
        rows = rows[~np.isin(rows, lost)]
        data = zoo.training_set(zoo.frozen, rows)
        frozen = zoo.answers(zoo.frozen, data, seed, "blend", test)
        found.append({"seed": seed, "focal": None, "oversampling": None, **frozen})
        for objective in ("sigmoid", "focal-sigmoid"):
            for balance in (None, "oversample"):
                how = replace(plan, objective=objective, balance=balance)
                features, parts, training = zoo.tuned(rows, how, seed)
                data = zoo.training_set(features, rows, parts == UNSEEN)
                got = zoo.answers(features, data, seed, "blend", test)
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


def documents() -> Sections:
    """Return what is shown of the last result."""
    found = json.loads(RESULTS.read_text("utf-8"))
    tables = {
        "seeds": _seeds(found["compare"]),
        "elsewhere": _seeds(found["elsewhere"]),
        "imbalanced": _imbalanced(found["imbalanced"]),
        "calibration": _calibration(found["calibration"]),
    }
    return {DOCS / "finetuning.md": tables}


def _seeds(compared: list[dict[str, Any]]) -> str:
    figures = {
        "known_rejected": "known rejected",
        "near_accepted": "near accepted",
        "near_at_equal_known": "near accepted, 95 % of known kept",
        "far_accepted": "far accepted",
    }
    there = [name for name in figures if name in compared[0]["frozen"]]
    lines = [
        f"| seed | network | {' | '.join(figures[name] for name in there)} |",
        "|---|---" + "|---" * len(there) + "|",
    ]
    for row in compared:
        for name in ("frozen", "tuned, taught by half", "tuned"):
            got = row[name]
            said = " | ".join(percent(got[figure]) for figure in there)
            is_taken = name == ("tuned" if row["choice"]["tuned"] else "frozen")
            network = f"**{name}**" if is_taken else name
            lines.append(f"| {row['seed']} | {network} ({got['strategy']}) | {said} |")
    return "\n".join(lines) + "\n"


def _imbalanced(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| seed | network | focal | oversampling | known rejected | giraffes rejected "
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


def tell(row: dict[str, Any]) -> None:
    """Print a row on standard error."""
    print(json.dumps(row), file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--imbalanced-seeds", type=int, default=len(SEEDS))
    parser.add_argument("--limit", type=int, default=None, help="of images, for a trial")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    plan = FineTunePlan(epochs=arguments.epochs)
    found: dict[str, Any] = {}
    if arguments.out.exists() and {*arguments.only} != {*STEPS}:
        found = json.loads(arguments.out.read_text("utf-8"))
    found |= {"machine": machine(), "versions": versions(), "plan": plan.to_dict()}
    found["torch"] = torch.__version__
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        on_zoo = {*arguments.only} & {"compare", "imbalanced", "calibration"}
        zoo = zoo_of(arguments.zoo, work / "zoo", arguments.limit) if on_zoo else None
        steps = {
            "compare": lambda: compare(zoo, plan),
            "elsewhere": lambda: elsewhere(work, plan),
            "timed": lambda: timed(arguments.zoo, work),
            "imbalanced": lambda: imbalanced(zoo, plan, tuple(range(arguments.imbalanced_seeds))),
            "calibration": lambda: calibration(zoo, plan),
        }
        for name in STEPS:
            if name in arguments.only:
                found[name] = steps[name]()
                save(arguments.out, found)


if __name__ == "__main__":
    main()
