from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import outgroup as library
from outgroup import ImageClassifier
from outgroup.data import from_arrays

Run = Callable[..., Any]

CONTRACT = {
    "path": str,
    "label": (str, type(None)),
    "labels": list,
    "other": bool,
    "reason": str,
    "other_score": (float, type(None)),
    "threshold": (float, type(None)),
    "probabilities": dict,
    "error": (str, type(None)),
}


@pytest.fixture
def inbox(new: Path, tmp_path: Path) -> Path:
    """Two red pictures, a pink one and a text, in a folder that a test may change."""
    folder = tmp_path / "inbox"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(new / "red" / "100.png", folder / "a.png")
    shutil.copy(new / "red" / "101.png", folder / "deep" / "b.png")
    shutil.copy(new / "pink" / "100.png", folder / "pink.png")
    (folder / "z.txt").write_text("not a picture")
    return folder


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_lines_keep_the_contract(run: Run, model_file: Path, inbox: Path) -> None:
    result = run("predict", model_file, inbox, "--json", "--threshold", "-9")
    assert result.exit_code == 3
    found = lines(result.stdout)
    assert [line["path"] for line in found] == [
        str(inbox / name) for name in ("a.png", "deep/b.png", "pink.png", "z.txt")
    ]
    for line in found:
        assert list(line) == list(CONTRACT)
        for key, kind in CONTRACT.items():
            assert isinstance(line[key], kind), key
    red, _, pink, text = found
    assert red == {
        "path": str(inbox / "a.png"),
        "label": "red",
        "labels": ["red"],
        "other": False,
        "reason": "known",
        "other_score": red["other_score"],
        "threshold": -9.0,
        "probabilities": red["probabilities"],
        "error": None,
    }
    assert list(red["probabilities"]) == ["blue", "green", "red"]
    assert (pink["label"], pink["labels"], pink["other"]) == (None, [], True)
    assert (pink["reason"], pink["error"]) == ("unknown", None)
    assert text == {
        "path": str(inbox / "z.txt"),
        "label": None,
        "labels": [],
        "other": False,
        "reason": "unreadable",
        "other_score": None,
        "threshold": None,
        "probabilities": {},
        "error": text["error"],
    }
    assert text["error"]


