"""What benchmarks of the command line share: the machine in words, pictures, a model."""

from __future__ import annotations

import os
import platform
import sysconfig
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from outgroup import ImageClassifier, __version__
from outgroup.data import from_arrays

PROGRAM = Path(sysconfig.get_path("scripts")) / "outgroup"
PACKAGES = ("numpy", "scipy", "pillow", "onnxruntime")


def versions() -> dict[str, str]:
    """Return what the figures depend on beside the code."""
    packages = {name: version(name) for name in PACKAGES}
    return {"outgroup": __version__, "python": platform.python_version(), **packages}


def machine() -> dict[str, object]:
    """Return the processor, the cores this process may use, and how busy they were."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "system": platform.system(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def picture(
    number: int, width: int = 320, height: int = 240, hue: int | None = None
) -> Image.Image:
    """Return a picture made from its number: a smooth field with some noise, like a photograph."""
    rng = np.random.default_rng(number)
    cells = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    if hue is not None:
        cells[..., hue] //= 4
    field = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(field, np.float32) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def train(folder: Path) -> Path:
    """Train on 3 x 60 pictures of different hues, save the model in `folder`, return its path."""
    images = [picture(1000 * hue + i, hue=hue) for hue in range(3) for i in range(60)]
    labels = [name for name in ("cyan", "magenta", "yellow") for _ in range(60)]
    classifier = ImageClassifier(progress=False).fit(from_arrays(images, labels))
    return classifier.save(folder / "model.outgroup")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()
