"""A backbone that takes no time, and what the tests of the pool put into one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from outgroup.backbones import Backbone
from outgroup.images import Preprocessing
from outgroup.pool import Incoming

TILES = 4


class QuickNetwork(Backbone):
    """Mean colours of 16 tiles, less the mean of all: pictures of other shapes are far apart."""

    name = "quick"
    licence = "none"
    source = "tests"

    def __init__(self, digest: str = "quick", resize: int = 32) -> None:
        self.digest = digest
        self.preprocessing = Preprocessing(resize=resize, crop=32)
        self.layers = {"last": 3 * TILES**2, "logits": 2}
        self.images = 0

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.images += len(images)
        side = 32 // TILES
        tiles = images.reshape(len(images), TILES, side, TILES, side, 3).mean((2, 4))
        flat = tiles.reshape(len(images), -1)
        last = (flat - flat.mean(1, keepdims=True)).astype(np.float32)
        return {"last": last, "logits": flat[:, :2].astype(np.float32)}

    def model_bytes(self) -> bytes:
        return b""


def picture(number: int, width: int = 64, height: int = 48) -> Image.Image:
    """A picture of coloured patches; another number, other patches."""
    patches = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def mixed_bag(folder: Path, n: int) -> None:
    """Write `n` files: pictures, copies of them, near copies, blank frames, and no images."""
    folder.mkdir(parents=True)
    for i in range(n):
        path = folder / f"{i:04d}.png"
        if i % 10 == 7:
            path.write_bytes((folder / f"{i - 5:04d}.png").read_bytes())
        elif i % 10 == 8:
            picture(i - 5).resize((50, 38), Image.Resampling.BICUBIC).save(path)
        elif i % 10 == 9:
            path.write_bytes(b"no image" + bytes([i % 256]))
        elif i % 20 == 5:
            Image.new("RGB", (20 + i % 30, 20), (i % 256, 9, 9)).save(path)
        else:
            picture(i).save(path)


def incoming(folder: Path) -> Iterator[Incoming]:
    """Give the files of `mixed_bag`: from two sources, some as bytes, some in groups."""
    for i, path in enumerate(sorted(folder.iterdir())):
        image = path if i % 3 else path.read_bytes()
        group = f"clip {i // 20}" if i % 4 == 0 else None
        yield Incoming(image, f"source {i % 2}", f"{folder.name}/{path.name}", group)
