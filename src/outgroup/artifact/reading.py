"""Opening a model file that anybody may have written.

No code comes out of it: JSON, plain arrays and an ONNX graph. Nothing in it may be compressed, and
an array may not be larger than its part of the file, so memory is bounded by the size of the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from outgroup.artifact.contents import (
    ARRAYS,
    BACKBONE,
    FORMAT,
    GOLDEN_TOLERANCE,
    MANIFEST,
    ModelContents,
)
from outgroup.artifact.kinds import FORMAT_VERSION, kind_named
from outgroup.artifact.manifest import finite_number, training
from outgroup.artifact.writing import golden_output
from outgroup.backbones import BACKBONES, Backbone, OnnxBackbone, get_backbone
from outgroup.errors import ModelFileError, OutgroupError
from outgroup.images import Preprocessing

#: Above any model of this format; a file is read whole.
MAX_BYTES = 4 * 2**30


def load_model(path: str | os.PathLike[str]) -> ModelContents:
    """Open a model file and check that it still computes what it did.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    ModelContents

    Raises
    ------
    ModelFileError
        If there is no such file, or it is damaged, no model, of a newer format, or its golden
        output differs.
    """
    path = Path(path)
    try:
        return _load(path)
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


def _load(path: Path) -> ModelContents:
    parts = _read_zip(path)
    manifest = _check_manifest(json.loads(parts[MANIFEST]))
    contents, golden_image = _build(manifest, parts)
    with np.errstate(all="ignore"):  # damaged numbers are found by the comparison
        _compare_golden(manifest["golden"], golden_output(contents, golden_image))
    return contents


def _read_zip(path: Path) -> dict[str, bytes]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for a writer
        raise ModelFileError("is a folder or a device, no model file.")
    if status.st_size > MAX_BYTES:
        raise ModelFileError(f"has more than {MAX_BYTES:,} bytes, which no model has.")
    with zipfile.ZipFile(path) as archive:
        names = {info.filename for info in archive.infolist()}
        if MANIFEST not in names:  # cut off behind its arrays, a model file looks like this too
            raise ModelFileError(f"is damaged, or another zip archive: no {MANIFEST} in it.")
        _refuse_bombs(archive, status.st_size)
        return {name: archive.read(name) for name in (MANIFEST, ARRAYS, BACKBONE) if name in names}


def _check_manifest(manifest: Any) -> dict[str, Any]:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError("is no outgroup model: its manifest names another format.")
    version = manifest["format_version"]
    if type(version) is not int or version < 1:
        raise ModelFileError(f"is damaged: format_version is {version!r}.")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"was written by a newer outgroup (format {version}; this one reads up to "
            f"{FORMAT_VERSION}). Upgrade: pip install --upgrade outgroup"
        )
    return manifest


def _build(
    manifest: Mapping[str, Any], parts: Mapping[str, bytes]
) -> tuple[ModelContents, NDArray[np.uint8]]:
    arrays = _read_npz(parts[ARRAYS])
    backbone = _build_backbone(manifest, parts.get(BACKBONE))
    model = kind_named(manifest).build(manifest, arrays, backbone.layers["last"])
    return ModelContents(backbone, model, training(manifest["training"])), arrays["golden.image"]


def _build_backbone(manifest: Mapping[str, Any], embedded: bytes | None) -> Backbone:
    described = manifest["backbone"]
    if embedded is None:
        if described["name"] not in BACKBONES:  # "hf:..." would go to the network, "onnx:..." to
            raise ModelFileError(  # any file of this machine, because a foreign file says so
                f"has no {BACKBONE} in it, which the backbone {described['name']!r} needs."
            )
        backbone = get_backbone(described["name"])
        if backbone.digest != described["digest"]:
            raise ModelFileError(
                f"was trained on another version of the backbone {described['name']!r} than is "
                "installed. Install the outgroup it was trained with, or train it again."
            )
        return backbone
    if hashlib.sha256(embedded).hexdigest() != described["sha256"]:
        raise ModelFileError(f"is damaged: {BACKBONE} is not what the manifest says.")
    if not all(isinstance(described[key], str) for key in ("name", "digest", "licence", "source")):
        raise ValueError("the backbone is not described by texts")
    network = OnnxBackbone(
        lambda: embedded,
        name=described["name"],
        digest=described["digest"],
        preprocessing=Preprocessing.from_dict(manifest["preprocessing"]),
        licence=described["licence"],
        source=described["source"],
    )
    if network.layers != described["layers"]:  # they decide how much memory predicting takes
        raise ModelFileError(
            f"is damaged: its network has the layers {network.layers}, not {described['layers']}."
        )
    return network


def _read_npz(data: bytes) -> dict[str, NDArray[Any]]:
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
    """Refuse members that are compressed, or that share bytes and so add up to more than is there.

    Raises
    ------
    ModelFileError
        If there is one.
    """
    total = 0
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ModelFileError(f"is no outgroup model: {info.filename} in it is compressed.")
        total += info.file_size
    if total > size:
        raise ModelFileError("is no outgroup model: its parts overlap.")


def _compare_golden(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    then = finite_number(expected["other_score"], "golden other_score")
    same = _close([then], [found["other_score"]])
    if not (same and _close(expected["class_scores"], found["class_scores"])):
        raise ModelFileError(
            f"does not compute what it did when it was saved (other-score "
            f"{found['other_score']:.6g} of its golden image, {then:.6g} then). "
            "Its arrays are damaged, or the network runs differently on this machine."
        )


def _close(expected: list[float], found: list[float]) -> bool:
    return len(expected) == len(found) and bool(
        np.allclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)
    )
