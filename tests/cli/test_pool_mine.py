"""``outgroup pool mine``: the command."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import outgroup
from outgroup.cli import app
from outgroup.mining import memory
from outgroup.pool import Pool


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """600 pictures that are none of the classes; not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "many"
    return make_folder(folder, ["grey", "pink", "yellow"], 200, first=5000)


@pytest.fixture
def run(model_file: Path, photos: Path, odds: Path, tmp_path: Path) -> Callable[..., Result]:
    def invoke(*arguments: Any, **more: Any) -> Result:
        command = ["pool", "mine", str(model_file), "--known", str(photos), "--no-cache"]
        command += [
            "--other",
            str(odds),
            "--out",
            str(tmp_path / "mined.outgroup"),
            *map(str, arguments),
        ]
        return CliRunner().invoke(app, command, **more)

    return invoke


def test_a_folder_is_mined_and_the_model_written(
    run: Callable[..., Result], many: Path, tmp_path: Path
) -> None:
    done = run("--stream", many, "--target", 0.02)
    assert done.exit_code == 0, done.output
    assert "On this stream at most" in done.stdout
    assert "At most" in done.stdout
    assert "Saved" in done.stdout
    model = outgroup.load(tmp_path / "mined.outgroup")
    assert model.certificate.guarantees[-1].population == "images of the stream that was mined"


def test_the_same_command_resumes_a_killed_run(
    run: Callable[..., Result], many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def write_and_die(path: Path, data: bytes) -> None:
        write(path, data)
        raise Killed

    write = memory.write_whole
    given = ("--stream", many, "--target", 0.0001)
    with monkeypatch.context() as patched:
        patched.setattr(memory, "PAUSE", 0.0)
        patched.setattr(memory, "write_whole", write_and_die)
        with pytest.raises(Killed):
            run(*given)
    state = tmp_path / "mined.outgroup.mining"
    assert state.exists()
    refused = run("--stream", many, "--target", 0.01)
    assert refused.exit_code == 2
    assert "Invalid `target`: must be 0.0001, as when" in " ".join(refused.stderr.split())
    done = run(*given)
    assert done.exit_code == 0, done.output
    assert "Resumed after 256 images" in done.stderr
    assert not state.exists()
    resumed = (tmp_path / "mined.outgroup").read_bytes()
    assert run(*given).exit_code == 0
    assert (tmp_path / "mined.outgroup").read_bytes() == resumed


def test_json_has_the_counts_and_the_certificate(run: Callable[..., Result], many: Path) -> None:
    done = run("--stream", many, "--stream", many / "pink", "--images", 300, "--json")
    found = json.loads(done.stdout)
    assert found["read"] == 300
    assert found["stages"][-1]["bound"] == found["bound"]
    assert found["certificate"]["guarantees"][-1]["event"] == "accepted"


def test_paths_come_from_standard_input(run: Callable[..., Result], many: Path) -> None:
    paths = [*map(str, sorted(many.rglob("*.png"))), "", "no/such/file.png"]
    done = run("--stream", "-", "--target", 0.0001, "--json", input="\n".join(paths) + "\n")
    found = json.loads(done.stdout)
    assert (found["read"], found["unreadable"], found["stopped"]) == (601, 1, "end")


def test_suspects_are_listed_in_a_file(
    run: Callable[..., Result], many: Path, photos: Path, new: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "suspects.csv"
    done = run("--stream", many, "--stream", new, "--target", 0.0001, "--suspects", listed)
    assert done.exit_code == 0, done.output
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert Path(row["path"]).parent.name == row["looks_like"]
    assert f"{len(rows)} images look like a known class" in " ".join(done.stdout.split())


def test_an_invalid_stream_is_refused(run: Callable[..., Result]) -> None:
    done = run("--stream", "nowhere")
    assert done.exit_code == 2
    assert "got 'nowhere'" in done.stderr
    assert run("--stream", "-", "--stream", ".").exit_code == 2


def test_an_output_that_can_not_be_written_is_refused_before_any_work(
    run: Callable[..., Result], many: Path, tmp_path: Path
) -> None:
    done = run("--stream", many, "--suspects", tmp_path / "no" / "suspects.csv")
    assert done.exit_code == 2
    assert "Invalid `--suspects`" in done.stderr


def test_ctrl_c_writes_the_result_so_far(
    run: Callable[..., Result], many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(file: object):
        yield from map(str, sorted(many.rglob("*.png"))[:300])
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["outgroup.cli.pool_mining"], "_lines", lines)
    done = run("--stream", "-", "--target", 0.0001)
    assert done.exit_code == 130
    assert "It was interrupted." in done.stdout
    assert (tmp_path / "mined.outgroup").exists()


def test_images_in_quarantine_are_not_in_the_stream_of_a_pool(
    run: Callable[..., Result], many: Path, quick: str, tmp_path: Path
) -> None:
    pool = Pool.create(tmp_path / "pool", backbone=quick)
    pool.add(many)
    pool.quarantine(range(50), "looks blue")
    done = run("--stream", tmp_path / "pool", "--target", 0.0001, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["read"], found["unreadable"]) == (550, 0)
    assert sum(stage["images"] for stage in found["stages"]) == 550
