"""Model files: writing them whole or not at all, and opening files that anybody may have written.

A ``.outgroup`` file is a zip archive, nothing in it compressed::

    manifest.json    everything that is not an array; "format" and "format_version" come first
    arrays.npz       arrays by dotted name, such as "strategies.0.head.coef"; no pickled objects
    backbone.onnx    the network, for backbones that are not installed with outgroup
    network.onnx     instead of a backbone, the networks of a model with several inputs

The same model gives the same bytes: there are no dates in it. No code comes out of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup._features import Features
from outgroup._files import write_whole
from outgroup.artifact.codec import TrainingInfo, finite_number, flatten_model, restore_model
from outgroup.artifact.container import (
    check_manifest,
    error_context,
    npz,
    read_npz,
    read_zip,
    zipped,
)
from outgroup.backbones import BACKBONES, Backbone, OnnxBackbone, get_backbone
from outgroup.errors import ModelFileError
from outgroup.images import Preprocessing
from outgroup.model import Model

if TYPE_CHECKING:  # slow to import, and models of images do without
    from outgroup.multi_input.row_encoder import RowEncoder

ARRAYS, MANIFEST = "arrays.npz", "manifest.json"
BACKBONE, NETWORK = "backbone.onnx", "network.onnx"

#: The array with the golden image, for a backbone.
GOLDEN = "golden.image"

#: Format of the files. There is one version: 0.1.0 is unreleased.
FORMAT, FORMAT_VERSION = "outgroup-model", 1

#: Largest share of its own size by which the golden output may differ; another CPU rounds
#: differently, another network is far outside.
GOLDEN_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ModelContents:
    """A model that can be saved: its encoder, what was learned on it, and from what."""

    encoder: Backbone | RowEncoder
    model: Model
    training: TrainingInfo

    @property
    def backbone(self) -> Backbone:
        """The encoder of a model of images; a `ModelFileError` if the model has several inputs."""
        if isinstance(self.encoder, Backbone):
            return self.encoder
        raise ModelFileError("The model has several inputs. Open it with outgroup.load.")

    def without_paths(self) -> ModelContents:
        """Return the same without the paths of training images."""
        if self.model.reasons is None:
            return self
        reasons = self.model.reasons
        paths = (None,) * len(reasons.references.paths)
        reasons = replace(reasons, references=replace(reasons.references, paths=paths))
        return replace(self, model=replace(self.model, reasons=reasons))


def save_model(contents: ModelContents, path: str | os.PathLike[str]) -> Path:
    """Write a model to one file, whole or not at all, and return its path."""
    path = Path(path)
    described, arrays = flatten_model(contents.model)
    encoder, own, network = _flatten_encoder(contents.encoder)
    arrays.update(own)
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **described,
        **encoder,
        "sha256": None if network is None else hashlib.sha256(network).hexdigest(),
        "training": contents.training.to_dict(),
        "golden": golden_output(contents, arrays.get(GOLDEN)),
    }
    parts = {
        MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(),
        ARRAYS: npz(arrays),
    }
    if network is not None:
        parts[BACKBONE if isinstance(contents.encoder, Backbone) else NETWORK] = network
    write_whole(path, zipped(parts))
    return path


def load_model(path: str | os.PathLike[str]) -> ModelContents:
    """Open a model file and check that it still computes what it did, or raise `ModelFileError`."""
    path = Path(path)
    with error_context(path):
        return _load(path)


def _load(path: Path) -> ModelContents:
    parts = read_zip(path, (MANIFEST, ARRAYS, BACKBONE, NETWORK), MANIFEST)
    manifest = check_manifest(json.loads(parts[MANIFEST]), FORMAT, FORMAT_VERSION)
    arrays, name = read_npz(parts[ARRAYS]), NETWORK if "inputs" in manifest else BACKBONE
    network = parts.get(name)
    if network is not None and hashlib.sha256(network).hexdigest() != manifest["sha256"]:
        raise ModelFileError(f"is damaged: {name} is not what the manifest says.")
    encoder = _restore_encoder(manifest, arrays, network)
    size = encoder.layers["last"] if isinstance(encoder, Backbone) else encoder.width
    model = restore_model(manifest, arrays, size)
    contents = ModelContents(encoder, model, TrainingInfo.from_dict(manifest["training"]))
    image = arrays[GOLDEN] if isinstance(encoder, Backbone) else None
    with np.errstate(all="ignore"):  # damaged numbers are found by the comparison
        compare_golden(manifest["golden"], golden_output(contents, image))
    return contents


def golden_image(size: int) -> NDArray[np.uint8]:
    """Return the picture of the golden pair, (size, size, 3): smooth ramps, stripes and a disc."""
    y, x = np.mgrid[0:size, 0:size] * (256.0 / size)
    disc = np.hypot(x - 128, y - 96) < 60
    channels = [(x + y) / 2, np.where(disc, 220, y), 128 + 100 * np.sin(x / 9)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def golden_output(
    contents: ModelContents, image: NDArray[np.uint8] | None
) -> dict[str, list[float]]:
    """Return the scores that the model gives its golden example, an image or a row."""
    model = replace(contents.model, reasons=None)  # these have no influence on scores
    if isinstance(contents.encoder, Backbone):
        assert image is not None
        layers: Features = contents.encoder.run(image[np.newaxis])
    else:
        from outgroup.artifact.row_encoder_codec import golden_cells

        layers = contents.encoder.encode(golden_cells(contents.encoder.cell_encoder)).layers
    answer = model.predict(layers)
    return {
        "other_scores": answer.other_scores[0].tolist(),
        "class_scores": answer.class_scores[0].tolist(),
    }


def compare_golden(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a model whose scores for its golden example differ from those in its file."""
    for name in ("other_scores", "class_scores"):
        then = [finite_number(value, f"golden {name}") for value in expected[name]]
        same_size = len(then) == len(found[name])
        if not same_size or not np.allclose(found[name], then, GOLDEN_TOLERANCE, GOLDEN_TOLERANCE):
            raise ModelFileError(
                f"does not compute what it did when it was saved ({name} of its golden example). "
                "Its arrays are damaged, or the network runs differently on this machine."
            )


