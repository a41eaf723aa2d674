"""Files of models with several labels or columns: what is wrong in them is found when opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outgroup
from outgroup import ImageClassifier
from outgroup.artifact import load_model
from outgroup.errors import ModelFileError

from .conftest import members, npy, stored

KINDS = ["labelled", "two_sided"]


@pytest.fixture(scope="module")
def files(
    labelled: ImageClassifier, two_sided: ImageClassifier, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    return {
        "labelled": labelled.save(folder / "labelled.outgroup"),
        "two_sided": two_sided.save(folder / "two_sided.outgroup"),
    }


@pytest.fixture
def rewrite(files: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Write one of the files with another manifest, or with arrays replaced."""

    def write(
        kind: str,
        change: Callable[[dict[str, Any]], None] | None = None,
        arrays: dict[str, np.ndarray | None] | None = None,
    ) -> Path:
        parts = members(files[kind])
        manifest = json.loads(parts["manifest.json"])
        if change:
            change(manifest)
        parts["manifest.json"] = json.dumps(manifest).encode()
        if arrays:
            inner = members(parts["arrays.npz"])
            for name, values in arrays.items():
                if values is None:
                    del inner[f"{name}.npy"]
                else:
                    inner[f"{name}.npy"] = npy(values)
            parts["arrays.npz"] = stored(inner)
        path = tmp_path / "forged.outgroup"
        path.write_bytes(stored(parts))
        return path

    return write


def manifest_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(members(path)["manifest.json"])
    return found


def arrays_of(path: Path) -> list[str]:
    return [name.removesuffix(".npy") for name in members(members(path)["arrays.npz"])]


def test_the_kind_is_in_the_manifest_and_older_versions_will_say_newer(
    files: dict[str, Path], model_file: Path
) -> None:
    found = {name: manifest_of(path) for name, path in files.items()}
    assert [m["kind"] for m in found.values()] == ["multi-label", "multi-output"]
    assert {m["format_version"] for m in found.values()} == {3}
    one_class = manifest_of(model_file)
    assert "kind" not in one_class  # such files are what they were
    assert one_class["format_version"] < 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model_gives_the_same_bytes(
    kind: str, files: dict[str, Path], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    again = request.getfixturevalue(kind).save(tmp_path / "again.outgroup")
    assert again.read_bytes() == files[kind].read_bytes()
    through = outgroup.load(again).save(tmp_path / "through.outgroup")
    assert through.read_bytes() == files[kind].read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_array_is_named(
    kind: str, files: dict[str, Path], rewrite: Callable[..., Path]
) -> None:
    for name in arrays_of(files[kind]):
        with pytest.raises(ModelFileError, match=name):
            load_model(rewrite(kind, arrays={name: None}))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_arrays_are_found_by_the_golden_pair(
    kind: str, files: dict[str, Path], rewrite: Callable[..., Path]
) -> None:
    name = next(n for n in arrays_of(files[kind]) if n.endswith("head.coef"))
    coef = load_model(files[kind]).model
    values = (coef if kind == "labelled" else coef.columns["left"]).strategy.head.coef
    with pytest.raises(ModelFileError, match="does not compute what it did"):
        load_model(rewrite(kind, arrays={name: values + 0.5}))
    with pytest.raises(ModelFileError):  # one output for three labels, which would fit by itself
        load_model(rewrite(kind, arrays={name: values[:, :1]}))


def set_to(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        inner: Any = manifest
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("labelled", ("kind",), "no-such-kind"),
        ("labelled", ("kind",), "one-class"),
        ("labelled", ("kind",), ["multi-label"]),
        ("labelled", ("kind",), "multi-output"),
        ("labelled", ("format_version",), 1),
        ("labelled", ("thresholds",), [0.5]),
        ("labelled", ("thresholds",), 0.5),
        ("labelled", ("thresholds",), [0.5, float("nan"), 0.5]),
        ("labelled", ("thresholds",), ["0.5", "0.5", "0.5"]),
        ("labelled", ("classes",), ["blue", "green"]),
        ("labelled", ("classes",), ["blue", "green", "red", "teal"]),
        ("labelled", ("strategy", "kind"), "strategy"),
        ("labelled", ("strategy", "name"), "sigmoid"),
        ("labelled", ("strategy", "parameters", "scaling"), [[0.0, 1.0, 1.0]]),
        ("labelled", ("strategy", "parameters", "scaling"), "x"),
        ("labelled", ("training", "options", "label_columns"), 7),
        ("labelled", ("golden", "class_scores"), [0.5]),
        ("two_sided", ("columns",), []),
        ("two_sided", ("columns",), {"left": 1}),
        ("two_sided", ("columns", 0, "name"), 7),
        ("two_sided", ("columns", 0, "name"), "right"),
        ("two_sided", ("columns", 1, "threshold"), float("inf")),
        ("two_sided", ("columns", 1, "classes"), ["blue"]),
        ("two_sided", ("columns", 1, "strategy", "kind"), "labeler"),
        ("two_sided", ("kind",), "multi-label"),
        ("two_sided", ("training", "options", "label_columns"), ["left", 3]),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(
    kind: str, path: tuple[Any, ...], value: Any, rewrite: Callable[..., Path]
) -> None:
    with pytest.raises(ModelFileError):
        load_model(rewrite(kind, set_to(*path, value=value)))


@pytest.mark.parametrize(
    "arrays",
    [
        {"calibration.scores": np.zeros((4, 2))},
        {"calibration.scores": np.zeros(12)},
        {"calibration.labels": np.zeros((3, 3), dtype=np.int8)},
        {"calibration.labels": np.full((180, 3), 2, dtype=np.int8)},
        {"calibration.scores": np.full((180, 3), np.nan)},
        {"calibration.scores": np.zeros((180, 3), dtype=np.float32)},
    ],
    ids=str,
)
def test_scores_and_labels_of_the_wrong_form_are_refused(
    arrays: dict[str, np.ndarray], rewrite: Callable[..., Path]
) -> None:
    with pytest.raises(ModelFileError):
        load_model(rewrite("labelled", arrays=arrays))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(min(len(value), 2))
        for key in keys:
            yield from places(value[key], (*path, key))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, -1, 10**400, float("nan"), "x", [], {"a": 1}], ids=str)
def test_a_wrong_value_anywhere_is_refused_or_harmless(
    kind: str, value: Any, files: dict[str, Path], rewrite: Callable[..., Path], new_pairs: Path
) -> None:
    image = new_pairs / "blue-red-100.png"
    for path in places(manifest_of(files[kind])):
        if not path:
            continue
        try:
            opened = outgroup.load(rewrite(kind, set_to(*path, value=value)))
        except ModelFileError:
            continue
        json.loads(opened.predict(image).to_json())
