from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import outgroup
from outgroup.artifact import FORMAT_VERSION, load_model
from outgroup.errors import ModelFileError

Forge = Callable[..., Path]


def still_works(path: Path) -> bool:
    """Either the file is refused for a reason, or it is a model that does all that models do."""
    try:
        classifier = outgroup.load(path)
    except ModelFileError:
        return False
    assert classifier.certificate.sentence
    for answer in classifier.predict([Image.new("RGB", (20, 20), "red")] * 2):
        line = json.loads(answer.to_json(explain=True))
        assert set(line["probabilities"]) == set(classifier.classes)
    return True


def test_good_file_is_taken(forge: Forge) -> None:
    assert still_works(forge())


def test_truncated_anywhere_is_refused(model_file: Path, tmp_path: Path) -> None:
    data = model_file.read_bytes()
    path = tmp_path / "model.outgroup"
    for length in [0, 1, 4, 21, 22, *range(30, len(data), len(data) // 80), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(path)


def test_message_begins_with_the_file(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.outgroup"
    path.write_bytes(model_file.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=f"^{path}: "):
        load_model(path)


def test_flipped_bytes_are_refused_or_harmless(model_file: Path, tmp_path: Path) -> None:
    data = model_file.read_bytes()
    path = tmp_path / "model.outgroup"
    dice = random.Random(0)
    ends = [*range(64), *range(len(data) - 500, len(data))]  # the headers of the zip archive
    taken = 0
    for place in [*dice.sample(range(len(data)), 300), *dice.sample(ends, 200)]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        taken += still_works(path)
    assert taken < 150  # dates, attributes and sizes that are also written elsewhere


def test_flipped_bytes_in_arrays_with_right_checksums(
    forge: Forge, arrays: dict[str, bytes]
) -> None:
    dice = random.Random(1)
    names = sorted(set(arrays))
    for _ in range(200):
        name = dice.choice(names)
        flipped = bytearray(arrays[name])
        for _ in range(dice.choice([1, 1, 5])):
            flipped[dice.randrange(min(len(flipped), 200))] = dice.randrange(256)  # the header
        still_works(forge(array={name: bytes(flipped)}))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:2]):
            yield from places(inner, (*path, index))


def replaced(manifest: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = json.loads(json.dumps(manifest))
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


WRONG: list[Any] = [
    None,
    True,
    -1,
    7,
    0.5,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    ["a"],
    [[1.0]],
    {},
    {"a": 1},
]


@pytest.mark.parametrize("value", WRONG, ids=lambda v: str(v)[:10])
def test_wrong_value_anywhere_in_the_manifest(
    forge: Forge, manifest: dict[str, Any], value: Any
) -> None:
    for path in places(manifest):
        still_works(forge(manifest=replaced(manifest, path, value)))


def test_missing_key_anywhere_in_the_manifest(forge: Forge, manifest: dict[str, Any]) -> None:
    for path in places(manifest):
        made = json.loads(json.dumps(manifest))
        inner = made
        for key in path[:-1]:
            inner = inner[key]
        if not isinstance(inner, dict) or not path:
            continue
        del inner[path[-1]]
        if len(path) == 1:
            with pytest.raises(ModelFileError):
                load_model(forge(manifest=made))
        else:
            still_works(forge(manifest=made))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("threshold",), float("nan")),
        (("threshold",), "0.5"),
        (("threshold",), 10**400),
        (("offsets",), []),
        (("offsets",), [0.0, 0.0]),
        (("offsets",), [float("nan")]),
        (("offsets",), ["0"]),
        (("offsets",), 0.0),
        (("outputs",), []),
        (("outputs",), {}),
        (("outputs", 0), "red"),
        (("outputs", 0, "name"), 7),
        (("outputs", 0, "classes"), ["blue", "green"]),
        (("outputs", 0, "classes"), ["blue", "green", "pink", "red"]),
        (("outputs", 0, "classes"), "red"),
        (("outputs", 0, "classes"), ["red", "red", "red"]),
        (("outputs", 0, "classes"), [1, 2, 3]),
        (("outputs", 0, "classes"), []),
        (("strategies",), []),
        (("strategies", 0, "name"), "no-such-strategy"),
        (("strategies", 0, "kind"), "pickle"),
        (("strategies", 0, "kind"), "network-score"),
        (("strategies", 0, "parts", "head", "name"), "softmax"),
        (("strategies", 0, "parts", "head", "kind"), "strategy"),
        (("strategies", 0), {"kind": "head", "name": "linear-softmax", "parts": {}}),
        (("certificate", "guarantees", 0, "n"), 0),
        (("certificate", "guarantees", 0, "bound"), "all"),
        (("training", "options"), []),
        (("training", "options", "label_columns"), ["one", "two"]),
        (("training", "options", "max_known_rejected"), 7),
        (("backbone", "layers", "last"), 10**12),
        (("backbone", "name"), 7),
        (("golden", "other_scores"), 0.5),
        (("golden", "other_scores"), [0.5, 0.5]),
        (("golden", "class_scores"), [0.5]),
        (("sha256",), None),
        (("sha256",), "0" * 64),
        (("preprocessing", "crop"), 8),
        (("preprocessing", "mean"), [0, 0]),
    ],
    ids=str,
)
def test_wrong_value_is_refused(
    forge: Forge, manifest: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    with pytest.raises(ModelFileError, match=r"forged\.outgroup: "):
        outgroup.load(forge(manifest=replaced(manifest, path, value)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[" * 100_000, '{"format": ' + "9" * 5000 + "}", '{"format": "other"}', "\0"],
    ids=lambda text: text[:20],
)
def test_what_is_no_manifest_is_refused(forge: Forge, text: str) -> None:
    with pytest.raises(ModelFileError):
        load_model(forge(manifest=text))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 77])
