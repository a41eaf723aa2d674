"""Files of models with several labels or columns: what is wrong in them is found when opened."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outgroup
from outgroup import ImageClassifier
from outgroup.artifact import FORMAT_VERSION, load_model
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


def test_all_kinds_have_one_format(files: dict[str, Path], model_file: Path) -> None:
    found = {name: manifest_of(path) for name, path in {**files, "one": model_file}.items()}
    assert {m["format_version"] for m in found.values()} == {FORMAT_VERSION}
    assert len({tuple(m) for m in found.values()}) == 1  # the same keys in the same order
    colours = ["blue", "green", "red"]
    assert {name: m["outputs"] for name, m in found.items()} == {
        "labelled": [{"name": colour, "classes": [colour]} for colour in colours],
        "two_sided": [{"name": side, "classes": colours} for side in ("left", "right")],
        "one": [{"name": "", "classes": colours}],
    }
    assert {name: len(m["strategies"]) for name, m in found.items()} == {
        "labelled": 1,
        "two_sided": 2,
        "one": 1,
    }


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
    values = load_model(files[kind]).model.strategy.head.coef
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
        ("labelled", ("format_version",), 3),
        ("labelled", ("offsets",), [0.5]),
        ("labelled", ("offsets",), 0.5),
        ("labelled", ("offsets",), [0.5, float("nan"), 0.5]),
        ("labelled", ("offsets",), ["0.5", "0.5", "0.5"]),
        ("labelled", ("outputs", 0, "name"), "green"),
        ("labelled", ("outputs", 0, "name"), "teal"),  # a column with the one class "blue"
        ("labelled", ("outputs", 0, "classes"), ["blue", "cyan"]),
        ("labelled", ("outputs", 1), None),
        ("labelled", ("outputs",), [{"name": "blue", "classes": ["blue"]}]),
        ("labelled", ("outputs",), [{"name": "", "classes": ["blue", "green", "red"]}]),
        ("labelled", ("strategies", 0, "kind"), "strategy"),
        ("labelled", ("strategies", 0, "kind"), "network-score"),
        ("labelled", ("strategies", 0, "name"), "sigmoid"),
        ("labelled", ("strategies", 0, "parameters", "scaling"), [[0.0, 1.0, 1.0]]),
        ("labelled", ("strategies", 0, "parameters", "scaling"), "x"),
        ("labelled", ("reasons", "closeness"), [0.5]),
        ("labelled", ("reasons", "closeness"), [0.0, 0.0, -1.0]),
        ("labelled", ("reasons", "reach"), [0.5]),
        ("labelled", ("training", "options", "label_columns"), 7),
        ("labelled", ("training", "options", "label_columns"), "blue"),
        ("labelled", ("training", "options", "map"), {"cat": "cat"}),
        ("labelled", ("golden", "class_scores"), [0.5]),
        ("labelled", ("golden", "other_scores"), [0.5]),
        ("two_sided", ("outputs",), []),
        ("two_sided", ("outputs",), {"left": 1}),
        ("two_sided", ("outputs", 0, "name"), 7),
        ("two_sided", ("outputs", 0, "name"), "right"),
        ("two_sided", ("outputs", 0, "name"), ""),
        ("two_sided", ("outputs", 1, "classes"), ["blue"]),
        ("two_sided", ("offsets", 1), float("inf")),
        ("two_sided", ("strategies",), []),
        ("two_sided", ("strategies", 1), None),
        ("two_sided", ("strategies", 1, "kind"), "label-strategy"),
        ("two_sided", ("training", "options", "label_columns"), ["left", 3]),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(
    kind: str, path: tuple[Any, ...], value: Any, rewrite: Callable[..., Path]
) -> None:
    with pytest.raises(ModelFileError, match=r"forged\.outgroup: "):
        outgroup.load(rewrite(kind, set_to(*path, value=value)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("calibration.known_scores", lambda a: a[:, np.newaxis]),
        ("calibration.known_scores", lambda a: a * np.nan),
        ("calibration.known_scores", lambda a: a.astype(np.float32)),
        ("calibration.other_scores", lambda a: a[np.newaxis]),
        ("calibration.other_scores", lambda a: a + np.inf),
        ("calibration.other_scores", lambda a: a.astype(np.int64)),
        ("references.targets", lambda a: a[:, :1]),
        ("references.targets", lambda a: a + 3),
        ("references.targets", lambda a: a - 2),
        ("references.targets", lambda a: a.astype(np.int8)),
        ("references.directions", lambda a: a[1:]),
        ("references.paths", lambda a: a[: len(a) // 2]),
    ],
)
def test_scores_and_references_of_the_wrong_form_are_refused(
    kind: str,
    name: str,
    spoil: Callable[[np.ndarray], np.ndarray],
    files: dict[str, Path],
    rewrite: Callable[..., Path],
) -> None:
    values = np.load(io.BytesIO(members(members(files[kind])["arrays.npz"])[f"{name}.npy"]))
    with pytest.raises(ModelFileError, match=name.split(".")[1]):
        load_model(rewrite(kind, arrays={name: spoil(values)}))


@pytest.mark.parametrize("kind", KINDS)
def test_nearest_images_and_percentiles_travel_with_the_model(
    kind: str, files: dict[str, Path], request: pytest.FixtureRequest, new_pairs: Path
) -> None:
    before = request.getfixturevalue(kind).predict(new_pairs)
    after = outgroup.load(files[kind]).predict(new_pairs)
    assert [answer.to_dict(explain=True) for answer in after] == [
        answer.to_dict(explain=True) for answer in before
    ]
    assert all(len(answer.nearest) == 5 for answer in after if answer.error is None)


@pytest.mark.parametrize("kind", KINDS)
def test_paths_of_training_images_can_be_left_out(
    kind: str, request: pytest.FixtureRequest, pairs: Path, new_pairs: Path, tmp_path: Path
) -> None:
    classifier = request.getfixturevalue(kind)
    path = classifier.save(tmp_path / "model.outgroup", paths=False)
    assert str(pairs).encode() not in path.read_bytes()
    image = new_pairs / "blue-red-100.png"
    one, two = outgroup.load(path).predict(image), classifier.predict(image)
    assert {near.path for near in one.nearest} == {None}
    assert [near.label for near in one.nearest] == [near.label for near in two.nearest]


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
