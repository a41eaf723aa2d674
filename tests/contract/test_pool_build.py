"""Pools from folders, archives, shards, tables and Python: what is in them, to the byte."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import outgroup

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, SECOND, World, patches
from command_surface import added, contents, run

FACTS = surface.Facts("pool_build")


@pytest.mark.parametrize("fact", FACTS)
def test_pools_hold_what_is_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def built(out: Path, *sources: object) -> dict[str, Any]:
    """Build a pool by the command, and return what it said and what is in it."""
    told = run("pool", "build", out / "pool", *sources, "--backbone", QUICK, "--json")
    return {"told": added(told), **contents(out / "pool")}


@FACTS
def a_folder_with_copies_near_copies_and_no_images(_: World, out: Path) -> Any:
    return built(out, "bag")


@FACTS
def the_same_command_again_changes_nothing(_: World, out: Path) -> Any:
    first = built(out, "bag")
    again = built(out, "bag")
    told = again.pop("told")
    del first["told"]
    assert again == first
    return told


@FACTS
def more_images_from_the_same_folder_and_under_a_name(_: World, out: Path) -> Any:
    built(out, "bag/left")
    told = [
        run("pool", "add", out / "pool", "bag", "--json"),
        run("pool", "add", out / "pool", "new", "other/bar", "--name", "shapes", "--json"),
    ]
    return {"told": [added(one) for one in told], **contents(out / "pool")}


@FACTS
def archives(_: World, out: Path) -> Any:
    found = {}
    for name in ("plain.tar", "packed.tar.gz", "packed.zip"):
        (out / name).mkdir()
        found[name] = built(out / name, f"archives/{name}")
    return found


@FACTS
def shards_that_say_source_and_group(_: World, out: Path) -> Any:
    return built(out, "archives/shard-{000000..000001}.tar")


@FACTS
def a_table_with_sources_and_groups(_: World, out: Path) -> Any:
    return built(out, "archives/listed.csv")


@FACTS
def a_table_of_bytes(_: World, out: Path) -> Any:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    images = [
        {"bytes": Path(f"bag/left/{i}.bmp").read_bytes(), "path": f"{i}.bmp"} for i in range(3)
    ]
    table = arrow.table({"image": images, "label": [0, 1, 0]})
    parquet.write_table(table, out / "photos.parquet")
    found = built(out, out / "photos.parquet")
    places = [one.removeprefix(str(out)) for one in found["rows"]["origin"]]
    kept = {key: found["rows"][key] for key in ("source", "digest", "group")}
    return {"told": found["told"], **kept, "origin": places}


@FACTS
def images_in_memory(_: World, out: Path) -> Any:
    pool = outgroup.Pool.create(out / "pool", QUICK)
    array = np.asarray(patches(1))
    data = Path("bag/left/0.bmp").read_bytes()
    given = [array, (patches(2), "drawn"), data, ("bag/left/1.bmp", "disk"), b"no image"]
    told = [pool.add(given, progress=False), pool.add(iter([array[::-1]]), name="turned")]
    counts = ("images", "near_duplicates", "duplicates", "there", "n_unreadable")
    return {
        "told": [{key: getattr(one, key) for key in counts} for one in told],
        **contents(out / "pool"),
    }


@FACTS
def a_damaged_archive_costs_no_other_source(_: World, out: Path) -> Any:
    first = built(out, "archives/half.tar", "bag/right")
    whole = added(run("pool", "add", out / "pool", "archives/plain.tar", "--json"))
    return {"first": first, "whole": whole, "n": len(outgroup.Pool(out / "pool"))}


@FACTS
def the_bundled_network_by_default(_: World, out: Path) -> Any:
    told = run("pool", "build", out / "pool", "new/ring", "--json")
    pool = outgroup.Pool(out / "pool")
    sums = {name: float(np.abs(v).sum()) for name, v in pool.features(range(len(pool))).items()}
    return {"told": added(told), "layers": pool.layers, "sums": sums}


@FACTS
def shards_can_be_read_without_outgroup(_: World, out: Path) -> Any:
    built(out, "bag")
    (shard,) = (out / "pool" / "shards").glob("*.tar")
    with tarfile.open(shard) as archive:
        members = archive.getmembers()
        told = [archive.extractfile(one).read() for one in members]  # type: ignore[union-attr]
    sizes = [Image.open(io.BytesIO(data)).size for data in told[1::2]]
    return {
        "names": [one.name for one in members],
        "modes": sorted({(one.mtime, one.uid, one.gid, one.mode) for one in members}),
        "said": [json.loads(data) for data in told[::2]],
        "sizes": sizes,
    }


@FACTS
def what_is_shown(_: World, out: Path) -> Any:
    built(out, "bag")
    shown = []
    for name in ("sheet.jpg", "sheet.html"):
        shown.append(run("pool", "show", out / "pool", "--json", "--sheet", out / name).json)
        assert (out / name).stat().st_size > 1000
    keys = ("images", "backbone", "other_backbones", "total", "sources")
    first, second = ({key: one[key] for key in keys} for one in shown)
    assert first == second
    return first


@FACTS
def failures(_: World, out: Path) -> Any:
    (out / "empty").mkdir()
    (out / "file").write_text("no pool")
    built(out, "bag/left")
    pool, quick = out / "pool", ("--backbone", QUICK)
    calls = {
        "source_that_is_not_there": ("build", out / "a", "nowhere", *quick),
        "empty_folder": ("build", out / "b", out / "empty", *quick),
        "network_that_is_none": ("build", out / "c", "bag", "--backbone", "resnet"),
        "no_source": ("build", out / "d", *quick),
        "unknown_named_set": ("build", out / "e", "hf:nonsense", *quick),
        "address_of_a_page": ("build", out / "f", "https://example.org/a.jpg", *quick),
        "pool_of_another_network": ("build", pool, "bag", "--backbone", SECOND),
        "folder_that_is_no_pool": ("build", "photos", "bag", *quick),
        "unknown_engine": ("build", out / "g", "bag", *quick, "--engine", "nonsense"),
        "no_pool_to_add_to": ("add", out / "nowhere", "bag"),
        "no_pool_to_show": ("show", out / "nowhere"),
        "no_pool_to_verify": ("verify", out / "file"),
        "sheet_of_another_kind": ("show", pool, "--sheet", out / "sheet.pdf"),
        "sheet_in_no_folder": ("show", pool, "--sheet", out / "nowhere" / "sheet.jpg"),
        "no_network_to_embed": ("embed", pool),
        "unknown_network_to_embed": ("embed", pool, "--backbone", "resnet"),
        "purge_of_nothing": ("purge", pool),
        "purge_with_both": ("purge", pool, "--known", "photos", "--answers", "photos.csv"),
        "purge_of_unknown_images": ("purge", pool, "--known", "nowhere"),
    }
    before = contents(pool)
    found = {name: run("pool", *given).code for name, given in calls.items()}
    assert contents(pool) == before
    assert not (out / "sheet.pdf").exists()
    return found