def test_another_version_is_refused_and_says_how_to_upgrade(
    forge: Forge, manifest: dict[str, Any], version: int
) -> None:
    other = {**manifest, "format_version": version, "whatever": "comes"}
    message = rf"another version of outgroup \(format {version}; this one reads {FORMAT_VERSION}\)"
    with pytest.raises(ModelFileError, match=rf"{message}\. Upgrade: pip install --upgrade"):
        load_model(forge(manifest=other))


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_what_is_no_format_version_is_refused(
    forge: Forge, manifest: dict[str, Any], version: object
) -> None:
    with pytest.raises(ModelFileError, match="format_version is"):
        load_model(forge(manifest={**manifest, "format_version": version}))


@pytest.mark.parametrize("part", ["manifest.json", "arrays.npz", "backbone.onnx"])
def test_missing_part_is_refused(forge: Forge, part: str) -> None:
    with pytest.raises(ModelFileError, match=part.replace(".", r"\.")):
        load_model(forge(part={part: None}))


def test_missing_array_is_named(forge: Forge, arrays: dict[str, bytes]) -> None:
    for name in arrays:
        with pytest.raises(ModelFileError, match=name):
            load_model(forge(array={name: None}))


def test_head_in_the_place_of_a_strategy_is_refused(
    forge: Forge, manifest: dict[str, Any], arrays: dict[str, bytes]
) -> None:
    moved = {
        name.replace("strategies.0.head.", "strategies.0."): data
        for name, data in arrays.items()
        if name.startswith("strategies.0.head.")
    }
    manifest["strategies"][0] = manifest["strategies"][0]["parts"]["head"]
    with pytest.raises(ModelFileError, match="'linear-sigmoid' is no Strategy"):
        load_model(forge(manifest=manifest, array=moved))


def header(shape: str, dtype: str = "'<f8'") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


HOSTILE = {
    "claims more than there is": header("(1000000000000,)"),
    "claims a negative size": header("(-1, -1)"),
    "overflows": header(f"({2**62}, 4)"),
    "numbers without end": header("(" + "9" * 60 + ",)"),
    "nothing, but long": header(f"(0, {2**40})"),
    "no tuple": header("[1]"),
    "code": header("__import__('os').abort()"),
    "objects": header("(1,)", "'|O'") + b"cos\nabort\n.",
    "texts": header("(1,)", "'<U2'") + b"12345678",
    "records": header("(1,)", "[('a', '<f8')]") + b"12345678",
    "sub-arrays": header("(1,)", "('<f8', (2,))") + b"1234567812345678",
    "unfinished": header("((((((((((((((((((((("),
    "Python 2's numbers": header("(1L,)") + b"12345678",
    "another version": b"\x93NUMPY\x03\x00" + header("(1,)")[8:] + b"12345678",
    "no array": b"PK\x03\x04",
    "empty": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["strategies.0.head.coef", "calibration.known_scores", "extra"])
