from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup.backbones import Backbone
from outgroup.images import Preprocessing


class CountingBackbone(Backbone):
    """A quick backbone that counts the images it was run on."""

    licence = "none"
    source = "tests"
    layers = {"last": 3, "logits": 2}  # noqa: RUF012

    def __init__(
        self, digest: str = "counting", preprocessing: Preprocessing | None = None
    ) -> None:
        self.name = self.digest = digest
        self.preprocessing = preprocessing or Preprocessing(resize=8, crop=8)
        self.images = 0
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        with self._lock:
            self.images += len(images)
        last = images.mean((1, 2), dtype=np.float64).astype(np.float32)
        return {"last": last, "logits": last[:, :2] * 2}

    def model_bytes(self) -> bytes:
        return b""


@pytest.fixture
def backbone() -> CountingBackbone:
    return CountingBackbone()


@pytest.fixture
def make_backbone() -> Callable[..., CountingBackbone]:
    return CountingBackbone


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Twenty pictures, each of its own colour."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = []
    for i in range(20):
        path = folder / f"{i:02d}.png"
        Image.new("RGB", (12, 10), (10 * i, i, 255 - i)).save(path)
        paths.append(path)
    return paths
