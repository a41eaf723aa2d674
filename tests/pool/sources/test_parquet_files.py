"""Parquet files in the layout of the Hugging Face hub, other layouts, and damaged ones."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from outgroup.errors import (
    InvalidDataError,
    InvalidParameterError,
    MissingExtraError,
    PoolSourceError,
)
from outgroup.pool import parquet_files
from outgroup.pool.sources import open_source

pa = pytest.importorskip("pyarrow", reason="pyarrow (extra hub) is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow (extra hub) is not installed")

PNG = Callable[..., bytes]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(
    path: Path, columns: Mapping[str, Any], rows_a_group: int = 4, declared: str = ""
) -> Path:
    table = pa.table(columns)
    if declared:
        features = {"info": {"features": {declared: {"_type": "Image"}, "label": {"_type": "x"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_a_group, compression="NONE")
    return path


def structs(images: list[bytes | None]) -> Any:
    cells = [None if image is None else {"bytes": image, "path": "x.png"} for image in images]
    return pa.array(cells, IMAGE)


def test_hub_layout_is_read_row_by_row(tmp_path: Path, png: PNG) -> None:
    images = [png(i) for i in range(10)]
    labels = pa.array(range(10))
    path = write(
        tmp_path / "train-00000-of-00002.parquet", {"img": structs(images), "label": labels}
    )
    source = open_source(path)
    assert [i.image for i in source] == images
    assert [i.origin for i in source] == [f"{path}!{row}" for row in range(10)]
    assert {i.source for i in source} == {"train"}
    assert source.length() == 10


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_columns_of_bytes_source_and_group(tmp_path: Path, png: PNG, kind: Any) -> None:
    path = write(
        tmp_path / "a.parquet",
        {
            "jpg": pa.array([png(1), png(2)], kind),
            "source": ["sofas", None],
            "group": pa.array([3, None]),
        },
    )
    assert [(i.image, i.source, i.group) for i in open_source(path)] == [
        (png(1), "sofas", "3"),
        (png(2), "a", None),
    ]


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path, png: PNG) -> None:
    path = write(tmp_path / "a.parquet", {"file_name": ["x/1.png", "https://a.example/2.png", ""]})
    source = open_source(path)
    assert [i.image for i in source] == [str(tmp_path / "x/1.png")]
    assert source.skipped[0].reason.startswith("a URL; images are not downloaded")
    assert source.skipped[1].reason == "an empty row"


def test_error_for_a_table_of_urls_says_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"url": ["https://a.example/1.png"] * 3})
    with pytest.raises(InvalidDataError, match=r"no image in .*3 a URL.*img2dataset"):
        list(open_source(path))


def test_struct_without_bytes_names_a_local_file(tmp_path: Path, png: PNG) -> None:
    cells = pa.array([{"bytes": None, "path": "1.png"}, {"bytes": png(2), "path": "2.png"}], IMAGE)
    path = write(tmp_path / "a.parquet", {"image": cells})
    assert [i.image for i in open_source(path)] == [str(tmp_path / "1.png"), png(2)]


def test_empty_rows_are_skipped(tmp_path: Path, png: PNG) -> None:
    path = write(tmp_path / "a.parquet", {"image": structs([png(0), None, b"", png(3)])})
    source = open_source(path)
    assert [i.origin for i in source] == [f"{path}!0", f"{path}!3"]
    assert [s.path for s in source.skipped] == [f"{path}!1", f"{path}!2"]


def test_column_is_found_or_has_to_be_named(tmp_path: Path, png: PNG) -> None:
    two = {"left": structs([png(1)]), "right": structs([png(2)])}
    path = write(tmp_path / "two.parquet", two)
    with pytest.raises(InvalidDataError, match=r"'left', 'right'\. Name one after a '#'.*#left"):
        list(open_source(path))
    assert [i.image for i in open_source(f"{path}#right")] == [png(2)]
    with pytest.raises(InvalidParameterError, match=r"one of 'left', 'right', got 'middle'"):
        list(open_source(f"{path}#middle"))
    declared = write(tmp_path / "declared.parquet", two, declared="right")
    assert [i.image for i in open_source(declared)] == [png(2)]
    usual = write(tmp_path / "usual.parquet", {**two, "image": structs([png(3)])})
    assert [i.image for i in open_source(usual)] == [png(3)]
    none = write(tmp_path / "none.parquet", {"a": [1], "b": ["x"]})
    with pytest.raises(InvalidDataError, match=r"no column of images\. Its columns are 'a', 'b'"):
        list(open_source(none))


def test_folder_as_cloned_from_the_hub(tmp_path: Path, png: PNG) -> None:
    for number, split in enumerate(("test-00000-of-00001", "train-00000-of-00001")):
        images = structs([png(10 * number + i) for i in range(3)])
        write(tmp_path / f"food/data/{split}.parquet", {"image": images})
    write(tmp_path / "food/meta/labels.parquet", {"a": [1]})
    (tmp_path / "food/.gitattributes").write_text("x")
    source = open_source(tmp_path / "food")
    read = list(source)
    assert [i.image for i in read] == [png(i) for i in (0, 1, 2, 10, 11, 12)]
    assert {i.source for i in read} == {"food"}
    reasons = [s.reason for s in source.skipped]
    assert reasons[0] == "a hidden or system file"
    assert "has no column of images" in reasons[1]
    assert source.length() is None


def test_damaged_row_group_costs_its_rows(tmp_path: Path, png: PNG) -> None:
    images = [png(i) for i in range(12)]
    path = write(tmp_path / "a.parquet", {"image": structs(images)})
    data = path.read_bytes()
    middle = data.index(png(5))
    path.write_bytes(data[: middle - 40] + b"\xff" * 60 + data[middle + 20 :])
    read = []
    with pytest.raises(PoolSourceError, match=r"a\.parquet, row group 1: "):
        read.extend(open_source(path))
    origins = [i.origin for i in read]
    assert origins[:4] == [f"{path}!{row}" for row in range(4)]
    assert origins[-4:] == [f"{path}!{row}" for row in range(8, 12)]
    assert all(i.image == images[int(i.origin.rpartition("!")[2])] for i in read if i.image)


@pytest.mark.parametrize("content", [b"", b"PAR1 but nothing behind it"])
def test_other_content_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(PoolSourceError, match="not a Parquet file, or one that was not copied"):
        list(open_source(path))
    assert open_source(path).length() is None


def test_file_that_is_cut_is_damage_and_the_next_is_read(tmp_path: Path, png: PNG) -> None:
    for number in range(3):
        write(tmp_path / f"part-{number}.parquet", {"image": structs([png(number)] * 2)})
    cut = tmp_path / "part-1.parquet"
    cut.write_bytes(cut.read_bytes()[:-30])
    read = []
    with pytest.raises(PoolSourceError, match=r"part-1\.parquet"):
        read.extend(open_source(f"{tmp_path}/part-*.parquet"))
    assert [i.image for i in read] == [png(0), png(0), png(2), png(2)]


def test_large_row_group_is_read_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 4 << 20)
    images = [bytes([i]) * (1 << 20) for i in range(64)]
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"image": structs(images)}),
        path,
        row_group_size=64,
        use_dictionary=False,
        compression="NONE",
        write_batch_size=1,
        data_page_size=1 << 20,
    )

    def peak() -> int:
        tracemalloc.start()
        arrow = 0
        for number, incoming in enumerate(open_source(path)):
            assert incoming.image == images[number]
            arrow = max(arrow, pa.total_allocated_bytes())
        python = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return arrow + python

    whole = peak()
    monkeypatch.setattr(parquet_files, "READ_WHOLE", 1 << 20)
    assert peak() < 24 << 20 < 64 << 20 < whole


def test_error_for_the_missing_package_names_the_extra(
    tmp_path: Path, png: PNG, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", {"image": structs([png(1)])})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r'pip install "outgroup\[hub\]"'):
        open_source(path)
    with pytest.raises(MissingExtraError, match="Reading Parquet files"):
        list(open_source(tmp_path))