def test_hostile_array_is_refused(forge: Forge, name: str, data: bytes) -> None:
    # An array that nothing asks for is read like all others; only an empty one can do no harm.
    if name == "extra" and data == HOSTILE["nothing, but long"]:
        assert still_works(forge(array={name: data}))
        return
    with pytest.raises(ModelFileError):
        load_model(forge(array={name: data}))


def test_pickled_objects_are_never_run(forge: Forge, tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "was here"),))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Touch()], dtype=object), allow_pickle=True)
    with pytest.raises(ModelFileError, match="type object"):
        load_model(forge(array={"strategies.0.head.coef": buffer.getvalue()}))
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a * np.nan,
        lambda a: a + np.inf,
        lambda a: a[:-1],
        lambda a: a[..., np.newaxis],
        lambda a: a * 1.1 + 0.1,
        lambda a: np.zeros(0),
    ],
    ids=["nan", "inf", "shorter", "one axis more", "other numbers", "nothing"],
)
def test_other_numbers_in_what_was_learned_are_noticed(
    forge: Forge, arrays: dict[str, bytes], spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    for name in (n for n in arrays if n.startswith("strategies.")):
        spoiled = spoil(np.load(io.BytesIO(arrays[name])))
        with pytest.raises(ModelFileError):
            load_model(forge(array={name: spoiled}))


@pytest.mark.parametrize(
    "values", [np.array([np.nan]), np.zeros((2, 2)), np.array([1, 2]), np.array([True])]
)
def test_held_out_scores_are_finite_vectors(forge: Forge, values: np.ndarray) -> None:
    with pytest.raises(ModelFileError, match="known_scores"):
        load_model(forge(array={"calibration.known_scores": values}))


def test_memory_error_is_a_damaged_file(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(json, "loads", none_left)
    with pytest.raises(ModelFileError, match="damaged: MemoryError"):
        load_model(forge())


def test_golden_output_that_differs_is_told(forge: Forge, manifest: dict[str, Any]) -> None:
    manifest["golden"]["other_scores"][0] += 0.1
    with pytest.raises(ModelFileError, match="does not compute what it did when it was saved"):
        load_model(forge(manifest=manifest))


def test_golden_output_may_differ_by_rounding(forge: Forge, manifest: dict[str, Any]) -> None:
    manifest["golden"]["other_scores"][0] *= 1 + 1e-7
    assert still_works(forge(manifest=manifest))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(
    parts: dict[str, bytes],
    arrays: dict[str, bytes],
    zipped: Callable[..., bytes],
    tmp_path: Path,
    method: int,
) -> None:
    bomb = {**arrays, "zeros": b"\0" * 50_000_000}
    path = tmp_path / "bomb.outgroup"
    path.write_bytes(zipped(parts, method))
    with pytest.raises(ModelFileError, match="compressed"):
        load_model(path)
    path.write_bytes(zipped({**parts, "arrays.npz": zipped(bomb, method)}))
    with pytest.raises(ModelFileError, match="compressed"):
        load_model(path)


def test_members_that_share_bytes_are_refused(
    parts: dict[str, bytes], zipped: Callable[..., bytes], tmp_path: Path
) -> None:
    """Many names for the same bytes make a small file a large one in memory."""
    data = zipped(parts)
    end = data.rindex(b"PK\x05\x06")
    size, offset = (int.from_bytes(data[end + i : end + i + 4], "little") for i in (12, 16))
    directory = data[offset : offset + size]
    copies = 50
    count = (len(parts) * copies).to_bytes(2, "little")
    trailer = bytearray(data[end:])
    trailer[8:10] = trailer[10:12] = count
    trailer[12:16] = (size * copies).to_bytes(4, "little")
    path = tmp_path / "bomb.outgroup"
    path.write_bytes(data[:offset] + directory * copies + bytes(trailer))
    with pytest.raises(ModelFileError, match=r"overlap|Overlap"):
        load_model(path)


def test_encrypted_member_is_refused(model_file: Path, tmp_path: Path) -> None:
    data = bytearray(model_file.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "model.outgroup"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="encrypted"):
        load_model(path)


def test_files_of_other_kinds(tmp_path: Path, zipped: Callable[..., bytes]) -> None:
    path = tmp_path / "model.outgroup"
    for data, reason in {
        b"": "damaged, or no model file",
        b"just text, longer than the end of a zip archive is\n" * 9: "not a zip file",
        zipped({"readme.txt": b"hello"}): r"no manifest\.json in it",
        zipped({"manifest.json": b'{"format": "docx"}'}): "names another format",
    }.items():
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=reason):
            load_model(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no such file"):
        load_model(tmp_path / "model.outgroup")
    with pytest.raises(ModelFileError, match="is a folder or a device"):
        load_model(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError, match=r"can't be read \(Not a directory\)"):
        load_model(tmp_path / "file" / "model.outgroup")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="is a folder or a device"):
        load_model(tmp_path / "pipe")


def test_file_beyond_any_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.outgroup"
    with open(path, "wb") as file:
        file.truncate(5 * 2**30)  # a hole: takes no room on the disk
    with pytest.raises(ModelFileError, match="which no model has"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("directions", lambda a: a[:-1]),
        ("directions", lambda a: a[:, :-1]),
        ("directions", lambda a: a.ravel()),
        ("directions", lambda a: a.astype(np.float64)),
        ("directions", lambda a: np.zeros((0, a.shape[1]), np.int8)),
        ("targets", lambda a: a[:-1]),
        ("targets", lambda a: a[::-1].copy()),
        ("targets", lambda a: a + 3),
        ("targets", lambda a: a - 1),
        ("targets", lambda a: a.astype(np.int64)),
        ("targets", lambda a: a[:, 0]),
        ("targets", lambda a: np.hstack([a, a])),
        ("paths", lambda a: a[: len(a) // 2]),
        ("paths", lambda a: np.concatenate([a, np.zeros(1, np.uint8)])),
        ("paths", lambda a: np.concatenate([a, np.full(40_000, 97, np.uint8)])),
        ("paths", lambda a: np.concatenate([a, np.full(1, 255, np.uint8)])),
        ("paths", lambda a: a.astype(np.int8)),
        ("paths", lambda a: a[np.newaxis]),
    ],
)
def test_references_of_the_wrong_form_are_refused(
    forge: Forge,
    arrays: dict[str, bytes],
    name: str,
    spoil: Callable[[np.ndarray], np.ndarray],
) -> None:
    array = f"references.{name}"
    spoiled = spoil(np.load(io.BytesIO(arrays[array])))
    with pytest.raises(ModelFileError):
        load_model(forge(array={array: spoiled}))


def test_more_references_than_any_model_has_are_refused(
    forge: Forge, arrays: dict[str, bytes]
) -> None:
    size = np.load(io.BytesIO(arrays["references.directions"])).shape[1]
    n = 10_001
    many = {
        "references.directions": np.ones((n, size), np.int8),
        "references.targets": np.zeros((n, 1), np.int32),
        "references.paths": np.zeros(n - 1, np.uint8),
    }
    with pytest.raises(ModelFileError, match="directions"):
        load_model(forge(array=many))


def test_without_references_no_neighbours_are_named(forge: Forge, arrays: dict[str, bytes]) -> None:
    size = np.load(io.BytesIO(arrays["references.directions"])).shape[1]
    none = {
        "references.directions": np.ones((0, size), np.int8),
        "references.targets": np.zeros((0, 1), np.int32),
        "references.paths": np.zeros(0, np.uint8),
    }
    answer = outgroup.load(forge(array=none)).predict(Image.new("RGB", (20, 20), "red"))
    assert tuple(answer.nearest) == ()


@pytest.mark.parametrize("value", [[], [0.1, 0.2], [0.1, 0.2, float("nan")], "abc", None, 0.5])
@pytest.mark.parametrize("name", ["reach", "closeness"])
def test_reasons_of_the_wrong_form_are_refused(
    forge: Forge, manifest: dict[str, Any], name: str, value: object
) -> None:
    with pytest.raises(ModelFileError):
        load_model(forge(manifest=replaced(manifest, ("reasons", name), value)))
