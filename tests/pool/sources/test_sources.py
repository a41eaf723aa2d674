"""Sources: what is recognised as what, folders, tables, and images from Python."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup.data import from_images
from outgroup.errors import InvalidDataError, InvalidParameterError, PoolSourceError
from outgroup.pool import Incoming
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


def test_each_form_opens_its_kind_of_source(specs: dict[str, object]) -> None:
    pytest.importorskip("huggingface_hub")
    kinds = dict(zip(specs, ["folder", *["files"] * 3, "table", *["iterable"] * 2], strict=True))
    hub = {"hf:food101": "named", "hf://datasets/a/b/*.tar": "hub", "hf://datasets/a/b.csv": "hub"}
    for spec, kind in [*((specs[k], kind) for k, kind in kinds.items()), *hub.items()]:
        assert type(open_source(spec)) is SOURCES[kind], spec
    with pytest.raises(InvalidParameterError, match="must be 'hf:' and one of"):
        open_source("hf:x.csv")


@pytest.mark.parametrize(
    "kind", ["folder", "archive", "image", "pattern", "table", "list", "array"]
)
def test_every_source_has_one_order_and_can_be_read_again(
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
    assert source.length() in (None, len(once))
    assert {i.source for i in open_source(specs[kind], name="mine")} == {"mine"}


def test_open_source_is_returned_as_it_is() -> None:
    source = open_source([b"x"])
    assert open_source(source) is source


def test_two_readings_at_the_same_time_do_not_mix(make_tar, png: PNG) -> None:
    source = open_source(make_tar("a.tar", {f"{i}.png": png(i) for i in range(6)}))
    pairs = zip(source, source, strict=True)
    assert all(one.image == other.image for one, other in pairs)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no/such/place", "must be a file or folder that exists, got 'no/such/place'"),
        ("shard-{9..1}.tar", "must be a file or folder that exists"),
        (
            "https://a.example/x.tar",
            "local path, or a location on the Hugging Face hub.*img2dataset",
        ),
        ("s3://bucket/x.tar", "local path, or a location on the Hugging Face hub"),
        (7, "must be a source of images .*got int"),
        (None, "got NoneType"),
        (b"bytes of an image", "got bytes"),
        (np.zeros((4, 4, 3), np.uint8), "got ndarray"),
        ({"a": 1}, "got dict"),
        ("shard-{0..9999999}.tar", "1,000,000 files at most"),
    ],
)
def test_anything_else_is_an_error(spec: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        open_source(spec)


@pytest.mark.parametrize(
    ("name", "fix"), [("a.rar", "unpack it"), ("a.7z", "unpack it"), ("a.npy", "mmap_mode")]
)
def test_error_for_an_unsupported_format_says_what_to_do(
    tmp_path: Path, name: str, fix: str
) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidParameterError, match=fix):
        open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["", "  ", 7])
def test_name_must_be_text(name: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `name`"):
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


# Folders


@pytest.fixture
def photos(tmp_path: Path, png: PNG) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(("b/2.png", "b/1.png", "a/deep/3.png", "top.png", "a/.x.png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(number))
    return root


def test_images_of_a_folder_are_those_of_a_folder_of_negatives(photos: Path) -> None:
    read = list(open_source(photos))
    samples = from_images(photos)
    assert [i.image for i in read] == list(samples.sources)
    assert [i.source for i in read] == list(samples.origins) == ["a", "b", "b", "photos"]
    assert [i.origin for i in read] == list(samples.sources)
    assert open_source(photos).length() == 4


def test_hidden_files_are_counted(photos: Path) -> None:
    source = open_source(str(photos), name="mine")
    assert {i.source for i in source} == {"mine"}
    assert [s.reason for s in source.skipped] == ["a hidden or system file"]
    assert {i.source for i in source} == {"mine"}
    assert source.n_skipped == 1  # of the last reading only


def test_archives_in_a_folder_are_read_in_their_place(photos: Path, png: PNG) -> None:
    with zipfile.ZipFile(photos / "b" / "11.zip", "w") as archive:
        archive.writestr("x.png", png(20))
        archive.writestr("sofas/y.png", png(21))
    read = [(Path(i.origin).name, i.source) for i in open_source(photos)]
    assert read == [
        ("3.png", "a"),
        ("1.png", "b"),
        ("11.zip!x.png", "b"),
        ("y.png", "sofas"),
        ("2.png", "b"),
        ("top.png", "photos"),
    ]
    assert open_source(photos).length() is None


def test_files_behind_a_damaged_archive_are_read(photos: Path) -> None:
    (photos / "a" / "0.zip").write_bytes(b"PK, and no more")
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 4 images.*0\.zip"):
        read.extend(open_source(photos))
    assert len(read) == 4


def test_error_for_an_empty_folder_lists_what_was_skipped(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    with pytest.raises(InvalidDataError, match=r"1 a hidden or system file \(.*Thumb"):
        list(open_source(tmp_path))


def test_list_of_skipped_files_is_bounded(tmp_path: Path, png: PNG) -> None:
    for number in range(300):
        (tmp_path / f".{number}").touch()
    (tmp_path / "1.png").write_bytes(png(1))
    source = open_source(tmp_path)
    assert len(list(source)) == 1
    assert len(source.skipped) == 100
    assert source.n_skipped == 300


# CSV files and DataFrames


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("path,label,source,group\na/1.jpg,cat,sofas,g1\n/abs/2.jpg,,,\n3.jpg\n")
    assert [(i.image, i.source, i.origin, i.group) for i in open_source(path)] == [
        (str(tmp_path / "a/1.jpg"), "sofas", str(tmp_path / "a/1.jpg"), "g1"),
        ("/abs/2.jpg", "web", "/abs/2.jpg", None),
        (str(tmp_path / "3.jpg"), "web", str(tmp_path / "3.jpg"), None),
    ]
    assert {i.source for i in open_source(path, name="mine")} == {"mine"}


def test_urls_and_empty_cells_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "web.tsv"
    path.write_text("path\tgroup\n1.jpg\tg\nHTTPS://a.example/2.jpg\t\n\tg\n")
    source = open_source(path)
    assert [i.origin for i in source] == [str(tmp_path / "1.jpg")]
    assert "img2dataset" in source.skipped[0].reason
    assert (source.skipped[1].path, source.skipped[1].reason) == (
        "line 4 of web.tsv",
        "names no image",
    )


def test_error_for_a_column_of_urls_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("url,caption\nhttps://a.example/1.jpg,x\n")
    with pytest.raises(InvalidDataError, match=r"column 'path'.*'url' is of URLs.*not downloaded"):
        list(open_source(path))


def test_missing_column_or_malformed_csv_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("photo\n1.jpg\n")
    with pytest.raises(InvalidDataError, match="its columns are 'photo'"):
        list(open_source(path))
    path.write_text("path,group\n1.jpg,a\n2.jpg,b,c\n")
    with pytest.raises(InvalidDataError, match=r"Line 3 of web\.csv"):
        list(open_source(path))
    path.write_text("path\n")
    with pytest.raises(InvalidDataError, match="no image in"):
        list(open_source(path))


def test_missing_csv_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a CSV file"):
        list(open_source(tmp_path / "none.csv"))


def test_rows_of_a_dataframe(png: PNG) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"path": ["a/1.jpg", png(1), None], "source": ["s", None, None], "group": [1, None, 2]}
    )
    source = open_source(frame)
    read = list(source)
    assert [(i.image, i.source, i.group) for i in read] == [
        ("a/1.jpg", "s", "1"),
        (png(1), "DataFrame", None),
    ]
    assert source.length() == 3
    assert [s.reason for s in source.skipped] == ["names no image"]


# Iterables


def test_items_may_be_paths_bytes_arrays_pictures_pairs_or_incoming(png: PNG) -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    pillow = Image.new("RGB", (3, 3))
    whole = Incoming("x", source="s", origin="o", group="g")
    items = ["web/1.jpg", Path("web/2.jpg"), png(1), array, pillow, (png(2), "sofas"), whole]
    source = open_source(items)
    read = list(source)
    assert [i.image for i in read[2:5]] == [png(1), array, pillow]
    assert [i.source for i in read] == ["web", "web", "memory", "memory", "memory", "sofas", "s"]
    assert [i.origin for i in read[:2]] == ["web/1.jpg", "web/2.jpg"]
    assert read[6] is whole
    assert source.length() == 7
    assert [i.origin for i in source] == [i.origin for i in read]


def test_name_is_the_source_of_all_images() -> None:
    items = ["a/1.jpg", (b"x", "s"), Incoming("x", source="s", origin="o", group="g")]
    read = list(open_source(items, name="mine"))
    assert [i.source for i in read] == ["mine"] * 3
    assert read[2].group == "g"


def test_origin_of_an_image_in_memory_follows_from_its_content(png: PNG) -> None:
    first = [i.origin for i in open_source([png(1), png(2)])]
    again = [i.origin for i in open_source([png(0), png(2), png(1)])]
    assert len(set(first)) == 2
    assert set(first) < set(again)


def test_rows_of_one_array_are_images() -> None:
    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    source = open_source(images)
    assert source.length() == 5
    read = list(source)
    assert np.array_equal(read[3].image, images[3])
    assert len({i.origin for i in read}) == 5


def test_generator_is_read_once_and_lazily(png: PNG) -> None:
    made = []

    def images() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield png(number)

    source = open_source(images())
    assert source.length() is None
    assert made == []
    stream = iter(source)
    assert next(stream).image == png(0)
    assert made == [0]
    with pytest.raises(InvalidParameterError, match="got an iterator that was read already"):
        list(source)


def test_exception_of_a_generator_becomes_a_source_error_with_the_count(png: PNG) -> None:
    def images() -> Iterator[bytes]:
        yield png(1)
        yield png(2)
        raise KeyError("camera 3")

    read = []
    with pytest.raises(PoolSourceError, match="after 2 images with KeyError: 'camera 3'") as caught:
        read.extend(open_source(images()))
    assert len(read) == 2
    assert isinstance(caught.value.__cause__, KeyError)


def test_interrupt_is_not_caught(png: PNG) -> None:
    def images() -> Iterator[bytes]:
        yield png(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(open_source(images()))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"image": b"x"}, r"Item 1 is a dict.*such as \(item\['image'\] for"),
        (7, "Item 1 is a int"),
        ((b"x", 3), r"Item 1 is a tuple.*such as \(image for image, _ in"),
        (None, "Item 1 is a NoneType"),
    ],
)
def test_item_that_is_not_an_image_is_an_error(item: object, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        list(open_source([b"an image", item]))


def test_url_is_skipped_with_a_reason() -> None:
    source = open_source(["https://a.example/1.jpg", "2.jpg"])
    assert [i.origin for i in source] == ["2.jpg"]
    assert "not downloaded" in source.skipped[0].reason


def test_empty_iterable_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match="There is no image in the iterable"):
        list(open_source([]))


def test_unreadable_image_in_memory_has_an_origin() -> None:
    broken = Image.new("P", (2, 2))
    broken.load = lambda: (_ for _ in ()).throw(OSError("broken"))  # type: ignore[method-assign]
    assert [i.origin for i in open_source([broken])] == ["memory!image 0"]
