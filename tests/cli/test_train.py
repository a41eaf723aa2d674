from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import outgroup as library

Run = Callable[..., Any]


@pytest.fixture
def own_photos(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photos", ["blue", "red"], 12)


def test_train_writes_a_model_and_says_what_it_promises(
    outgroup: Run, photos: Path, odds: Path, quick: str, tmp_path: Path
) -> None:
    out = tmp_path / "model.outgroup"
    done = outgroup(
        "train", photos, "--out", out, "--other", odds / "grey", "--pool", odds / "yellow",
        "--backbone", quick, "--strategy", "sigmoid",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    model = library.load(out)
    assert model.classes == ("blue", "green", "red")
    text = " ".join(done.stdout.split())
    for guarantee in model.certificate.guarantees:
        assert guarantee.sentence in text
    assert "Strategy: sigmoid" in text
    assert "green 25" in text
    assert "(none of these) 24" in text
    assert f"Saved {out} (" in done.stdout
    assert f"Now: outgroup predict {out} FOLDER" in done.stdout


def test_train_says_why_it_takes_what_it_takes(
    run: Run, photos: Path, quick: str, tmp_path: Path
) -> None:
    result = run("train", photos, "--out", tmp_path / "model.outgroup", "--backbone", quick)
    assert result.exit_code == 0
    choice = library.load(tmp_path / "model.outgroup").contents.training.options["choice"]
    assert choice["reason"] in " ".join(result.stdout.split())


def test_train_takes_a_head_with_its_options_and_layers(
    run: Run, photos: Path, odds: Path, new: Path, quick: str, tmp_path: Path
) -> None:
    out = tmp_path / "model.outgroup"
    result = run(
        "train", photos, "-o", out, "--other", odds, "--backbone", quick, "--strategy", "sigmoid",
        "--head", "mlp-sigmoid,hidden=8,epochs=20", "--layers", "last,logits",
    )  # fmt: skip
    assert result.exit_code == 0
    model = library.load(out)
    strategy: Any = model.contents.model.strategy
    assert (strategy.head.name, strategy.head.hidden) == ("mlp-sigmoid", 8)
    assert strategy.layers == ("last", "logits")
    options = model.contents.training.options
    assert options["head"] == "mlp-sigmoid,hidden=8,epochs=20"
    assert options["layers"] == ["last", "logits"]
    again = library.ImageClassifier(
        strategy="sigmoid", backbone=quick, cache=False,
        head="mlp-sigmoid,hidden=8,epochs=20", layers=["last", "logits"],
    ).fit(photos, other=odds)  # fmt: skip
    expected = again.predict(new)
    assert (model.predict(new).other_score == expected.other_score).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--head", "linear-softmax"), "takes one of focal-sigmoid"),
        (("--head", "focal-sigmoid,gama=1"), "got 'gama=1'"),
        (("--layers", "first"), "`layers`: must be a sequence of some of"),
        (("--layers", "second-last"), "must name layers of the backbone"),
        (
            ("--strategy", "auto", "--head", "linear-sigmoid"),
            "must be named where `head`",
        ),
    ],
)
def test_a_head_or_layer_that_there_is_not_is_a_usage_error(
    run: Run, photos: Path, quick: str, tmp_path: Path, given: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "model.outgroup"
    done = run("train", photos, "-o", out, "--backbone", quick, "--strategy", "sigmoid", *given)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not out.exists()


def test_a_lower_threshold_is_spoken_of_where_many_unknown_images_are_accepted(
    run: Run,
    photos: Path,
    odds: Path,
    quick: str,
    tmp_path: Path,
    make_picture: Callable[[str, int], Image.Image],
) -> None:
    out, alike = tmp_path / "model.outgroup", tmp_path / "alike"
    for i, name in enumerate(("a", "b", "c")):  # left out, each looks like the others
        (alike / name).mkdir(parents=True)
        for number in range(20):
            make_picture("grey", 20 * i + number).save(alike / name / f"{number}.png")
    told = " ".join(run("train", alike, "-o", out, "--backbone", quick).stdout.split())
    found = re.search(r"To accept fewer of them, .*: --max-known-rejected ([\d.]+) \(", told)
    assert found is not None
    stricter = run("train", alike, "-o", out, "--backbone", quick, "--max-known-rejected", found[1])
    assert stricter.exit_code == 0
    easy = run("train", photos, "-o", out, "--other", odds, "--backbone", quick)
    assert "To accept fewer" not in easy.stdout


def test_train_tells_machines_the_same(
    run: Run, photos: Path, odds: Path, quick: str, tmp_path: Path
) -> None:
    out = tmp_path / "model.outgroup"
    result = run("train", photos, "-o", out, "--other", odds, "--backbone", quick, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    model = library.load(out)
    assert found["model"] == str(out)
    assert found["classes"] == {"blue": 25, "green": 25, "red": 25}
    assert found["n_others"] == 24
    assert found["threshold"] == model.threshold
    assert found["certificate"] == model.certificate.to_dict()
    assert found["strategy"] == model.contents.model.strategy.name
    assert found["choice"] == model.contents.training.options["choice"]
    assert found["choice"]["name"].partition(":")[0] == found["strategy"]
    assert found["unreadable"] == found["skipped"] == found["contradictory"] == []
    assert found["n_unlabelled"] == 0


def test_options_reach_the_model(
    run: Run, photos: Path, odds: Path, quick: str, tmp_path: Path
) -> None:
    out = tmp_path / "model.outgroup"
    result = run(
        "train", photos, "--out", out, "--other", odds, "--backbone", quick, "--seed", "4",
        "--strategy", "softmax", "--max-known-rejected", "0.2", "--max-other-accepted", "0.9",
        "--confidence", "0.9", "--no-cache",
    )  # fmt: skip
    assert result.exit_code == 0
    options = library.load(out).contents.training.options
    assert options["seed"] == 4
    assert options["strategy"] == "softmax"
    assert options["max_known_rejected"] == 0.2
    assert options["max_other_accepted"] == 0.9
    assert options["confidence"] == 0.9


@pytest.mark.parametrize("options", [(), ("--no-paths",)])
def test_paths_of_training_images_are_kept_unless_told_not_to(
    run: Run, photos: Path, quick: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    out = tmp_path / "model.outgroup"
    assert run("train", photos, "--out", out, "--backbone", quick, *options).exit_code == 0
    assert (str(photos).encode() in out.read_bytes()) == (not options)


def test_images_that_are_left_out_are_told(
    run: Run, own_photos: Path, quick: str, tmp_path: Path
) -> None:
    for i in range(7):
        (own_photos / "red" / f"note{i}.txt").write_text("x")
    (own_photos / "red" / ".hidden").touch()
    shutil.copy(own_photos / "red" / "000.png", own_photos / "blue" / "odd.png")
    out = tmp_path / "model.outgroup"
    arguments = ("train", own_photos, "--out", out, "--backbone", quick, "--strategy", "softmax")
    result = run(*arguments)
    assert result.exit_code == 0
    told = result.stderr.splitlines()
    assert told[0] == "7 files could not be read:"
    assert told[1].startswith(f"  {own_photos}/red/note0.txt: ")
    assert told[6] == "  and 2 more"
    assert told[7] == "2 files left out, because their labels contradict each other:"
    assert told[10] == "1 file skipped (not an image):"
    assert len(told) == 12

    found = json.loads(run(*arguments, "--json").stdout)
    assert len(found["unreadable"]) == 7
    assert [Path(f["path"]).name for f in found["contradictory"]] == ["odd.png", "000.png"]
    assert found["skipped"][0]["reason"] == "a hidden or system file"


def test_unlabelled_rows_are_told(run: Run, photos: Path, quick: str, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.png"))
    rows = [f"{file}\t{file.parent.name}" for file in files] + ["lonely.png"]
    table = tmp_path / "photos.tsv"
    table.write_text("path\tlabel\n" + "\n".join(rows) + "\n")
    out = tmp_path / "model.outgroup"
    result = run("train", table, "--out", out, "--backbone", quick, "--strategy", "softmax")
    assert result.exit_code == 0
    assert "1 images have no label and were not used." in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--strategy", "sotfmax"], 2, "Did you mean 'softmax'?"),
        (["--backbone", "resnet"], 2, "Invalid `backbone`: must be one of"),
        (["--max-known-rejected", "5"], 2, "Invalid `max_known_rejected`: must be a share"),
        (["--max-known-rejected", "0.001"], 1, "at least 2995"),
        (["--strategy", "other-class"], 2, "'other-class' learns from negatives"),
        (["--max-other-accepted", "0.1"], 2, "max_other_accepted"),
        (["--backbone", "onnx:/no/such.onnx"], 1, "/no/such.onnx"),
        (["--seed", "x"], 2, "--seed"),
        (["--nonsense"], 2, "--nonsense"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_done_is_one_message(
    run: Run, photos: Path, quick: str, tmp_path: Path,
    options: list[str], code: int, message: str,
) -> None:  # fmt: skip
    out = tmp_path / "model.outgroup"
    backbone = [] if "--backbone" in options else ["--backbone", quick]
    result = run("train", photos, "--out", out, *backbone, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    plain = re.sub(r"\x1b\[[\d;]*m", "", result.stderr)
    assert message in plain
    assert "Traceback" not in plain
    assert not out.exists()


def test_place_of_the_model_is_looked_at_first(
    run: Run, own_photos: Path, quick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for out, problem in (
        (tmp_path, "a folder."),
        (tmp_path / "missing" / "m.outgroup", "which does not exist."),
    ):
        result = run("train", own_photos, "--out", out, "--backbone", quick)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: Invalid `--out`: must be a file in a folder")
        assert result.stderr.endswith(f"{problem}\n")
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # also for root
    result = run("train", own_photos, "--out", tmp_path / "m.outgroup", "--backbone", quick)
    assert result.exit_code == 2
    assert result.stderr.endswith("which may not be written to.\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "Error: [Errno 28] No space left on device\n"),
        (PermissionError(13, "Permission denied", "/m"), "Error: /m: Permission denied\n"),
    ],
)
def test_full_disk_is_one_message(
    run: Run, own_photos: Path, quick: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, error: OSError, message: str,
) -> None:  # fmt: skip
    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    out = tmp_path / "model.outgroup"
    result = run("train", own_photos, "--out", out, "--backbone", quick, "--strategy", "softmax",
                 "--no-cache")  # fmt: skip
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", message)
    assert not out.exists()


def test_data_that_is_none_is_one_message(outgroup: Run, run: Run, tmp_path: Path) -> None:
    told = run("train", tmp_path / "nowhere", "--out", tmp_path / "m.outgroup")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("Error: Invalid `data`: must be a folder")
    done = outgroup("train", tmp_path, "--out", tmp_path / "m.outgroup")
    assert (done.returncode, done.stdout) == (1, "")
    assert "one folder a class" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (
            KeyboardInterrupt(),
            130,
            "Stopped. Embeddings and epochs of tuning done so far are kept.\n",
        ),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
    ],
    ids=["Ctrl-C", "closed pipe"],
)
def test_what_comes_from_outside_is_no_traceback(
    run: Run, own_photos: Path, quick: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, message: str,
) -> None:  # fmt: skip
    def stop(descriptor: int) -> None:
        raise raised

    monkeypatch.setattr(os, "fsync", stop)
    result = run("train", own_photos, "--out", tmp_path / "model.outgroup", "--backbone", quick,
                 "--strategy", "softmax", "--no-cache")  # fmt: skip
    assert (result.exit_code, result.stderr) == (code, message)
    assert not list(tmp_path.glob("*.outgroup"))


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_interrupt_ends_with_a_plain_line(photos: Path, quick: str, tmp_path: Path) -> None:
    out = tmp_path / "model.outgroup"
    # Training that never ends, and that says when it has begun.
    code = (
        "import sys, time, outgroup.cli, outgroup.embeddings.embedder as embedder\n"
        "def run(*_):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(0.05)\n"
        "    return slow(*_)\n"
        "slow, embedder.Embedder._embed_one = embedder.Embedder._embed_one, run\n"
        "outgroup.cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "train", photos, "--out", out, "--backbone", quick],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # two threads may say it in one line
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "Stopped. Embeddings and epochs of tuning done so far are kept.\n"
    assert not out.exists()
