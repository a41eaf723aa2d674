"""The container of a model file: a zip archive with nothing compressed in it.

No code comes out of it: JSON, plain arrays and ONNX graphs. As nothing is compressed, and an array
may not be larger than its part of the file, memory is bounded by the size of the file.
"""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from outgroup.errors import ModelFileError, OutgroupError

#: Above any model of this format; a file is read whole.
MAX_BYTES = 4 * 2**30


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays by name as the bytes of an ``.npz`` file, nothing in it compressed or dated."""
    parts = {}
    for name, values in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        parts[f"{name}.npy"] = buffer.getvalue()
    return zipped(parts)


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """Return parts by name as the bytes of a zip archive, nothing in it compressed or dated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # a ZipInfo of its own bears no date
    return buffer.getvalue()


@contextmanager
def error_context(path: Path) -> Iterator[None]:
    """Turn any error about a model file into a `ModelFileError` that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise ModelFileError(f"{path}: can't be read ({error.strerror or error}).") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ModelFileError(
            f"{path}: is damaged, or no model file ({error}). Copy or train it again."
        ) from error
    except OutgroupError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except Exception as error:  # a foreign file can make nearly any of them, MemoryError included
        raise ModelFileError(
            f"{path}: is damaged: {type(error).__name__} {error}. Copy or train it again."
        ) from error


def check_manifest(manifest: Any, kind: str, version: int) -> dict[str, Any]:
    """Return a manifest of this format and version; any other is a `ModelFileError`."""
    if not isinstance(manifest, dict) or manifest.get("format") != kind:
        raise ModelFileError("is no outgroup model: its manifest names another format.")
    found = manifest["format_version"]
    if type(found) is not int or found < 1:
        raise ModelFileError(f"is damaged: format_version is {found!r}.")
    if found != version:
        raise ModelFileError(
            f"was written by another version of outgroup (format {found}; this one reads "
            f"{version}). Upgrade: pip install --upgrade outgroup, or train it again."
        )
    return manifest


def read_zip(path: Path, names: Sequence[str], manifest: str) -> dict[str, bytes]:
    """Return those of the named parts that a model file has; it must have its manifest."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for a writer
        raise ModelFileError("is a folder or a device, no model file.")
    if status.st_size > MAX_BYTES:
        raise ModelFileError(f"has more than {MAX_BYTES:,} bytes, which no model has.")
    with zipfile.ZipFile(path) as archive:
        there = {info.filename for info in archive.infolist()}
        if manifest not in there:  # cut off behind its arrays, a model file looks like this too
            raise ModelFileError(f"is damaged, or another zip archive: no {manifest} in it.")
        _refuse_bombs(archive, status.st_size)
        return {name: archive.read(name) for name in names if name in there}


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file; none may claim more than is there, or be an object."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _refuse_bombs(archive, len(data))
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            arrays[name] = _read_npy(archive.read(info), name)
    return arrays


def _read_npy(data: bytes, name: str) -> NDArray[Any]:
    """Read an array after checking that its header claims no more than there is."""
    file = io.BytesIO(data)
    if npy.read_magic(file) != (1, 0):
        raise ValueError(f"array {name!r} is of an unknown version")
    shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    if dtype.kind not in "fiub":
        raise ValueError(f"array {name!r} has the type {dtype}")
    values = np.frombuffer(data, dtype, offset=file.tell())
    return values.reshape(shape, order="F" if fortran_order else "C")


def _refuse_bombs(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse members that are compressed, or that overlap and so add up to more than there is."""
    total = 0
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ModelFileError(f"is no outgroup model: {info.filename} in it is compressed.")
        total += info.file_size
    if total > size:
        raise ModelFileError("is no outgroup model: its parts overlap.")
