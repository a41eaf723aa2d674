"""What the tests of the command line share: how it is run, and how facts are compared.

A *fact* is a function that does something through the public surface and returns plain values. Each
test file has its facts in one `Facts`; `record_commands.py` writes what they return to
``expected/NAME.json``, and the tests compare. Names that may change while behaviour does not are
known here only.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import io
import json
import math
import os
import platform
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

# Small problems are solved fastest by one thread; read when NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import PIL
import typer.main
from PIL import features

import outgroup

sys.path.insert(0, str(Path(__file__).parent))
from command_data import QUICK, World, world

EXPECTED = Path(__file__).with_name("expected")


# How the command line is run


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote to both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        assert self.code in (0, 3), self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


#: Building the commands takes longer than most of them; they are built once.
_COMMANDS = functools.cache(typer.main.get_command)


def run(*arguments: object, stdin: str = "") -> Outcome:
    """Run ``python -m outgroup`` with these arguments, within this process."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2)]
    out, err = streams
    argv = ["outgroup", *map(str, arguments)]
    code = 0
    with (
        mock.patch.multiple(sys, argv=argv, stdin=io.StringIO(stdin), stdout=out, stderr=err),
        mock.patch.object(typer.main, "get_command", _COMMANDS),
        warnings.catch_warnings(),
    ):
        try:
            runpy.run_module("outgroup", run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        told = []
        for stream in streams:
            stream.flush()
            told.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Outcome(code, *told)


# Facts, and how they are compared

#: A fact does something in the world, with an empty folder for its own files, and returns values.
Fact = Callable[[World, Path], Any]

#: Numbers that are printed with four digits.
ROUNDED = ("distance", "score")


class Facts(Mapping[str, Fact]):
    """The facts of one test file, by name, and what is expected of them.

    Parameters
    ----------
    name : str
        The expectations are in ``expected/NAME.json``.
    rtol : float
        Relative tolerance of numbers that are not whole.
    """

    def __init__(self, name: str, rtol: float = 1e-5) -> None:
        self.path = EXPECTED / f"{name}.json"
        self.rtol = rtol
        self._facts: dict[str, Fact] = {}

    def __call__(self, fact: Fact) -> Fact:
        """Add a fact, under the name of its function."""
        self._facts[fact.__name__] = fact
        return fact

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def found(self, name: str, folder: Path) -> Any:
        """Return what is, as it is written to the file of expectations."""
        made = world()
        with made.inside():
            return compact(self._facts[name](made, folder))

    def check(self, name: str, folder: Path) -> None:
        """Compare what is with what is expected."""
        recorded = json.loads(self.path.read_text("utf-8"))
        same_bytes = recorded["environment"] == environment()
        found = list(differences(self.found(name, folder), recorded[name], self.rtol, same_bytes))
        assert not found, "\n".join(found[:20])

    def record(self, folder: Path) -> None:
        """Write the file of expectations, a line a fact."""
        values = {"environment": environment()}
        for name in sorted(self):
            (folder / name).mkdir(parents=True)
            values[name] = self.found(name, folder / name)
        lines = [
            f'"{name}": {json.dumps(value, sort_keys=True, separators=(",", ":"))}'
            for name, value in values.items()
        ]
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def environment() -> str:
    """Return what decides the bytes of JPEG files and the last bits of embeddings."""
    jpeg = features.version("libjpeg_turbo") or features.version("jpg")
    parts = [f"Pillow {PIL.__version__}", f"JPEG {jpeg}", f"NumPy {np.__version__}"]
    return ", ".join([*parts, f"ONNX Runtime {onnxruntime.__version__}", platform.machine()])


def compact(value: Any) -> Any:
    """Return plain values, floats with eight digits."""
    if isinstance(value, Mapping):
        return {str(key): compact(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [compact(one) for one in value]
    if isinstance(value, np.ndarray):
        return compact(value.tolist())
    if isinstance(value, np.generic):
        return compact(value.item())
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else str(value)
    return value


def differences(
    found: Any, expected: Any, rtol: float, same_bytes: bool, where: str = ""
) -> Iterator[str]:
    """Say where values are not as expected; keys that came in since do not count.

    What is under a key ``sha256`` is compared only if `same_bytes`.
    """
    key = where.rpartition(".")[2]
    if key == "sha256" and not same_bytes:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            inner = f"{where}.{name}"
            if name in found:
                yield from differences(found[name], value, rtol, same_bytes, inner)
            else:
                yield f"{inner}: is not there"
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from differences(one, other, rtol, same_bytes, f"{where}[{i}]")
    elif is_real(found) and is_real(expected) and float in (type(found), type(expected)):
        atol = 2e-4 if key in ROUNDED else 1e-7
        if not math.isclose(found, expected, rel_tol=rtol, abs_tol=atol):
            yield f"{where}: {found!r} is not {expected!r}"
    elif type(found) is not type(expected) or found != expected:
        yield f"{where}: {found!r} is not {expected!r}"


def is_real(value: Any) -> bool:
    """Tell whether it is a number, and neither true nor false."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# What several facts look at


def sha256(data: bytes) -> str:
    """Return a hash of bytes, short enough to be read."""
    return hashlib.sha256(data).hexdigest()[:20]


def guarantees(certificate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the numbers of a certificate."""
    key = "guarantees" if "guarantees" in certificate else "promises"  # the older name
    kept = ("k", "n", "bound", "unit", "confidence", "asked")
    return [{name: one[name] for name in kept} for one in certificate[key]]


def files(listed: list[dict[str, str]]) -> list[str]:
    """Return the paths of files that were left out."""
    return [one["path"] for one in listed]


def share(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the numbers of an estimated share."""
    return given and {key: given[key] for key in ("value", "interval", "confidence")}


def suspects(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is known of images that look like a class, but the words."""
    kept = ("path", "row", "label", "score", "nearest")
    return [{key: one[key] for key in kept} for one in listed]


def told_of_training(told: dict[str, Any]) -> dict[str, Any]:
    """Return what ``train --json`` says, but the words and the paths of outputs."""
    plain = ("strategy", "classes", "n_others", "threshold", "thresholds", "n_unlabelled")
    found = {key: told[key] for key in plain if key in told}
    found["guarantees"] = guarantees(told["certificate"])
    found["choice"] = told["choice"] and {
        key: told["choice"][key] for key in ("name", "accepted", "standard_error")
    }
    for key in ("unreadable", "skipped", "contradictory"):
        found[key] = files(told[key])
    if (
        "thresholds" not in told
    ):  # models of several labels or columns are looked at more closely now
        found["n_warnings"] = len(told["warnings"])
    pool = told["pool"]
    found["pool"] = pool and {
        **{key: pool[key] for key in ("n", "n_all", "set_aside", "kept")},
        "share": share(pool["share"]),
        "suspects": suspects(pool["suspects"]),
        "copies": files(pool["copies"]),
    }
    return found


def answers(model: Path, *paths: str) -> dict[str, list[Any]]:
    """Return decisions and scores of a model for some paths, a list for each field."""
    lines = run("predict", model, *paths, "--json").lines
    fields = ["labels", "reason", "other_score"]
    fields += [name for name in ("other_scores", "outputs") if name in lines[0]]
    return {
        name: [reason(line) if name == "reason" else line[name] for line in lines]
        for name in fields
    }


def reason(line: dict[str, Any]) -> str:
    """Return the reason of an answer; that of columns told no "ambiguous" from "unknown" once."""
    told = str(line["reason"])
    return "unknown" if told == "ambiguous" and "outputs" in line else told


def learned(out: Path, *arguments: object, new: str = "new") -> dict[str, Any]:
    """Train by the command line with the quick network, and return what became of it."""
    model = out / "model.outgroup"
    backbone = [] if "--backbone" in arguments else ["--backbone", QUICK]
    told = run("train", *arguments, *backbone, "--out", model, "--json")
    assert told.code == 0, told.err
    return {**told_of_training(told.json), "answers": answers(model, new)}


def several_inputs() -> Any:
    """Return the package of networks with several inputs, whose name changed."""
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.import_module("outgroup.multi_input")
    return importlib.import_module("outgroup.inputs")


def multi_input_classifier() -> Any:
    """Return the classifier of several inputs, which stood beside the inputs once."""
    return getattr(outgroup, "MultiInputClassifier", None) or several_inputs().MultiInputClassifier


# What several facts look at in a pool


def rows_of(pool: Any) -> dict[str, list[Any]]:
    """Return what a pool knows of its images, a list for each field.

    A group has the name that the source gave it, or else the first row that is in it.
    """
    fields = (
        *("row", "source", "origin", "near", "width", "height", "stored_width", "stored_height"),
        *("n_bytes", "digest", "fingerprint", "state"),
    )
    records = list(pool)
    found = {name: [getattr(record, name) for record in records] for name in fields}
    first: dict[str, int] = {}
    for record in records:
        if record.group is not None:
            first.setdefault(record.group, record.row)
    named = {record.group for record in records if str(record.group).startswith(record.source)}
    found["group"] = [r.group if r.group in named else first.get(r.group) for r in records]
    return found


COUNTED = ("kept", "quarantined", "near_duplicates", "duplicates", "unreadable")


def contents(path: Path) -> dict[str, Any]:
    """Return all that a pool holds: counts, rows, what could not be read, and its bytes."""
    pool = outgroup.Pool(path)
    return {
        "n": len(pool),
        "counts": {
            name: {key: getattr(count, key) for key in COUNTED}
            for name, count in pool.counts().items()
        },
        "rows": rows_of(pool),
        "unreadable": [[one.source, one.origin] for one in pool.unreadable()],
        "layers": pool.layers,
        "sums": {
            name: [[float(v.sum()), float(np.abs(v).sum())] for v in values.astype(np.float64)]
            for name, values in pool.features(range(len(pool))).items()
        },
        "sha256": bytes_of(path),
    }


def bytes_of(path: Path) -> dict[str, list[str]]:
    """Return hashes of the shards of a pool, and of its files of embeddings by layer."""
    found: dict[str, list[str]] = {}
    for one in sorted((path / "shards").glob("*.tar")):
        found.setdefault("shards", []).append(sha256(one.read_bytes()))
    for one in sorted((path / "embeddings").rglob("*.npy")):
        found.setdefault(one.name, []).append(sha256(one.read_bytes()))
    return {name: sorted(hashes) for name, hashes in found.items()}


def judged(pool: Any) -> list[int]:
    """Return the rows that somebody has looked at and kept."""
    names = ("vouched", "released")  # the word for such negatives may change
    (found,) = [getattr(pool, name) for name in names if hasattr(pool, name)]
    return [int(row) for row in found()]


def added(told: Outcome) -> dict[str, Any]:
    """Return the counts that ``pool build`` or ``pool add`` prints, with its exit code."""
    kept = ("images", "near_duplicates", "duplicates", "there", "n_unreadable", "n_skipped")
    found = json.loads(told.out)
    sources = [{key: one[key] for key in kept if key in one} for one in found["sources"]]
    return {"code": told.code, "images": found["images"], "sources": sources}
