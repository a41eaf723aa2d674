"""Writing a model file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.container import npz, write_whole, zipped
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
        ARRAYS: npz(arrays),
    }
    if embedded is not None:
        parts[BACKBONE] = embedded
    write_whole(path, zipped(parts))
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
