"""``hf://`` and ``hf:NAME`` against a local folder of the hub's layout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outgroup.errors import (
    InvalidDataError,
    InvalidParameterError,
    MissingExtraError,
    PoolSourceError,
)
from outgroup.pool.image_sets import SETS, overlaps
from outgroup.pool.sources import open_source

hub = pytest.importorskip("huggingface_hub", reason="extra hub is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow (extra hub) is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow (extra hub) is not installed")

PNG = Callable[..., bytes]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the hub's file system be a folder: datasets/OWNER/NAME/..."""
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    monkeypatch.setattr(
        hub, "HfFileSystem", lambda: DirFileSystem(str(tmp_path), LocalFileSystem())
    )
    return tmp_path


def write(path: Path, images: list[bytes], column: str = "image") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": image, "path": f"{i}.png"} for i, image in enumerate(images)]
    pq.write_table(
        pa.table({column: pa.array(cells, IMAGE), "label": list(range(len(images)))}), path
    )


def test_pattern_on_the_hub(repositories: Path, png: PNG) -> None:
    data = repositories / "datasets/ethz/food101/data"
    write(data / "validation-00000-of-00001.parquet", [png(5)])
    write(data / "train-00001-of-00002.parquet", [png(3), png(4)])
    write(data / "train-00000-of-00002.parquet", [png(1), png(2)])
    source = open_source("hf://datasets/ethz/food101/data/train-*.parquet")
    read = list(source)
    assert [i.image for i in read] == [png(i) for i in (1, 2, 3, 4)]
    assert [i.image for i in source] == [i.image for i in read]
    assert {i.source for i in read} == {"food101"}
    origin = "hf://datasets/ethz/food101/data/train-00000-of-00002.parquet!1"
    assert read[1].origin == origin
    both = open_source("hf://datasets/ethz/food101/data/{validation,train}-*")
    assert [i.image for i in both] == [png(i) for i in (5, 1, 2, 3, 4)]


def test_revision_whole_repository_and_column(repositories: Path, png: PNG) -> None:
    root = repositories / "datasets/a/b@refs"
    write(root / "convert/parquet/0000.parquet", [png(1)], column="left")
    (root / "README.md").write_text("x")
    assert [i.image for i in open_source("hf://datasets/a/b@refs#left")] == [png(1)]
    one = "hf://datasets/a/b@refs/convert/parquet/0000.parquet"
    assert [i.image for i in open_source(one)] == [png(1)]


def test_shards_on_the_hub(repositories: Path, make_tar, png: PNG) -> None:
    folder = repositories / "datasets/a/wds"
    folder.mkdir(parents=True)
    make_tar("0.tar", {"1.png": png(1)}).rename(folder / "0.tar")
    (folder / "photo.png").write_bytes(png(2))
    assert [i.image for i in open_source("hf://datasets/a/wds/0.tar")] == [png(1)]
    assert [i.image for i in open_source("hf://datasets/a/wds/*.png")] == [png(2)]


def test_path_in_a_table_of_the_hub_is_never_read_from_this_machine(repositories: Path) -> None:
    path = repositories / "datasets/a/b/0.parquet"
    path.parent.mkdir(parents=True)
    cells = pa.array([{"bytes": None, "path": "/etc/hostname"}], IMAGE)
    pq.write_table(pa.table({"image": cells}), path)
    with pytest.raises(InvalidDataError, match="a path on another machine"):
        list(open_source("hf://datasets/a/b/0.parquet"))


def test_opening_does_not_use_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(hub, "HfFileSystem", refuse)
    assert open_source("hf:food101").length() == 101_000


def test_missing_files_are_an_error(repositories: Path) -> None:
    with pytest.raises(InvalidParameterError, match="there are no files at 'hf://datasets/a/b/x"):
        list(open_source("hf://datasets/a/b/x-*.parquet"))


@pytest.mark.parametrize("spec", ["hf://models/a/b", "hf://datasets/a", "hf://"])
def test_other_locations_on_the_hub_are_refused(spec: str) -> None:
    with pytest.raises(InvalidParameterError, match="hf://datasets/OWNER/NAME"):
        open_source(spec)


def test_network_failure_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        def glob(self, path: str) -> list[str]:
            raise ConnectionError("no route to host")

    monkeypatch.setattr(hub, "HfFileSystem", Offline)
    with pytest.raises(PoolSourceError, match=r"\(no route to host\)\. Check.*download the files"):
        list(open_source("hf:dtd"))


def test_file_that_breaks_off_costs_that_file(repositories: Path, png: PNG, monkeypatch) -> None:
    write(repositories / "datasets/tanganke/dtd/data/test-0.parquet", [png(1)])
    write(repositories / "datasets/tanganke/dtd/data/train-0.parquet", [png(2)])
    system = hub.HfFileSystem()

    class Breaking:
        glob = system.glob

        def open(self, path: str, mode: str) -> Any:
            if "test" in path:
                raise TimeoutError("timed out")
            return system.open(path, mode)

    monkeypatch.setattr(hub, "HfFileSystem", Breaking)
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 1 image.*test-0\.parquet: timed out"):
        read.extend(open_source("hf:dtd"))
    assert [i.image for i in read] == [png(2)]


def test_error_for_the_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r'pip install "outgroup\[hub\]"'):
        open_source("hf:food101")


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_each_image_set_is_read_from_files_of_its_layout(
    repositories: Path, png: PNG, one: Any
) -> None:
    folder = repositories / "datasets" / one.repository / one.files.rpartition("/")[0]
    for number, split in enumerate(one.splits):
        name = folder / f"{split}-00000-of-00001.parquet"
        write(name, [png(10 * number), png(10 * number + 1)], column=one.column)
    source = open_source(f"hf:{one.name}")
    assert len(list(source)) == 2 * len(one.splits)
    assert {i.source for i in source} == {one.name}
    assert source.length() == one.images


def test_list_of_image_sets_is_complete() -> None:
    assert [one.name for one in SETS] == sorted({one.name for one in SETS})
    for one in SETS:
        assert one.images > 1000
        assert one.size > 1_000 * one.images
        assert one.homepage.startswith("https://")
        assert one.seen
        assert one.classes
        assert all(isinstance(word, str) for word in (*one.classes, *one.splits, *one.seen))
        if one.terms in ("non-commercial", "unclear"):
            assert one.terms_and_licence.startswith(f"{one.terms}: ")


def test_error_for_an_unknown_name_has_a_hint() -> None:
    with pytest.raises(InvalidParameterError, match="Did you mean 'hf:tiny-imagenet'"):
        open_source("hf:tiny-imagnet")
    with pytest.raises(InvalidParameterError, match="hf://datasets/ethz/food101"):
        open_source("hf:ethz/food101")


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (["cat", "Dogs", "giraffe"], ("cat", "Dogs")),
        (["puppies", "Siamese cat", "beagle"], ("puppies", "Siamese cat", "beagle")),
        (["giraffe", "caterpillar", "dogma", "hot dogs"], ("hot dogs",)),
        ([], ()),
    ],
)
def test_overlaps_of_an_image_set_with_classes(classes: list[str], found: tuple[str, ...]) -> None:
    assert overlaps("oxford-pets", classes) == found
