from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import outgroup
from outgroup import ImageClassifier
from outgroup.artifact import load_model
from outgroup.data import from_arrays
from outgroup.errors import ModelFileError

Forge = Callable[..., Path]


@pytest.mark.parametrize("name", ["hf:owner/name", "onnx:/etc/hosts", "onnx", "hf", "resnet50"])
def test_file_cannot_send_the_reader_to_the_network_or_the_disk(
    forge: Forge, manifest: dict[str, Any], name: str
) -> None:
    manifest["backbone"]["name"] = name
    with pytest.raises(ModelFileError):
        load_model(forge(manifest=manifest, part={"backbone.onnx": None}))


def test_name_of_a_network_does_not_matter_where_it_is_in_the_file(
    forge: Forge, manifest: dict[str, Any]
) -> None:
    manifest["backbone"]["name"] = "hf:owner/name"
    loaded = outgroup.load(forge(manifest=manifest))
    assert loaded.backbone == "hf:owner/name"
    assert loaded.predict(Image.new("RGB", (9, 9), (200, 40, 40))).label == "red"


def test_tampered_network_is_refused(forge: Forge, parts: dict[str, bytes]) -> None:
    network = bytearray(parts["backbone.onnx"])
    network[len(network) // 2] ^= 255
    with pytest.raises(ModelFileError, match=r"backbone\.onnx is not what the manifest says"):
        load_model(forge(part={"backbone.onnx": bytes(network)}))


@pytest.mark.parametrize("network", [b"", b"no network", b"\x08\x08\x12\x00"])
def test_what_is_no_network_is_refused_also_with_the_right_hash(
    forge: Forge, manifest: dict[str, Any], network: bytes
) -> None:
    manifest["sha256"] = hashlib.sha256(network).hexdigest()
    with pytest.raises(ModelFileError, match="network"):
        load_model(forge(manifest=manifest, part={"backbone.onnx": network}))


def test_other_version_of_the_bundled_network_is_told(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [p for colour in ("blue", "red") for p in sorted((photos / colour).iterdir())[:4]]
    fitted = ImageClassifier(strategy="softmax").fit(
        from_arrays(paths, [path.parent.name for path in paths])
    )
    monkeypatch.setattr(fitted.contents.backbone, "digest", "of another version")
    model = fitted.save(tmp_path / "model.outgroup")
    with pytest.raises(ModelFileError, match="another version of the backbone"):
        load_model(model)
