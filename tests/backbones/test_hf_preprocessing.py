from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from outgroup.backbones import get_backbone
from outgroup.errors import BackboneError
from outgroup.images import Preprocessing

HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.125]}


@pytest.fixture
def load(
    network: Callable[..., onnx.ModelProto], saved: Callable[..., Path]
) -> Callable[[dict[str, object]], Preprocessing]:
    """Return the preprocessing that a configuration beside a network leads to."""

    def load(config: dict[str, object]) -> Preprocessing:
        path = saved(network(shape=["n", 3, "h", "w"]), config)
        return get_backbone(f"onnx:{path}").preprocessing

    return load


Load = Callable[[dict[str, object]], Preprocessing]

SQUARE = {"height": 16, "width": 16}
GEOMETRY = {
    "ViT": ({"size": 16}, (16, 16, False)),
    "DeiT": ({"size": 16, "do_center_crop": True, "crop_size": 12}, (16, 12, True)),
    "CLIP": ({"size": {"shortest_edge": 16}, "crop_size": SQUARE}, (16, 16, True)),
    "DINOv2": ({"size": {"shortest_edge": 32}, "crop_size": 28}, (32, 28, True)),
    "ConvNeXt": ({"size": {"shortest_edge": 28}, "crop_pct": 0.875}, (32, 28, True)),
    "SigLIP": ({"size": SQUARE}, (16, 16, False)),
    "BEiT": ({"size": 32, "crop_size": 28, "do_center_crop": False}, (32, 32, False)),
}


@pytest.mark.parametrize(("config", "expected"), GEOMETRY.values(), ids=GEOMETRY)
def test_sizes_are_read_as_hugging_face_means_them(
    load: Load, config: dict[str, object], expected: tuple[int, int, bool]
) -> None:
    found = load({**config, **HALVES})
    assert (found.resize, found.crop, found.keep_aspect) == expected


@pytest.mark.parametrize(("code", "name"), [(0, "nearest"), (1, "lanczos"), (3, "bicubic")])
def test_filters_are_pillows_codes(load: Load, code: int, name: str) -> None:
    assert load({"size": 16, "resample": code, **HALVES}).resample == name


@pytest.mark.parametrize(
    ("config", "mean", "std"),
    [
        ({}, 127.5, (63.75, 127.5, 31.875)),
        ({"rescale_factor": 1 / 128}, 64, (32, 64, 16)),
        ({"do_rescale": False}, 0.5, (0.25, 0.5, 0.125)),
        ({"do_normalize": False}, 0, (255, 255, 255)),
    ],
)
def test_normalisation_is_put_on_the_scale_of_pixels(
    load: Load, config: dict[str, object], mean: float, std: tuple[float, float, float]
) -> None:
    found = load({"size": 16, **HALVES, **config})
    assert found.mean == pytest.approx((mean,) * 3)
    assert found.std == pytest.approx(std)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"size": {"height": 16, "width": 8}, **HALVES}, "is not a square"),
        ({"size": 16, "do_resize": False, **HALVES}, "do_resize is false"),
        ({"size": 16}, "image_mean"),
        ({"size": 16, "resample": 9, **HALVES}, "9"),
        ({"size": "large", **HALVES}, "large|indices"),
        ({"size": 16, "image_mean": [0.5], "image_std": [0.5]}, "not enough values"),
        ({"size": 16, "rescale_factor": 0, **HALVES}, "division"),
        ({"size": 0, **HALVES}, "resize"),
        ({**HALVES}, "size"),
    ],
)
def test_configuration_that_cannot_be_followed_is_refused(
    load: Load, config: dict[str, object], reason: str
) -> None:
    with pytest.raises(BackboneError, match=rf"can't be followed \(.*({reason})"):
        load(config)


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "can't be read as JSON"), ("[]", "must hold a JSON object")]
)
def test_file_that_is_no_configuration_is_refused(
    network: Callable[..., onnx.ModelProto],
    saved: Callable[..., Path],
    content: str,
    reason: str,
) -> None:
    path = saved(network())
    (path.parent / "preprocessor_config.json").write_text(content)
    with pytest.raises(BackboneError, match=reason):
        get_backbone(f"onnx:{path}")
