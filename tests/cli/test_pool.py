from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from PIL import Image

from outgroup import Pool

Run = Callable[..., Any]


def fits(output: str) -> bool:
    return max(map(len, output.splitlines())) <= 80


@pytest.fixture
def messy(odds: Path, tmp_path: Path, make_folder: Callable[..., Path]) -> Path:
    """24 pictures in two folders, one of them twice, and a file that is no image."""
    folder = make_folder(tmp_path / "messy", ["grey", "yellow"], 12)
    (folder / "grey" / "copy.png").write_bytes((folder / "grey" / "000.png").read_bytes())
    (folder / "grey" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def built(run: Run, quick: str, messy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pool"
    assert run("pool", "build", path, messy, "--backbone", quick).exit_code == 0
    return path


def test_build_says_what_became_of_the_images(
    run: Run, quick: str, messy: Path, tmp_path: Path
) -> None:
    result = run("pool", "build", tmp_path / "p", messy, "--backbone", quick)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "24 images added" in text
    assert "1 is a copy of another" in text
    assert f"{tmp_path}/p: 24 images." in result.stdout
    assert f"Now: outgroup pool show {tmp_path}/p" in result.stdout
    assert "1 file could not be read" in result.stderr
    assert "notes.txt: not a supported image format" in result.stderr


def test_the_same_command_goes_on_where_it_was(
    run: Run, quick: str, messy: Path, built: Path
) -> None:
    again = run("pool", "build", built, messy, "--backbone", quick, "--json")
    assert again.exit_code == 0
    found = json.loads(again.stdout)
    assert found["images"] == 24
    (source,) = found["sources"]
    assert (source["images"], source["there"], source["n_unreadable"]) == (0, 25, 1)


def test_add_needs_a_pool_and_gives_sources_a_name(
    run: Run, built: Path, new: Path, tmp_path: Path
) -> None:
    missing = run("pool", "add", tmp_path / "nowhere", new)
    assert missing.exit_code == 1
    assert "there is no pool. Make one with: outgroup pool build" in missing.stderr
    result = run("pool", "add", built, new / "pink", new / "red", "--name", "warm", "--json")
    assert result.exit_code == 0
    assert [source["images"] for source in json.loads(result.stdout)["sources"]] == [5, 5]
    assert Pool(built).counts()["warm"].kept == 10


def test_show_lists_what_each_source_gave(run: Run, built: Path) -> None:
    pool = Pool(built)
    pool.quarantine([1, 2], "looks like a cat")
    result = run("pool", "show", built)
    assert (result.exit_code, result.stderr) == (0, "")
    assert fits(result.stdout)
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    assert rows["grey"] == ["10", "2", "0", "1", "1"]
    assert rows["yellow"] == ["12", "0", "0", "0", "0"]
    assert rows["all"] == ["22", "2", "0", "1", "1"]
    assert "24 images of 2 sources" in result.stdout


def test_show_tells_machines_the_same(run: Run, built: Path) -> None:
    found = json.loads(run("pool", "show", built, "--json").stdout)
    assert found["images"] == 24
    assert found["sources"]["grey"]["duplicates"] == 1
    assert found["total"]["kept"] == 24
    assert found["sheet"] is None


def test_many_sources_are_summed_up_unless_all_are_asked_for(
    run: Run, quick: str, make_picture: Callable[[str, int], Image.Image], tmp_path: Path
) -> None:
    for i in range(45):
        folder = tmp_path / "many" / f"kind_{i:02d}_{'long' * 12}"
        folder.mkdir(parents=True)
        make_picture("red", i).save(folder / "a.png")
    run("pool", "build", tmp_path / "p", tmp_path / "many", "--backbone", quick)
    some = run("pool", "show", tmp_path / "p").stdout
    assert "(5 smaller ones)" in some
    assert some.count("kind_") == 40
    assert fits(some)
    assert run("pool", "show", tmp_path / "p", "--all").stdout.count("kind_") == 45


def test_sheet_is_a_picture_or_a_page_of_each_source(run: Run, built: Path, tmp_path: Path) -> None:
    for name in ("sheet.jpg", "sheet.html"):
        result = run("pool", "show", built, "--sheet", tmp_path / name)
        assert result.exit_code == 0
        assert f"Sheet: {tmp_path}/{name}" in result.stdout
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert sheet.height > 2 * 84
        assert len(sheet.resize((40, 40)).getcolors(1600) or []) > 20
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert len(re.findall(r'<img [^>]*src="data:image/jpeg;base64,', page)) == 20
    assert "<h2>grey: 12 images</h2>" in page
    assert "http:" not in page
    assert "https:" not in page


def test_sheet_of_another_kind_is_refused(run: Run, built: Path, tmp_path: Path) -> None:
    result = run("pool", "show", built, "--sheet", tmp_path / "sheet.pdf")
    assert result.exit_code == 2
    assert "must be a file that ends in .jpg, .jpeg, .html" in result.stderr
    assert run("pool", "show", built, "--sheet", tmp_path / "no" / "s.jpg").exit_code == 2


def test_verify_finds_what_is_damaged_and_repairs_it(run: Run, built: Path) -> None:
    fine = run("pool", "verify", built)
    assert (fine.exit_code, fine.stdout) == (0, "24 images: no problems.\n")
    (shard,) = built.glob("shards/*.tar")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    found = run("pool", "verify", built)
    assert found.exit_code == 3
    assert "24 images: 1 problem." in found.stdout
    assert "--repair" in found.stderr
    machine = json.loads(run("pool", "verify", built, "--json").stdout)
    assert (machine["sound"], machine["n_problems"]) == (False, 1)
    repaired = run("pool", "verify", built, "--repair")
    assert repaired.exit_code == 0
    assert "(repaired)" in repaired.stdout


def test_damaged_source_costs_what_is_damaged_and_no_other_source(
    run: Run, quick: str, new: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.tar"
    with tarfile.open(whole, "w") as tar:
        tar.add(new / "red", "red")
    (tmp_path / "half.tar").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    pool = tmp_path / "p"
    result = run("pool", "build", pool, tmp_path / "half.tar", new / "pink", "--backbone", quick)
    assert result.exit_code == 1
    assert "half.tar can't be read in full" in result.stderr
    counts = Pool(pool).counts()
    assert 0 < counts["red"].kept < 5
    assert counts["pink"].kept == 5
    again = run("pool", "build", pool, whole, "--backbone", quick, "--json")
    assert again.exit_code == 0
    assert Pool(pool).counts()["red"].kept == 5


def test_files_that_are_not_taken_are_named(
    run: Run, quick: str, messy: Path, tmp_path: Path
) -> None:
    (messy / ".hidden.png").write_bytes(b"")
    result = run("pool", "build", tmp_path / "p", messy, "--backbone", quick)
    assert "1 file skipped (not an image)" in result.stderr
    assert ".hidden.png: a hidden or system file" in result.stderr


def test_sources_without_images_and_wrong_ones_are_plain_errors(
    run: Run, quick: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    empty = run("pool", "build", tmp_path / "p", tmp_path / "empty", "--backbone", quick)
    assert empty.exit_code == 1
    assert "no image" in empty.stderr
    (tmp_path / "cut.tar").write_bytes(b"")
    cut = run("pool", "build", tmp_path / "p", tmp_path / "cut.tar", "--backbone", quick)
    assert cut.exit_code == 1
    assert f"{tmp_path}/p: 0 images." in cut.stdout
    assert "Now:" not in cut.stdout  # there is nothing to show
    wrong = run("pool", "build", tmp_path / "p", tmp_path / "nothing", "--backbone", quick)
    assert wrong.exit_code == 2
    assert "Invalid `source`: must be a file or folder that exists" in wrong.stderr


@pytest.mark.parametrize("command", ["build", "add", "embed", "purge", "mine"])
def test_the_extra_that_an_engine_needs_is_named(run: Run, command: str) -> None:
    shown = " ".join(run("pool", command, "--help").stdout.replace("│", " ").split())
    assert "(needs the extra ray)" in shown


@pytest.mark.parametrize(
    "command", ["build", "add", "embed", "show", "purge", "mine", "verify", "sources"]
)
def test_every_pool_command_explains_itself(run: Run, command: str) -> None:
    result = run("pool", command, "--help")
    assert result.exit_code == 0
    assert fits(result.stdout)


def test_a_second_backbone_is_embedded_once_and_shown(
    run: Run, built: Path, network_file: Path
) -> None:
    second = f"onnx:{network_file}"
    model = onnx.load(network_file)
    model.doc_string = "another digest"
    onnx.save(model, network_file)
    done = run("pool", "embed", built, "--backbone", second)
    assert done.exit_code == 0
    assert "24 images embedded by onnx:" in " ".join(done.stdout.split())
    found = json.loads(run("pool", "embed", built, "--backbone", second, "--json").stdout)
    assert (found["images"], found["new"]) == (24, 0)
    shown = " ".join(run("pool", "show", built).stdout.split())
    assert "Of 24 images there are embeddings by onnx:" in shown
    shown = json.loads(run("pool", "show", built, "--json").stdout)
    assert shown["other_backbones"] == {second: 24}
    assert run("pool", "verify", built).exit_code == 0
    assert run("pool", "embed", built, "--backbone", "no-such").exit_code == 2
