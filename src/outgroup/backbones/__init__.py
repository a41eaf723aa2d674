"""Frozen networks that turn images into embeddings.

A backbone is named by a spec: ``efficientnet-lite0`` is installed with outgroup, ``onnx:PATH`` is
the user's own file, ``hf:OWNER/NAME`` an ONNX model on the Hugging Face hub. A new kind is one new
module here with one class registered in `BACKBONES`.
"""

from __future__ import annotations

from outgroup.backbones.base import BACKBONES, Backbone, BackboneFamily, cache_folder
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.errors import InvalidParameterError
from outgroup.images import Preprocessing

__all__ = [
    "BACKBONES",
    "Backbone",
    "BackboneFamily",
    "OnnxBackbone",
    "cache_folder",
    "get_backbone",
]


def get_backbone(
    spec: str, *, preprocessing: Preprocessing | None = None, output: str | None = None
) -> Backbone:
    """Return the backbone that a spec names.

    Parameters
    ----------
    spec : str
        "efficientnet-lite0", "onnx:PATH", "hf:OWNER/NAME" or "hf:OWNER/NAME@REVISION".
    preprocessing : Preprocessing, optional
        For a network of the user: how images are resized and normalised. By default it is read
        from the ``preprocessor_config.json`` beside the network.
    output : str, optional
        For a network of the user: the output that is the embedding, if the default is wrong.

    Raises
    ------
    InvalidParameterError
        If no kind of backbone has the name before the colon.
    BackboneError
        If the network is missing or can't be used.
    MissingExtraError
        If a hub model is asked for and ``huggingface_hub`` is not installed.

    Examples
    --------
    >>> backbone = get_backbone("efficientnet-lite0")
    >>> dict(backbone.layers)
    {'last': 1280, 'second_last': 320, 'logits': 1000}
    """
    if not isinstance(spec, str):
        raise InvalidParameterError(
            f"Invalid `backbone`: must be a spec such as 'efficientnet-lite0', got {spec!r}."
        )
    name, _, argument = spec.partition(":")
    return BACKBONES.get(name).load(argument, preprocessing=preprocessing, output=output)
