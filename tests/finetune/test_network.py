"""The network in torch against the one in ONNX Runtime, as it came and tuned."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup.backbones import OnnxBackbone, get_backbone  # noqa: E402
from outgroup.backbones.efficientnet_lite0 import golden_image, load_weights  # noqa: E402
from outgroup.finetune.foreign import ModuleNetwork  # noqa: E402
from outgroup.finetune.network import Lite0  # noqa: E402
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


def test_tuned_weights_come_out_as_onnx(network: Lite0, images: np.ndarray) -> None:
    before = by_torch(network, images)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=generator))
    after = by_torch(network, images)
    assert np.abs(after["last"] - before["last"]).max() > 0.01
    assert_equal(by_onnx(network.to_onnx(), images), after)


@pytest.mark.parametrize("unfreeze", ["last", "half"])
def test_the_trunk_and_the_rest_are_the_whole(
    unfreeze: str, network: Lite0, images: np.ndarray
) -> None:
    start = network.first_step(unfreeze)
    graph = network.trunk(start)
    assert graph is not None
    flat = by_onnx(graph, images)["activations"]
    activations = torch.from_numpy(flat.reshape(len(images), *network.activation_shape(start)))
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


def test_training_leaves_the_statistics_of_batches_alone(
    network: Lite0, images: np.ndarray
) -> None:
    before = {name: value.clone() for name, value in network.named_buffers()}
    network.train()
    network(network.normalised(torch.from_numpy(images)))
    for name, value in network.named_buffers():
        assert torch.equal(value, before[name]), name


def module_of_ones_own() -> torch.nn.Module:
    """Two convolutions, and a normalisation at the end."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, stride=2), torch.nn.ReLU()),
        torch.nn.Conv2d(6, 8, 3),
        torch.nn.BatchNorm2d(8),
    )


@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (120.0, 115.0, 100.0)])
def test_a_module_of_ones_own_comes_out_as_onnx(mean: tuple[float, ...]) -> None:
    preprocessing = Preprocessing(resize=16, crop=16, mean=mean, std=(58.0, 57.0, 57.5))
    network = ModuleNetwork(module_of_ones_own(), preprocessing).eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    graph = network.to_onnx()
    backbone = OnnxBackbone(
        lambda: graph, name="n", digest="", preprocessing=preprocessing, licence="", source=""
    )
    assert_equal(backbone.run(images), by_torch(network, images))


@pytest.mark.parametrize(("unfreeze", "n"), [("last", 2), ("half", 2), ("all", 3)])
def test_part_of_a_module_of_ones_own_is_unfrozen(unfreeze: str, n: int) -> None:
    network = ModuleNetwork(module_of_ones_own(), Preprocessing(resize=16, crop=16))
    network.requires_grad_(False)
    network.unfreeze(network.first_step(unfreeze))
    steps = network.steps()
    assert [any(p.requires_grad for p in part[0].parameters()) for part in steps] == [
        *[False] * (3 - n),
        *[True] * n,
    ]
