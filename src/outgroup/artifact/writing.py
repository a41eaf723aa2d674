"""Writing a model file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.contents import (
    ARRAYS,
    BACKBONE,
    FORMAT,
    MANIFEST,
    ModelContents,
    golden_image,
)
from outgroup.artifact.kinds import kind_of
from outgroup.backbones import BACKBONES, Backbone
from outgroup.model import OpenSetModel


def save_model(contents: ModelContents, path: str | os.PathLike[str]) -> Path:
    """Write a model to one file, whole or not at all.

    Parameters
    ----------
    contents : ModelContents
        What to save.
    path : str or os.PathLike
        The file; ".outgroup" is the usual ending. An existing one is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        If it can't be written there.
    """
    path = Path(path)
    model, backbone = contents.model, contents.backbone
    image = golden_image(backbone.preprocessing.crop)
    kind = kind_of(model)
    described, arrays = kind.flatten(model)
    arrays["golden.image"] = image

    embedded = None if backbone.name in BACKBONES else backbone.model_bytes()
    manifest = {
        "format": FORMAT,
        "format_version": kind.version,
        **described,
        "backbone": _describe(backbone, embedded),
        "preprocessing": backbone.preprocessing.to_dict(),
        "training": contents.training.to_dict(),
        "golden": golden_output(contents, image),
    }
    parts = {
        MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(),
        ARRAYS: _npz(arrays),
    }
    if embedded is not None:
        parts[BACKBONE] = embedded
    _write_whole(path, _zip(parts))
    return path


def golden_output(contents: ModelContents, image: NDArray[np.uint8]) -> dict[str, Any]:
    """Return what the model says of the golden picture, by the road that every image takes."""
    model = contents.model
    if isinstance(model, OpenSetModel):
        model = replace(model, reasons=None)  # they don't take part in an answer's numbers
    answer = model.predict(contents.backbone.run(image[np.newaxis]))
    return {
        "other_score": float(answer.other_score[0]),
        "class_scores": kind_of(model).golden(answer),
    }


def _describe(backbone: Backbone, embedded: bytes | None) -> dict[str, Any]:
    kind, _, argument = backbone.name.partition(":")
    if os.path.exists(argument):  # a path of this machine says nothing on another, and is private
        argument = os.path.basename(os.path.abspath(argument))
    return {
        "name": f"{kind}:{argument}" if argument else kind,
        "digest": backbone.digest,
        "layers": dict(backbone.layers),
        "licence": backbone.licence,
        "source": backbone.source,
        "sha256": None if embedded is None else hashlib.sha256(embedded).hexdigest(),
    }


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    parts = {}
    for name, values in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        parts[f"{name}.npy"] = buffer.getvalue()
    return _zip(parts)


def _zip(parts: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # a ZipInfo of its own bears no date
    return buffer.getvalue()


def _write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name beside `path` and rename, so that no half file is ever there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private; a model is no secret
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
