"""EfficientNet-Lite0's weights as an ONNX graph that takes pixels as they are.

BatchNorm is folded into the convolutions in float64 and rounded once. Normalisation is part of the
graph, as nodes of its own: folded into the first convolution it would be wrong at the borders,
where that convolution pads with zeros *after* normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from outgroup.backbones import lite0_stages as lite0

BUILDER_VERSION = 1
"""To be raised whenever `build_graph` gives another graph for the same weights."""

# ONNX Runtime 1.18, the oldest one supported, reads both.
_OPSET = 17
_IR_VERSION = 8


def fold_batch_norm(
    weight: np.ndarray, norm: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of the convolution that equals convolution, then BatchNorm.

    Parameters
    ----------
    weight : ndarray of shape (out, in, k, k)
    norm : mapping
        "weight", "bias", "running_mean" and "running_var", each of shape (out,).

    Returns
    -------
    weight : ndarray of float32, shape (out, in, k, k)
    bias : ndarray of float32, shape (out,)
    """
    gamma, beta, mean, variance = (
        norm[key].astype(np.float64) for key in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + lite0.BATCH_NORM_EPSILON)
    folded = weight.astype(np.float64) * scale[:, None, None, None]
    return folded.astype(np.float32), (beta - mean * scale).astype(np.float32)


class _GraphWriter:
    """Collects nodes and weights; the methods are the network's few kinds of layers."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        from onnx import helper, numpy_helper

        self._weights = weights
        self._make_node = helper.make_node
        self._from_array = numpy_helper.from_array
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def constant(self, name: str, value: np.ndarray | float) -> str:
        self.initializers.append(self._from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self._make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(
        self, x: str, name: str, norm: str, *, size: int, stride: int = 1, depthwise: bool = False
    ) -> str:
        """Convolution with "same" padding on a square of `size` pixels, and its BatchNorm."""
        parts = ("weight", "bias", "running_mean", "running_var")
        weight, bias = fold_batch_norm(
            self._weights[f"{name}.weight"],
            {part: self._weights[f"{norm}.{part}"] for part in parts},
        )
        before, after = lite0.same_padding(size, weight.shape[-1], stride)
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.node(
            "Conv",
            inputs,
            name,
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if depthwise else 1,
        )

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, "zero", "six"], f"{x}.relu6")

    def block(self, x: str, block: lite0.Block, size: int) -> str:
        """One inverted-residual block on a square of `size` pixels."""
        prefix, shortcut = f"_blocks.{block.index}", x
        if block.expansion != 1:
            x = self.convolution(x, f"{prefix}._expand_conv", f"{prefix}._bn0", size=size)
            x = self.relu6(x)
        x = self.convolution(
            x,
            f"{prefix}._depthwise_conv",
            f"{prefix}._bn1",
            size=size,
            stride=block.stride,
            depthwise=True,
        )
        x = self.relu6(x)
        x = self.convolution(
            x, f"{prefix}._project_conv", f"{prefix}._bn2", size=size // block.stride
        )
        return self.node("Add", [x, shortcut], f"{prefix}.sum") if block.has_residual else x

    def trunk(self, n_blocks: int) -> tuple[str, int]:
        """Normalisation, the first convolution and blocks; returns the size of the square too."""
        from onnx import TensorProto

        self.constant("zero", 0.0)
        self.constant("six", 6.0)
        self.constant("mean", lite0.MEAN)
        self.constant("std", lite0.STD)

        size = lite0.IMAGE_SIZE
        x = self.node("Transpose", ["images"], "channels_first", perm=[0, 3, 1, 2])
        x = self.node("Cast", [x], "as_float", to=TensorProto.FLOAT)
        x = self.node("Sub", [x, "mean"], "centred")
        x = self.node("Div", [x, "std"], "normalised")
        x = self.relu6(self.convolution(x, "_conv_stem", "_bn0", size=size, stride=2))
        size //= 2
        for block in islice(lite0.blocks(), n_blocks):
            x = self.block(x, block, size)
            size //= block.stride
        return x, size

    def pooled(self, x: str, output: str) -> str:
        return self.node("Flatten", [self.node("GlobalAveragePool", [x], f"{x}.pool")], output)

    def serialised(self, outputs: Mapping[str, int]) -> bytes:
        """Write the model with these outputs, a row of so many numbers an image."""
        from onnx import TensorProto, helper

        shape = ["n", lite0.IMAGE_SIZE, lite0.IMAGE_SIZE, 3]
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                "efficientnet-lite0",
                [helper.make_tensor_value_info("images", TensorProto.UINT8, shape)],
                [
                    helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", dim])
                    for name, dim in outputs.items()
                ],
                self.initializers,
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="outgroup",
        )
        return bytes(model.SerializeToString())


def build_graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """Return the network as a serialised ONNX model.

    Parameters
    ----------
    weights : mapping of str to ndarray
        The checkpoint's tensors by name, as `read_checkpoint` returns them.

    Returns
    -------
    bytes
        A model with the input "images", uint8 (n, 224, 224, 3), RGB, and the float32 outputs
        "last" (n, 1280), "second_last" (n, 320) and "logits" (n, 1000).
    """
    graph = _GraphWriter(weights)
    x, size = graph.trunk(len(list(lite0.blocks())))
    graph.pooled(x, "second_last")
    x = graph.relu6(graph.convolution(x, "_conv_head", "_bn1", size=size))
    x = graph.pooled(x, "last")
    fc = [graph.constant(name, weights[name]) for name in ("_fc.weight", "_fc.bias")]
    graph.node("Gemm", [x, *fc], "logits", transB=1)
    return graph.serialised(lite0.LAYERS)


def build_trunk(weights: Mapping[str, np.ndarray], n_blocks: int) -> bytes:
    """Return the network's first layers as a serialised ONNX model.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As for `build_graph`.
    n_blocks : int
        Blocks behind the first convolution, from 0.

    Returns
    -------
    bytes
        A model with the input of `build_graph`, and the float32 output "activations": those behind
        the last of these blocks as one row an image, channels first.
    """
    graph = _GraphWriter(weights)
    x, size = graph.trunk(n_blocks)
    graph.node("Flatten", [x], "activations")
    return graph.serialised({"activations": lite0.channels_behind(n_blocks) * size**2})
