from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def stored(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def members(data: bytes | Path) -> dict[str, bytes]:
    with zipfile.ZipFile(data if isinstance(data, Path) else io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.fixture(scope="session")
def parts(model_file: Path) -> dict[str, bytes]:
    """The members of a good model file."""
    return members(model_file)


@pytest.fixture(scope="session")
def arrays(parts: dict[str, bytes]) -> dict[str, bytes]:
    """The arrays of a good model file, as .npy by name."""
    return {name[: -len(".npy")]: data for name, data in members(parts["arrays.npz"]).items()}


@pytest.fixture
def forge(tmp_path: Path, parts: dict[str, bytes], arrays: dict[str, bytes]) -> Callable[..., Path]:
    """Write a model file that is a sound zip archive, with parts of it replaced."""

    def write(
        *,
        manifest: Any = None,
        array: dict[str, bytes | np.ndarray | None] | None = None,
        part: dict[str, bytes | None] | None = None,
    ) -> Path:
        made: dict[str, bytes | None] = dict(parts)
        if manifest is not None:
            text = manifest if isinstance(manifest, str) else json.dumps(manifest)
            made["manifest.json"] = text.encode()
        if array is not None:
            named: dict[str, bytes | np.ndarray | None] = {**arrays, **array}
            made["arrays.npz"] = stored(
                {
                    f"{name}.npy": npy(values) if isinstance(values, np.ndarray) else values
                    for name, values in named.items()
                    if values is not None
                }
            )
        made.update(part or {})
        path = tmp_path / "forged.outgroup"
        path.write_bytes(stored({n: data for n, data in made.items() if data is not None}))
        return path

    return write


@pytest.fixture
def manifest(parts: dict[str, bytes]) -> dict[str, Any]:
    """The manifest of a good model file; a test may change it."""
    return dict(json.loads(parts["manifest.json"]))


@pytest.fixture
def zipped() -> Callable[..., bytes]:
    return stored


@pytest.fixture
def as_npy() -> Callable[[np.ndarray], bytes]:
    return npy
