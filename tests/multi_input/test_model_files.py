"""Files of networks with several inputs: what is wrong in them is found when they are opened."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgroup import MultiInputClassifier, load
from outgroup.errors import ModelFileError
from outgroup.multi_input import Bands, Block, Categorical, Inputs, Numeric, Preset

pytest.importorskip("torch")

Members = dict[str, bytes]

#: A row that can be answered, whatever is in the file.
ROW = {"b": [np.zeros((8, 8)).tolist()], "x": [0.5], "c": ["u"]}


def members(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def stored(parts: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def fitted() -> MultiInputClassifier:
    draws = np.random.default_rng(0)
    y = np.arange(48) % 2
    images = draws.normal(size=(48, 8, 8)) + y[:, np.newaxis, np.newaxis]
    data = {"b": list(images), "x": draws.normal(size=48).tolist(), "c": ["u", "v", "v"] * 16}
    inputs = Inputs([Bands("b")], [Numeric("x"), Categorical("c")])
    preset = Preset((Block(2, stride=2, pool=False),), "pool", (4,), epochs=1, members=2)
    return MultiInputClassifier(inputs, preset, progress=False).fit(data, y.tolist())


@pytest.fixture(scope="module")
def file(fitted: MultiInputClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("model") / "rows.outgroup")


@pytest.fixture(scope="module")
def parts(file: Path) -> Members:
    return members(file.read_bytes())


@pytest.fixture
def rewrite(parts: Members, tmp_path: Path) -> Callable[..., Path]:
    """Write the file with another manifest, or with arrays or parts replaced."""

    def write(
        manifest: Any = None,
        arrays: dict[str, np.ndarray | None] | None = None,
        part: dict[str, bytes | None] | None = None,
    ) -> Path:
        made: dict[str, bytes | None] = {**parts, **(part or {})}
        if manifest is not None:
            made["manifest.json"] = json.dumps(manifest).encode()
        if arrays is not None:
            inner = members(parts["arrays.npz"])
            for name, values in arrays.items():
                del inner[f"{name}.npy"]
                if values is not None:
                    buffer = io.BytesIO()
                    np.save(buffer, values)
                    inner[f"{name}.npy"] = buffer.getvalue()
            made["arrays.npz"] = stored(inner)
        path = tmp_path / "forged.outgroup"
        path.write_bytes(stored({n: data for n, data in made.items() if data is not None}))
        return path

    return write


def manifest_of(parts: Members) -> Any:
    return json.loads(parts["manifest.json"])


def arrays_of(parts: Members) -> dict[str, np.ndarray]:
    found = members(parts["arrays.npz"])
    return {n.removesuffix(".npy"): np.load(io.BytesIO(data)) for n, data in found.items()}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(min(len(value), 2))
        for key in keys:
            yield from places(value[key], (*path, key))


def replaced(manifest: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = json.loads(json.dumps(manifest))
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


def test_the_same_model_gives_the_same_bytes(
    fitted: MultiInputClassifier, file: Path, tmp_path: Path
) -> None:
    assert fitted.save(tmp_path / "again.outgroup").read_bytes() == file.read_bytes()
    assert load(file).save(tmp_path / "through.outgroup").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("part", ["manifest.json", "arrays.npz", "network.onnx"])
def test_a_missing_part_is_named(rewrite: Callable[..., Path], part: str) -> None:
    with pytest.raises(ModelFileError, match=part.replace(".", r"\.")):
        load(rewrite(part={part: None}))


def test_a_tampered_network_is_refused(rewrite: Callable[..., Path], parts: Members) -> None:
    network = bytearray(parts["network.onnx"])
    network[len(network) // 2] ^= 255
    with pytest.raises(ModelFileError, match=r"network\.onnx is not what the manifest says"):
        load(rewrite(part={"network.onnx": bytes(network)}))


def test_a_missing_array_is_named(rewrite: Callable[..., Path], parts: Members) -> None:
    for name in arrays_of(parts):
        with pytest.raises(ModelFileError, match=name):
            load(rewrite(arrays={name: None}))


def test_scores_that_are_no_numbers_are_refused(
    rewrite: Callable[..., Path], parts: Members
) -> None:
    arrays = arrays_of(parts)
    for name in (n for n in arrays if n.startswith("scorers.")):
        with pytest.raises(ModelFileError):
            load(rewrite(arrays={name: arrays[name] * np.nan}))


@pytest.mark.parametrize(
    "spoil",
    [lambda a: a[:-1], lambda a: a[..., np.newaxis], lambda a: np.zeros(0, a.dtype)],
    ids=["shorter", "one axis more", "nothing"],
)
def test_arrays_of_another_form_are_refused_or_harmless(
    rewrite: Callable[..., Path], parts: Members, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    arrays = arrays_of(parts)
    for name, values in arrays.items():
        try:
            opened = load(rewrite(arrays={name: spoil(values)}))
        except ModelFileError:
            continue
        json.loads(opened.predict(ROW)[0].to_json(explain=True))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format_version",), 4),
        (("inputs",), None),
        (("inputs", "target", "kind"), "ordinal"),
        (("inputs", "target", "gate"), 1),
        (("inputs", "target", "classes"), ["0", "1", "2"]),
        (("inputs", "scorers"), []),
        (("inputs", "scorers", 0, "counts", 1, "u"), -3),
        (("inputs", "preset", "hidden"), [8]),
        (("inputs", "beyond", "x"), float("nan")),
        (("inputs", "ranges", "x"), [1.0]),
        (("outputs", 0, "classes"), ["0"]),
        (("strategies", 0, "name"), "label-network"),
        (("strategies", 0, "kind"), "strategy"),
        (("threshold",), None),
        (("golden", "other_scores"), [1e6]),
        (("sha256",), None),
        (("training", "options", "seed"), "x"),
        (("training", "options", "names"), {"0": 7}),
        (("training", "options", "id"), 7),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(
    rewrite: Callable[..., Path], parts: Members, path: tuple[Any, ...], value: Any
) -> None:
    with pytest.raises(ModelFileError, match=r"forged\.outgroup: "):
        load(rewrite(replaced(manifest_of(parts), path, value)))


@pytest.mark.slow
@pytest.mark.parametrize("value", [None, -1, 10**400, float("nan"), "x", [], {"a": 1}], ids=str)
def test_a_wrong_value_anywhere_is_refused_or_harmless(
    rewrite: Callable[..., Path], parts: Members, value: Any
) -> None:
    manifest = manifest_of(parts)
    for path in places(manifest):
        if not path:
            continue
        try:
            opened = load(rewrite(replaced(manifest, path, value)))
        except ModelFileError:
            continue
        json.loads(opened.predict(ROW)[0].to_json(explain=True))


@pytest.mark.slow
def test_a_missing_key_anywhere_is_refused_or_harmless(
    rewrite: Callable[..., Path], parts: Members
) -> None:
    manifest = manifest_of(parts)
    for path in places(manifest):
        made = json.loads(json.dumps(manifest))
        inner = made
        for key in path[:-1]:
            inner = inner[key]
        if not path or not isinstance(inner, dict):
            continue
        del inner[path[-1]]
        try:
            opened = load(rewrite(made))
        except ModelFileError:
            continue
        json.loads(opened.predict(ROW)[0].to_json(explain=True))
