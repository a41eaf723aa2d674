"""What is recognised as what, and what every source keeps to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.pool.sources import SOURCES, open_source

PNG = Callable[..., bytes]


@pytest.fixture
def specs(tmp_path: Path, make_tar, png: PNG) -> dict[str, object]:
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "folder.tar" / "1.png").write_bytes(png(1))
    (tmp_path / "photo.png").write_bytes(png(2))
    (tmp_path / "a.csv").write_text("path\nphoto.png\n")
    make_tar("a.tar", {"1.png": png(1), "2.png": png(2)})
    return {
        "folder": tmp_path / "folder.tar",
        "archive": str(tmp_path / "a.tar"),
        "image": tmp_path / "photo.png",
        "pattern": f"{tmp_path}/*.tar",
        "table": tmp_path / "a.csv",
        "list": [png(1), png(2)],
        "array": np.zeros((2, 4, 4, 3), np.uint8),
    }


def test_no_two_kinds_accept_the_same(specs: dict[str, object]) -> None:
    pytest.importorskip("huggingface_hub")
    more = ["hf:food101", "hf:x.csv", "hf://datasets/a/b/*.tar", "hf://datasets/a/b.csv", iter([])]
    for spec in [*specs.values(), *more]:
        accepting = [kind for kind, source in SOURCES if source.accepts(spec)]
        assert len(accepting) == 1, (spec, accepting)


@pytest.mark.parametrize(
    "kind", ["folder", "archive", "image", "pattern", "table", "list", "array"]
)
def test_every_source_keeps_its_order_and_can_be_read_again(
    specs: dict[str, object], kind: str
) -> None:
    if kind == "pattern":
        (Path(str(specs["folder"])) / "1.png").unlink()
        Path(str(specs["folder"])).rmdir()
    source = open_source(specs[kind])
    once, again = list(source), list(source)
    fresh = list(open_source(specs[kind]))
    key = [(i.origin, i.source, i.group) for i in once]
    assert key == [(i.origin, i.source, i.group) for i in again]
    assert key == [(i.origin, i.source, i.group) for i in fresh]
    assert source.restartable
    assert source.length() in (None, len(once))
    assert {i.source for i in open_source(specs[kind], name="mine")} == {"mine"}


def test_source_is_returned_as_it_is() -> None:
    source = open_source([b"x"])
    assert open_source(source) is source


def test_two_readings_at_once_do_not_mix(make_tar, png: PNG) -> None:
    source = open_source(make_tar("a.tar", {f"{i}.png": png(i) for i in range(6)}))
    pairs = zip(source, source, strict=True)
    assert all(one.image == other.image for one, other in pairs)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no/such/place", "must be a file or folder that exists. Got 'no/such/place'"),
        ("shard-{9..1}.tar", "must be a file or folder that exists"),
        ("https://a.example/x.tar", "local path, or a place on the Hugging Face hub.*img2dataset"),
        ("s3://bucket/x.tar", "local path, or a place on the Hugging Face hub"),
        (7, "must be a source of images .*Got int"),
        (None, "Got NoneType"),
        (b"bytes of an image", "Got bytes"),
        (np.zeros((4, 4, 3), np.uint8), "Got ndarray"),
        ({"a": 1}, "Got dict"),
        ("shard-{0..9999999}.tar", "1,000,000 files at most"),
    ],
)
def test_what_can_not_be_meant_is_an_error(spec: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        open_source(spec)


@pytest.mark.parametrize(
    ("name", "fix"), [("a.rar", "unpack it"), ("a.7z", "unpack it"), ("a.npy", "mmap_mode")]
)
def test_known_formats_that_are_not_read_say_what_to_do(
    tmp_path: Path, name: str, fix: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidParameterError, match=fix):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["", "  ", 7])
def test_name_must_be_a_name(name: object) -> None:
    with pytest.raises(InvalidParameterError, match="'name' parameter"):
        open_source([b"x"], name=name)  # type: ignore[arg-type]


def test_file_whose_name_looks_like_a_pattern(make_tar, png: PNG) -> None:
    path = make_tar("odd#[1]{2,3}.tar", {"1.png": png(1)})
    assert [i.image for i in open_source(path)] == [png(1)]


def test_opening_loads_neither_arrow_nor_the_hub(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    code = (
        "import sys; from outgroup.pool.sources import open_source\n"
        "list(open_source(sys.argv[1]))\n"
        "assert not {'pyarrow', 'huggingface_hub', 'fsspec', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
