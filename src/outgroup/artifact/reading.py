"""Opening a model file that anybody may have written.

No code comes out of it: JSON, plain arrays and an ONNX graph. Nothing in it may be compressed, and
an array may not be larger than its part of the file, so memory is bounded by the size of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.container import check_manifest, read_npz, read_zip, told_of
from outgroup.artifact.contents import (
    ARRAYS,
    BACKBONE,
    GOLDEN_TOLERANCE,
    MANIFEST,
    ModelContents,
)
from outgroup.artifact.kinds import FORMAT_VERSION, kind_named
from outgroup.artifact.manifest import finite_number, training
from outgroup.artifact.writing import golden_output
from outgroup.backbones import BACKBONES, Backbone, OnnxBackbone, get_backbone
from outgroup.errors import ModelFileError
from outgroup.images import Preprocessing


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
    with told_of(path):
        return _load(path)


def _load(path: Path) -> ModelContents:
    parts = read_zip(path, (MANIFEST, ARRAYS, BACKBONE))
    manifest = check_manifest(json.loads(parts[MANIFEST]), FORMAT_VERSION)
    contents, golden_image = _build(manifest, parts)
    with np.errstate(all="ignore"):  # damaged numbers are found by the comparison
        compare_golden(manifest["golden"], golden_output(contents, golden_image))
    return contents


def _build(
    manifest: Mapping[str, Any], parts: Mapping[str, bytes]
) -> tuple[ModelContents, NDArray[np.uint8]]:
    kind = kind_named(manifest)
    arrays = read_npz(parts[ARRAYS])
    backbone = _build_backbone(manifest, parts.get(BACKBONE))
    model = kind.build(manifest, arrays, backbone.layers["last"])
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


def compare_golden(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a model whose answer for its golden example is not what it was.

    Raises
    ------
    ModelFileError
        If its other-score or its class scores differ.
    """
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
