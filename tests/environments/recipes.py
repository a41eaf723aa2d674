"""What the recipes for training loops of others have in common."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
import subprocess
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
COLOURS = {"cat": (220, 30, 30), "dog": (30, 220, 30), "giraffe": (30, 30, 220)}
NONE_OF_THEM = (40, 40, 40)


def make_environment(folder: Path, packages: Mapping[str, str]) -> Path:
    """Return the Python of an environment that has these versions, made if there is none."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    exact = [f"{name}=={version}" for name, version in packages.items()]
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *exact, "--editable", f"{ROOT}[torch]"], check=True)
    return python


def in_own_environment(script: str, description: str | None, packages: Mapping[str, str]) -> bool:
    """Run the script in the environment of ``--venv``, and return whether one was given."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--venv", type=Path, help="folder of the virtual environment")
    folder = parser.parse_args().venv
    if folder is not None:
        subprocess.run([make_environment(folder, packages), script], check=True)
    return folder is not None


def versions(packages: Iterable[str]) -> str:
    """Return what is installed, in a line."""
    there = [f"{name} {importlib.metadata.version(name)}" for name in (*packages, "outgroup")]
    return ", ".join([f"Python {platform.python_version()}", *there])


def code(document: str, *marks: str) -> str:
    """Return the blocks of a document that have these marks."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    found = [
        block
        for mark in marks
        for block in re.findall(rf"^```python {mark}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]
    assert len(found) == len(marks), f"{document} has no longer one block each of {marks}"
    return "\n".join(found)


def pictures(colour: tuple[int, int, int], n: int, seed: int, side: int) -> Any:
    """Return pictures of about one colour: uint8 (n, side, side, 3)."""
    noise = np.random.default_rng(seed).normal(0, 30, (n, side, side, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