def test_json_says_what_the_library_says(run: Run, model_file: Path, new: Path) -> None:
    result = run("predict", model_file, new, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    expected = library.load(model_file).predict(new)
    assert lines(result.stdout) == [answer.to_dict() for answer in expected]


def test_plain_lines_have_path_answer_and_score(run: Run, model_file: Path, inbox: Path) -> None:
    result = run("predict", model_file, inbox, "--threshold=-9", "--other-word", "niemand")
    assert result.exit_code == 3
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [(Path(path).name, said) for path, said, *_ in rows[:3]] == [
        ("a.png", "red"),
        ("b.png", "red"),
        ("pink.png", "niemand"),
    ]
    assert float(rows[0][2]) <= -9 < float(rows[2][2])
    assert rows[3][2] == "unreadable"
    plain = run("predict", model_file, inbox / "pink.png", "--threshold=-1e9").stdout
    assert plain.split("\t")[1] == "other"


def test_threshold_decides_again(run: Run, model_file: Path, inbox: Path) -> None:
    for threshold, other in (("-1e9", True), ("1e9", False)):
        result = run("predict", model_file, inbox / "a.png", "--json", f"--threshold={threshold}")
        (line,) = lines(result.stdout)
        assert (line["other"], line["threshold"]) == (other, float(threshold))
    result = run("predict", model_file, inbox, "--json", "--threshold", "nan")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: Invalid `threshold`: must be a finite number")


def test_paths_are_written_as_they_were_given(
    run: Run, model_file: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "linked").symlink_to(inbox / "deep")
    (inbox / "link.png").symlink_to(inbox / "a.png")
    given = ["./a.png", "deep/../link.png", "./deep/", "linked", "../inbox/deep"]
    monkeypatch.chdir(inbox)
    done = run("predict", model_file, *given, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line["path"] for line in lines(done.stdout)] == [
        "./a.png",
        "deep/../link.png",
        "./deep/b.png",
        "linked/b.png",
        "../inbox/deep/b.png",
    ]
    assert all(line["label"] == "red" for line in lines(done.stdout))


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are a matter of POSIX")
def test_name_of_any_bytes_is_a_line(outgroup: Run, model_file: Path, inbox: Path) -> None:
    names = [os.fsdecode(name) for name in (b"caf\xe9.png", b"new\nline\t\x1b[31m.png")]
    folder = inbox / "deep"
    (folder / "b.png").rename(folder / names[0])
    shutil.copy(folder / names[0], folder / names[1])

    done = outgroup("predict", model_file, folder, "--json")
    assert done.returncode == 0
    assert [line["path"] for line in lines(done.stdout)] == [f"{folder}/{n}" for n in names]

    plain = outgroup("predict", model_file, folder, folder / names[0])
    assert plain.returncode == 0
    assert len(plain.stdout.splitlines()) == 3
    assert f"{folder}/caf?.png\tred\t" in plain.stdout
    assert f"{folder}/new?line??[31m.png\tred\t" in plain.stdout


def test_terminal_that_knows_few_letters_gets_escapes(
    outgroup: Run, model_file: Path, inbox: Path
) -> None:
    (inbox / "a.png").rename(inbox / "Žirafa.png")
    done = outgroup("predict", model_file, inbox, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 3
    assert "\\u017dirafa.png\tred" in done.stdout


def test_damaged_metadata_is_no_warning(
    outgroup: Run, model_file: Path, make_picture: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "red.tif"
    make_picture("red", 99).save(path)
    data = bytearray(path.read_bytes())
    tags = int.from_bytes(data[4:8], "little") + 2
    last = tags + 12 * (int.from_bytes(data[tags - 2 : tags], "little") - 1)
    data[last : last + 12] = b"\xff\xee\x02\x00\x00\x00\x00\x10\x00\x00\x00\x10"  # 4 KiB of text
    path.write_bytes(data)
    done = outgroup("predict", model_file, path, "--json", env={"PYTHONWARNINGS": "default"})
    assert len(lines(done.stdout)) == 1
    assert done.stderr == ""


def test_missing_file_is_a_line_too(run: Run, model_file: Path, inbox: Path) -> None:
    done = run("predict", model_file, inbox / "nowhere.png", inbox / "a.png", "--json")
    assert done.exit_code == 3
    missing, found = lines(done.stdout)
    assert (missing["reason"], missing["error"]) == ("unreadable", "no such file")
    assert found["label"] == "red"


def test_empty_folder_is_no_mistake_and_hides_no_other(
    run: Run, model_file: Path, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    alone = run("predict", model_file, tmp_path / "empty", "--json")
    assert (alone.exit_code, alone.stdout) == (0, "")
    assert "has no files in it" in alone.stderr
    both = run("predict", model_file, tmp_path / "empty", inbox / "a.png", "--json")
    assert both.exit_code == 0
    assert len(both.stdout.splitlines()) == 1
    assert "has no files in it" in both.stderr


def test_files_that_are_not_taken_are_told(run: Run, model_file: Path, inbox: Path) -> None:
    for i in range(7):
        (inbox / f".hidden{i}").touch()
    result = run("predict", model_file, inbox, "--json")
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.splitlines()[0] == "7 files skipped (not an image):"
    assert f"{inbox}/.hidden0: a hidden or system file" in result.stderr
    assert result.stderr.splitlines()[-1] == "  and 2 more"
    assert len(result.stderr.splitlines()) == 7


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_model_that_is_none_is_one_plain_message(
    run: Run, inbox: Path, tmp_path: Path, content: bytes | None
) -> None:
    model = tmp_path / "model.outgroup"
    if content is not None:
        model.write_bytes(content)
    done = run("predict", model, inbox, "--json")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {model}: ")
    assert len(done.stderr.splitlines()) == 1


def test_installed_command_says_no_more_of_it(outgroup: Run, inbox: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.outgroup"
    model.write_bytes(b"no model")
    done = outgroup("predict", model, inbox, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {model}: ")
    assert len(done.stderr.splitlines()) == 1


def test_closed_pipe_is_quiet(model_file: Path, new: Path) -> None:
    program = Path(sysconfig.get_path("scripts")) / "outgroup"
    for options in ([], ["--json"]):
        process = subprocess.Popen(
            [program, "predict", model_file, new, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `head` does when it has its lines
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(timeout=60) == 1


@pytest.mark.filterwarnings("ignore:A class is named:outgroup.errors.DataWarning")
def test_class_named_like_the_word_for_other_stays_apart(
    run: Run, quick: str, make_picture: Callable[..., Any], tmp_path: Path
) -> None:
    names = {"red": "other", "blue": "blue"}
    rows = [(make_picture(c, i), name) for c, name in names.items() for i in range(12)]
    classifier = ImageClassifier(strategy="softmax", backbone=quick, cache=False)
    classifier.fit(from_arrays(*zip(*rows, strict=True)))
    model = classifier.save(tmp_path / "model.outgroup")
    make_picture("red", 50).save(tmp_path / "red.png")
    (line,) = lines(
        run("predict", model, tmp_path / "red.png", "--json", "--threshold", "1e9").stdout
    )
    assert (line["label"], line["other"]) == ("other", False)


def test_explained_json_lines_have_percentile_and_nearest(
    run: Run, model_file: Path, photos: Path, inbox: Path
) -> None:
    plain = lines(run("predict", model_file, inbox, "--json").stdout)
    result = run("predict", model_file, inbox, "--json", "--explain")
    assert result.exit_code == 3
    found = lines(result.stdout)
    for line, same in zip(found, plain, strict=True):
        assert list(line) == [*CONTRACT, "percentile", "nearest"]
        assert {key: line[key] for key in CONTRACT} == same
    red, _, pink, text = found
    assert [list(near) for near in red["nearest"]] == [["path", "label", "distance"]] * 5
    assert [near["label"] for near in red["nearest"]] == ["red"] * 5
    assert all(Path(near["path"]).parent == photos / "red" for near in red["nearest"])
    distances = [near["distance"] for near in red["nearest"]]
    assert distances == sorted(distances)
    assert 0 <= red["percentile"] < pink["percentile"] <= 100
    assert (text["percentile"], text["nearest"]) == (None, [])


def test_as_many_neighbours_as_are_asked_for(run: Run, model_file: Path, inbox: Path) -> None:
    for count in (0, 1, 8):
        result = run(
            "predict", model_file, inbox / "a.png", "--json", "--explain", "--nearest", count
        )
        (line,) = lines(result.stdout)
        assert len(line["nearest"]) == count
    result = run("predict", model_file, inbox, "--explain", "--nearest=-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: Invalid `nearest`: must be a whole number")


def test_plain_lines_say_why_an_image_is_other(run: Run, model_file: Path, inbox: Path) -> None:
    rows = run("predict", model_file, inbox, "--threshold=-9").stdout.splitlines()
    assert [len(row.split("\t")) for row in rows] == [3, 3, 4, 3]
    assert rows[2].split("\t")[3] == "like none of the classes"
    explained = run("predict", model_file, inbox, "--threshold=-9", "--explain").stdout
    red, _, pink, text = (row.split("\t") for row in explained.splitlines())
    assert [len(red), len(pink), len(text)] == [9, 10, 3]
    assert red[3].startswith("score above ")
    assert red[3].endswith(" % of known images")
    distance, _, label, path = red[4].split(" ", 3)
    assert 0 < float(distance) < 0.1
    assert label == "red"
    assert path.endswith(".png")


def test_image_between_two_classes_is_ambiguous_and_they_are_named(
    run: Run, quick: str, tmp_path: Path
) -> None:
    def dusk(red: float, grain: float, number: int = 0) -> Image.Image:
        """A picture that is more or less red, and else blue."""
        rng = np.random.default_rng(number)
        tiles = np.array([60 + 180 * red, 120, 240 - 180 * red]) + rng.normal(0, grain, (4, 4, 3))
        pixels = np.clip(tiles, 0, 255).astype(np.uint8)
        return Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST)

    samples = from_arrays(
        [dusk(0.35, 40, i) for i in range(40)] + [dusk(0.65, 40, 99 + i) for i in range(40)],
        ["blue"] * 40 + ["red"] * 40,
    )
    model = ImageClassifier(strategy="softmax", backbone=quick, cache=False).fit(samples)
    path = model.save(tmp_path / "model.outgroup")
    pictures = [tmp_path / f"{red}.png" for red in (0.35, 0.5, 0.65)]
    for red, picture in zip((0.35, 0.5, 0.65), pictures, strict=True):
        dusk(red, 0).save(picture)
    found = lines(run("predict", path, *pictures, "--threshold=-1e9", "--json").stdout)
    assert [line["reason"] for line in found] == ["unknown", "ambiguous", "unknown"]
    assert {line["label"] for line in found} == {None}
    found = lines(run("predict", path, *pictures, "--threshold=1e9", "--json").stdout)
    assert [line["reason"] for line in found] == ["known"] * 3
    plain = run("predict", path, pictures[1], "--threshold=-1e9").stdout.rstrip().split("\t")
    assert plain[1] == "other"
    assert plain[3] == "between red and blue"
