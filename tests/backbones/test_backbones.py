from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from outgroup.backbones import BACKBONES, OnnxBackbone, cache_folder, get_backbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing


def test_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(InvalidParameterError, match="'efficientnet-lite0', 'hf', 'onnx'"):
        get_backbone("efficientnet-lite9")


@pytest.mark.parametrize("spec", [None, 7, ["onnx"]])
def test_spec_must_be_text(spec: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `backbone`: must be a spec"):
        get_backbone(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "options"),
    [("efficientnet-lite0:b4", {}), ("efficientnet-lite0", {"output": "logits"})],
)
def test_bundled_network_takes_no_options(spec: str, options: dict[str, str]) -> None:
    with pytest.raises(InvalidParameterError, match="must be just 'efficientnet-lite0'"):
        get_backbone(spec, **options)


def test_every_family_states_licence_and_source() -> None:
    assert BACKBONES.names() == ["efficientnet-lite0", "hf", "onnx"]
    for name, family in BACKBONES:
        assert family.spec.startswith(name)
        assert family.licence
        assert family.source
        assert family.summary


def test_bundled_network_states_what_it_is() -> None:
    backbone = get_backbone("efficientnet-lite0")
    assert backbone.name == "efficientnet-lite0"
    assert dict(backbone.layers) == {"last": 1280, "second_last": 320, "logits": 1000}
    assert backbone.licence == "Apache-2.0"
    assert backbone.preprocessing.mean == (127.0, 127.0, 127.0)
    assert backbone.digest == get_backbone("efficientnet-lite0").digest
    assert backbone.class_names is not None
    assert len(backbone.class_names) == 1000
    assert backbone.class_names[7] == "rooster"


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 3, 224, 224), np.uint8), np.zeros((1, 224, 224, 3)), np.zeros(224, np.uint8)],
)
def test_images_of_another_shape_or_dtype_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InvalidParameterError, match=r"uint8 of shape \(n, 224, 224, 3\)"):
        get_backbone("efficientnet-lite0").run(images)


def test_batch_of_no_images_has_no_rows() -> None:
    outputs = get_backbone("efficientnet-lite0").run(np.zeros((0, 224, 224, 3), np.uint8))
    assert {name: array.shape for name, array in outputs.items()} == {
        "last": (0, 1280),
        "second_last": (0, 320),
        "logits": (0, 1000),
    }


def test_row_does_not_depend_on_its_batch_bit_for_bit() -> None:
    backbone = get_backbone("efficientnet-lite0")
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    together = backbone.run(images)
    for i in range(3):
        alone = backbone.run(images[i : i + 1])
        assert all(np.array_equal(alone[name][0], together[name][i]) for name in together)


def test_garbage_graph_is_a_backbone_error(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="can't open the network"):
        OnnxBackbone(
            lambda: b"garbage",
            name="garbage",
            digest="",
            preprocessing=Preprocessing(),
            licence="",
            source="",
        )


def test_cache_folder_is_the_users_unless_one_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTGROUP_CACHE", "elsewhere")
    assert cache_folder() == Path("elsewhere")
    monkeypatch.delenv("OUTGROUP_CACHE")
    assert cache_folder().name == "outgroup"


def imported_after(code: str) -> set[str]:
    code = f"import sys\n{code}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_finding_a_backbone_loads_no_runtime() -> None:
    code = "from outgroup.backbones import get_backbone\nget_backbone('efficientnet-lite0')"
    assert not imported_after(code) & {"onnxruntime", "onnx", "torch", "huggingface_hub"}


def test_running_a_stored_graph_does_not_load_onnx() -> None:
    code = (
        "import numpy as np\n"
        "from outgroup.backbones import get_backbone\n"
        "get_backbone('efficientnet-lite0').run(np.zeros((1, 224, 224, 3), np.uint8))"
    )
    imported_after(code)  # stores the graph
    modules = imported_after(code)
    assert "onnxruntime" in modules
    assert "onnx" not in modules
