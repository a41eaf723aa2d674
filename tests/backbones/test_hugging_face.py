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
