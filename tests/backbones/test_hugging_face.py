"""Networks of the Hugging Face hub, and the preprocessing that a configuration describes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from outgroup.backbones import get_backbone
from outgroup.errors import BackboneError, InvalidParameterError, MissingExtraError
from outgroup.images import Preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def repository(
    network: Callable[..., onnx.ModelProto], saved: Callable[..., Path], tmp_path: Path
) -> Path:
    """A folder laid out like an ONNX model on the hub."""
    folder = tmp_path / "repository"
    (folder / "onnx").mkdir(parents=True)
    path = saved(network(outputs={"last_hidden_state": 3, "pooler_output": 2}))
    shutil.move(path, folder / "onnx" / "model.onnx")
    shutil.move(path.parent / "preprocessor_config.json", folder)
    return folder


def test_local_folder_is_loaded(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = get_backbone(f"hf:{repository}")
    monkeypatch.chdir(repository.parent)
    relative = get_backbone("hf:./repository")
    assert relative.name == "hf:./repository"
    assert relative.digest == absolute.digest
    np.testing.assert_array_equal(relative.run(IMAGES)["last"], absolute.run(IMAGES)["last"])


def test_repository_is_downloaded_at_its_revision(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision, "onnx/model.onnx" in allow_patterns))
        return str(repository)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    backbone = get_backbone("hf:someone/a-model")
    assert get_backbone("hf:someone/a-model@v1.0").name == "hf:someone/a-model@v1.0"
    assert asked == [("someone/a-model", None, True), ("someone/a-model", "v1.0", True)]
    assert backbone.source == "https://huggingface.co/someone/a-model"
    assert backbone.layers == {"last": 3}


def test_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise ConnectionError("Name or service not known.")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(BackboneError, match=r"Name or service not known.*hf:\./FOLDER"):
        get_backbone("hf:someone/a-model")


def test_missing_hub_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"outgroup\[hub\]"):
        get_backbone("hf:someone/a-model")


def test_repository_without_an_onnx_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"has no onnx/model\.onnx"):
        get_backbone(f"hf:{tmp_path}")


@pytest.mark.parametrize("argument", ["", "model", "a/b/c", "a/b@", "https://huggingface.co/a/b"])
def test_argument_that_names_no_repository_is_refused(argument: str) -> None:
    with pytest.raises(InvalidParameterError, match="'hf:OWNER/NAME'"):
        get_backbone(f"hf:{argument}")


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
        ({"size": 16, "image_mean": [0.5], "image_std": [0.5]}, "must be three numbers"),
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
