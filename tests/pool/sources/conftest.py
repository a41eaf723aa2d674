from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Archive = Callable[[str, Mapping[str, bytes]], Path]


def encoded(number: int, side: int = 8) -> bytes:
    """A PNG file that no other number has."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def make_tar(tmp_path: Path) -> Archive:
    """Write a tar archive; how it is compressed follows from its name."""

    def make(name: str, files: Mapping[str, bytes], format: int = tarfile.GNU_FORMAT) -> Path:
        path = tmp_path / name
        mode = {"gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}
        with tarfile.open(path, mode.get(name.rpartition(".")[2], "w"), format=format) as archive:
            for member, data in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return make
