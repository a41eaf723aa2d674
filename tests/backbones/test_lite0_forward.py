"""The bundled network against a plain float64 forward pass from the checkpoint as it is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outgroup.backbones import get_backbone
from outgroup.backbones.efficientnet_lite0 import golden_image, load_weights

Weights = dict[str, np.ndarray]

STRIDED_BLOCKS = {1, 3, 5, 11}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load_weights()


def convolve(x: np.ndarray, weight: np.ndarray, stride: int = 1) -> np.ndarray:
    """Convolve (channels, h, w) one kernel position at a time, padded as TensorFlow does."""
    weight = weight.astype(np.float64)
    size, kernel = x.shape[1], weight.shape[2]
    out = math.ceil(size / stride)
    total = max((out - 1) * stride + kernel - size, 0)
    before = total // 2
    x = np.pad(x, ((0, 0), (before, total - before), (before, total - before)))
    result = np.zeros((len(weight), out, out))
    for i in range(kernel):
        for j in range(kernel):
            seen = x[:, i : i + stride * out : stride, j : j + stride * out : stride]
            seen = seen[:, :out, :out]
            if weight.shape[1] == 1:  # depthwise
                result += seen * weight[:, 0, i, j][:, None, None]
            else:
                result += np.tensordot(weight[:, :, i, j], seen, axes=1)
    return result


def normalise(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    gamma, beta, mean, variance = (
        weights[f"{name}.{part}"].astype(np.float64)[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 0.001) * gamma + beta


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


def forward(image: np.ndarray, weights: Weights) -> dict[str, np.ndarray]:
    x = (image.transpose(2, 0, 1).astype(np.float64) - 127) / 128
    x = relu6(normalise(convolve(x, weights["_conv_stem.weight"], 2), weights, "_bn0"))
    for number in range(16):
        block, shortcut = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in weights:
            x = convolve(x, weights[f"{block}._expand_conv.weight"])
            x = relu6(normalise(x, weights, f"{block}._bn0"))
        stride = 2 if number in STRIDED_BLOCKS else 1
        x = convolve(x, weights[f"{block}._depthwise_conv.weight"], stride)
        x = relu6(normalise(x, weights, f"{block}._bn1"))
        x = convolve(x, weights[f"{block}._project_conv.weight"])
        x = normalise(x, weights, f"{block}._bn2")
        if x.shape == shortcut.shape:
            x = x + shortcut
    second_last = x.mean((1, 2))
    x = relu6(normalise(convolve(x, weights["_conv_head.weight"]), weights, "_bn1"))
    last = x.mean((1, 2))
    logits = weights["_fc.weight"].astype(np.float64) @ last + weights["_fc.bias"]
    return {"last": last, "second_last": second_last, "logits": logits}


@pytest.mark.parametrize("kind", ["golden", "noise"])
def test_graph_computes_what_the_checkpoint_says(kind: str, weights: Weights) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    image = golden_image() if kind == "golden" else noise
    found = get_backbone("efficientnet-lite0").run(image)
    for layer, expected in forward(image[0], weights).items():
        np.testing.assert_allclose(found[layer][0], expected, rtol=0, atol=1e-4)
