"""The images that are timed, of folders or made from a seed, and the plain way to decode them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def choose(folders: list[Path], count: int, seed: int = 0) -> list[str]:
    """Return `count` images of the folders, drawn and ordered by the seed."""
    paths = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in SUFFIXES)
    return [str(path) for path in random.Random(seed).sample(paths, min(count, len(paths)))]


def make(folder: Path, count: int, seed: int = 0) -> list[str]:
    """Write `count` JPEGs of 320 x 240 pixels: smooth fields with some noise, like photographs."""
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        field = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        pixels = np.asarray(field.resize((320, 240), Image.Resampling.BICUBIC), np.float32)
        pixels = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
        path = folder / f"{number:04d}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        paths.append(str(path))
    return paths


def decode(path: str) -> np.ndarray:
    """Shorter side 256, bicubic, centre 224, with the crop taken inside the resize."""
    image = Image.open(path).convert("RGB")
    side = min(image.size) * 224 / 256
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, box=box))