def _flatten_encoder(
    encoder: Backbone | RowEncoder,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]], bytes | None]:
    """Return what an encoder adds to the manifest, its arrays, and its network to be stored."""
    if isinstance(encoder, Backbone):
        described = {
            "backbone": {
                "name": _portable_name(encoder.name),
                "digest": encoder.digest,
                "layers": dict(encoder.layers),
                "licence": encoder.licence,
                "source": encoder.source,
            },
            "preprocessing": encoder.preprocessing.to_dict(),
        }
        image = golden_image(encoder.preprocessing.crop)
        network = None if encoder.name in BACKBONES else encoder.model_bytes()
        return described, {GOLDEN: image}, network
    from outgroup.artifact.row_encoder_codec import flatten_encoder

    found, arrays = flatten_encoder(encoder)
    return {"inputs": found}, arrays, encoder.networks.model


def _restore_encoder(
    manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], network: bytes | None
) -> Backbone | RowEncoder:
    if "inputs" in manifest:
        from outgroup.artifact.row_encoder_codec import restore_encoder

        if network is None:
            raise ModelFileError(f"is damaged: there is no {NETWORK} in it.")
        return restore_encoder(manifest["inputs"], arrays, network)
    described = manifest["backbone"]
    if network is None:
        return _installed_backbone(described["name"], described["digest"])
    if not all(isinstance(described[key], str) for key in ("name", "digest", "licence", "source")):
        raise ValueError("the backbone is not described by texts")
    backbone = OnnxBackbone(
        lambda: network,
        name=described["name"],
        digest=described["digest"],
        preprocessing=Preprocessing.from_dict(manifest["preprocessing"]),
        licence=described["licence"],
        source=described["source"],
    )
    if backbone.layers != described["layers"]:  # they decide how much memory predicting takes
        raise ModelFileError(
            f"is damaged: its network has the layers {backbone.layers}, not {described['layers']}."
        )
    return backbone


def _installed_backbone(name: str, digest: str) -> Backbone:
    if name not in BACKBONES:  # a foreign file must not name a download or a path
        raise ModelFileError(f"has no {BACKBONE} in it, which the backbone {name!r} needs.")
    backbone = get_backbone(name)
    if backbone.digest != digest:
        raise ModelFileError(
            f"was trained on another version of the backbone {name!r} than is installed. Install "
            "the outgroup it was trained with, or train it again."
        )
    return backbone


def _portable_name(name: str) -> str:
    """Return the name of a backbone without a path of this machine, which is private."""
    kind, _, argument = name.partition(":")
    if os.path.exists(argument):
        argument = os.path.basename(os.path.abspath(argument))
    return f"{kind}:{argument}" if argument else kind
