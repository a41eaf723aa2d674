"""Networks in torch against their graphs in ONNX Runtime, before and after tuning."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup.backbones import OnnxBackbone, get_backbone  # noqa: E402
from outgroup.backbones.efficientnet_lite0 import golden_image, load_weights  # noqa: E402
from outgroup.errors import BackboneError  # noqa: E402
from outgroup.finetune.tunable_network import (  # noqa: E402
    Lite0,
    ModuleNetwork,
    network_from_timm,
    timm_preprocessing,
)
from outgroup.images import Preprocessing  # noqa: E402


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 256, (1, 7, 7, 3)), np.ones((1, 32, 32, 1)))
    noise = rng.integers(0, 256, (1, 224, 224, 3))
    return np.concatenate([golden_image(), coarse.astype(np.uint8), noise.astype(np.uint8)])


@pytest.fixture
def network() -> Lite0:
    return Lite0(load_weights()).eval()


def by_onnx(graph: bytes, images: np.ndarray) -> dict[str, np.ndarray]:
    backbone = OnnxBackbone(
        lambda: graph,
        name="network",
        digest="",
        preprocessing=get_backbone("efficientnet-lite0").preprocessing,
        licence="",
        source="",
    )
    return backbone.run(images)


def by_torch(network: Lite0, images: np.ndarray) -> dict[str, np.ndarray]:
    with torch.no_grad():
        layers = network(network.normalised(torch.from_numpy(images)))
    return {name: values.numpy() for name, values in layers.items()}


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Equal within 1e-4 of the size of a layer."""
    assert found.keys() == expected.keys()
    for layer, values in expected.items():
        assert np.abs(found[layer] - values).max() <= 1e-4 * np.abs(values).max(), layer


def test_all_layers_are_those_of_the_installed_backbone(network: Lite0, images: np.ndarray) -> None:
    assert_equal(by_torch(network, images), get_backbone("efficientnet-lite0").run(images))


def test_tuned_weights_are_exported(network: Lite0, images: np.ndarray) -> None:
    before = by_torch(network, images)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=generator))
    after = by_torch(network, images)
    assert np.abs(after["last"] - before["last"]).max() > 0.01
    assert_equal(by_onnx(network.to_onnx(), images), after)


@pytest.mark.parametrize("unfreeze", ["last", "half"])
def test_the_trunk_and_the_other_steps_give_what_the_network_gives(
    unfreeze: str, network: Lite0, images: np.ndarray
) -> None:
    start = network.first_step(unfreeze)
    trunk = network.trunk(start)
    assert trunk is not None
    graph, shape = trunk
    flat = by_onnx(graph, images)["activations"]
    activations = torch.from_numpy(flat.reshape(len(images), *shape))
    with torch.no_grad():
        found = {name: values.numpy() for name, values in network(activations, start).items()}
    assert_equal(found, by_torch(network, images))


@pytest.mark.parametrize(("unfreeze", "first"), [("last", 16), ("half", 9), ("all", 0)])
def test_gradients_reach_what_is_unfrozen_and_nothing_else(
    unfreeze: str, first: int, network: Lite0, images: np.ndarray
) -> None:
    assert network.first_step(unfreeze) == first
    network.unfreeze(first)
    network(network.normalised(torch.from_numpy(images[:1])))["last"].pow(2).sum().backward()
    for number, modules in enumerate(network.steps()):
        for module in modules:
            for parameter in module.parameters():
                touched = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                assert touched == (number >= first), number
    assert network._fc.weight.grad is None


def test_training_does_not_update_batch_statistics(network: Lite0, images: np.ndarray) -> None:
    before = {name: value.clone() for name, value in network.named_buffers()}
    network.train()
    network(network.normalised(torch.from_numpy(images)))
    for name, value in network.named_buffers():
        assert torch.equal(value, before[name]), name


def own_module() -> torch.nn.Module:
    """Two convolutions, and a normalisation at the end."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, stride=2), torch.nn.ReLU()),
        torch.nn.Conv2d(6, 8, 3),
        torch.nn.BatchNorm2d(8),
    )


@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (120.0, 115.0, 100.0)])
def test_a_module_is_exported(mean: tuple[float, ...]) -> None:
    preprocessing = Preprocessing(resize=16, crop=16, mean=mean, std=(58.0, 57.0, 57.5))
    network = ModuleNetwork(own_module(), preprocessing).eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    graph = network.to_onnx()
    backbone = OnnxBackbone(
        lambda: graph, name="n", digest="", preprocessing=preprocessing, licence="", source=""
    )
    assert_equal(backbone.run(images), by_torch(network, images))


@pytest.mark.parametrize(("unfreeze", "n"), [("last", 2), ("half", 2), ("all", 3)])
def test_part_of_a_module_is_unfrozen(unfreeze: str, n: int) -> None:
    network = ModuleNetwork(own_module(), Preprocessing(resize=16, crop=16))
    network.requires_grad_(False)
    network.unfreeze(network.first_step(unfreeze))
    steps = network.steps()
    assert [any(p.requires_grad for p in part[0].parameters()) for part in steps] == [
        *[False] * (3 - n),
        *[True] * n,
    ]


def test_a_module_that_returns_no_vector_is_an_error() -> None:
    preprocessing = Preprocessing(resize=16, crop=16)
    with pytest.raises(BackboneError, match="one vector, or one map of features"):
        ModuleNetwork(torch.nn.Flatten(0), preprocessing)
    with pytest.raises(BackboneError, match="can't be run on an image of 16 pixels"):
        ModuleNetwork(torch.nn.Linear(3, 3000), preprocessing)


def test_without_timm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BackboneError, match="pip install timm"):
        network_from_timm("resnet18")


def test_a_timm_that_can_not_be_imported_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms is missing')")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BackboneError, match=r"can't be imported: operator torchvision::nms"):
        network_from_timm("resnet18")


def test_preprocessing_is_that_of_timm() -> None:
    config = {"input_size": (3, 224, 224), "crop_pct": 0.875, "interpolation": "bicubic"}
    found = timm_preprocessing({**config, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.4, 0.5)})
    assert (found.resize, found.crop, found.resample) == (256, 224, "bicubic")
    assert (found.mean, found.std) == ((127.5, 127.5, 127.5), (127.5, 102.0, 127.5))
