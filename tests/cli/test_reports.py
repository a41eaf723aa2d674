from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import outgroup as library
from outgroup import ImageClassifier, cli
from outgroup.cli import demo
from outgroup.evaluation import Rate
from outgroup.selection import LINEUP

Run = Callable[..., Any]
COMMANDS = ("train", "compare", "predict", "evaluate", "methods", "backbones", "demo", "pool")


@pytest.fixture
def test_photos(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return make_folder(tmp_path / "test", ["blue", "green", "red"], 6, first=200)


def fits(output: str) -> bool:
    return max(map(len, output.splitlines())) <= 80


def test_evaluate_prints_a_table_of_each_kind(
    run: Run, model_file: Path, test_photos: Path, odds: Path, new: Path
) -> None:
    found, _ = library.load(model_file).evaluate(test_photos, [odds, new / "pink"])
    result = run(
        "evaluate", model_file, "--known", test_photos, "--unknown", odds, "--unknown", new / "pink"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert fits(result.stdout)
    rows = {
        line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()
    }
    for unknown in found.unknown:
        n, share, *_ = rows[unknown.name]
        assert n == str(unknown.accepted.n)
        assert float(share) == pytest.approx(100 * (unknown.accepted.value or 0), abs=0.05)
    assert rows["red"][0] == "6"
    assert "known class" in result.stdout
    assert "right %" in result.stdout
    assert "AUROC" in result.stdout


def test_evaluate_tells_machines_the_same(
    run: Run, model_file: Path, test_photos: Path, odds: Path
) -> None:
    found, unreadable = library.load(model_file).evaluate(test_photos, [odds])
    result = run("evaluate", model_file, "--known", test_photos, "--unknown", odds, "--json")
    assert result.exit_code == 0
    expected = {**found.to_dict(), "unreadable": [vars(file) for file in unreadable]}
    assert json.loads(result.stdout) == json.loads(json.dumps(expected))


def test_evaluate_without_unknown_images_has_one_table(
    run: Run, model_file: Path, test_photos: Path
) -> None:
    result = run("evaluate", model_file, "--known", test_photos)
    assert result.exit_code == 0
    assert "AUROC" not in result.stdout


def test_evaluate_counts_what_it_could_not_read(
    run: Run, model_file: Path, test_photos: Path
) -> None:
    (test_photos / "red" / "notes.txt").write_text("x")
    result = run("evaluate", model_file, "--known", test_photos, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["unreadable"][0]["reason"]
    assert "notes.txt: not a supported image format" in result.stderr


def test_evaluate_on_labels_of_another_model_is_one_message(
    run: Run, model_file: Path, new: Path
) -> None:
    result = run("evaluate", model_file, "--known", new)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There are classes that the model does not know: pink.")


def test_compare_lists_the_strategies_and_chooses_one(
    run: Run, photos: Path, odds: Path, quick: str
) -> None:
    result = run("compare", photos, "--other", odds, "--backbone", quick)
    assert (result.exit_code, result.stderr) == (0, "")
    assert fits(result.stdout)
    for name in ("softmax", "detector:knn", "sigmoid", "other-class", "blend"):
        assert re.search(rf"^{name} +\d+\.\d +\d+\.\d", result.stdout, re.MULTILINE)
    assert re.search(r"^odds +neg\. +\d+\.\d \[", result.stdout, re.MULTILINE)

    found = json.loads(
        run("compare", photos, "--other", odds, "--backbone", quick, "--json").stdout
    )
    assert [row["name"] for row in found["strategies"]] == list(LINEUP)
    assert f"Choice: {found['chosen']['name']}: " in result.stdout
    for row in found["strategies"]:
        assert row["known_rejected"]["n"] == 75
        kinds = {source["kind"] for source in row["sources"]}
        assert kinds == {"left-out classes", "held-out negatives", "synthetic garbage"}


def test_compare_says_what_other_thresholds_would_do(
    run: Run, photos: Path, odds: Path, quick: str
) -> None:
    options = ("--other", odds, "--backbone", quick, "--strategy", "detector")
    found = json.loads(run("compare", photos, *options, "--json").stdout)
    rows = found["strategies"][0]["trade_off"]
    assert [row["known_rejected"] for row in rows] == [0.02, 0.05, 0.1, 0.2, 0.3]
    text = run("compare", photos, *options).stdout
    assert "detector by other thresholds" in text
    for row in rows:
        cells = rf"^{row['known_rejected']:.0%} +{row['at_most']:.1%} +{row['accepted']:.1%}$"
        assert re.search(cells, text, re.MULTILINE)
    assert f"--max-known-rejected {rows[-1]['at_most']} gives" in " ".join(text.split())


def test_a_guarantee_that_needs_more_images_is_not_compared_for(
    run: Run, photos: Path, quick: str
) -> None:
    result = run("compare", photos, "--backbone", quick, "--max-known-rejected", "0.01")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "from 75 held-out images: at least 299" in " ".join(result.stderr.split())


def test_compare_draws_a_picture(run: Run, photos: Path, quick: str, tmp_path: Path) -> None:
    plot = tmp_path / "compared.svg"
    options = ("--backbone", quick, "--strategy", "detector", "--strategy", "softmax")
    assert run("compare", photos, *options, "--plot", plot).exit_code == 0
    texts = [text.text for text in ElementTree.parse(plot).iter("{http://www.w3.org/2000/svg}text")]
    assert {"detector", "softmax", "left-out classes", "synthetic garbage"} <= {*texts}
    result = run("compare", photos, *options, "--plot", tmp_path / "no" / "folder.svg")
    assert result.exit_code == 2
    assert "`--plot`" in result.stderr


def test_compare_takes_the_strategies_that_are_named(run: Run, photos: Path, quick: str) -> None:
    result = run(
        "compare", photos, "--backbone", quick, "--strategy", "detector:knn",
        "--strategy", "other-class",
    )  # fmt: skip
    assert result.exit_code == 0
    assert "Choice: detector:knn: " in result.stdout
    assert "sigmoid" not in result.stdout
    assert result.stderr.startswith("other-class: The strategy 'other-class' learns from")
    result = run("compare", photos, "--strategy", "no-such")
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", ["methods", "backbones"])
def test_lists_fit_and_say_the_same_to_machines(run: Run, command: str) -> None:
    result = run(command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert fits(result.stdout)
    listed = json.loads(run(command, "--json").stdout)
    for row in listed:
        assert (row.get("spec") or row["name"]) in result.stdout
        assert row["summary"]
        assert row.get("reference") or row.get("licence")
    if command == "methods":
        kinds = {"strategy", "label strategy", "head", "detector", "generator"}
        assert {row["kind"] for row in listed} == kinds


HOSTILE = ["[/red] [bold]", "a class with a name that is longer than a table has room for" * 2, "c"]


def test_names_are_neither_markup_nor_too_wide(
    run: Run, make_picture: Callable[..., Any], quick: str, tmp_path: Path
) -> None:
    colours = dict(zip(("blue", "green", "red"), HOSTILE, strict=True))
    rows = []
    for colour, name in colours.items():
        for i in range(12):
            make_picture(colour, i).save(tmp_path / f"{colour}{i}.png")
            rows.append(f'{colour}{i}.png,"{name}"')
    table = tmp_path / "photos.csv"
    table.write_text("path,label\n" + "\n".join(rows) + "\n")
    model = tmp_path / "m.outgroup"
    trained = run("train", table, "--out", model, "--backbone", quick, "--strategy", "softmax")
    assert trained.exit_code == 0
    measured = run("evaluate", model, "--known", table)
    assert measured.exit_code == 0
    for output in (trained.stdout, measured.stdout):
        shown = [line for line in output.splitlines() if str(tmp_path) not in line]
        assert fits("\n".join(shown))
        assert "[/red]" in output
        squeezed = "".join("".join(line[:20] for line in shown).split())
        assert "aclasswith" in squeezed
    predicted = run("predict", model, tmp_path / "blue0.png", "--threshold", "1e9")
    assert predicted.stdout.split("\t")[1] == "[/red] [bold]"


def test_error_message_is_not_taken_for_markup(run: Run, tmp_path: Path) -> None:
    result = run("predict", tmp_path / "[bold]m[/red].outgroup", tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path}/[bold]m[/red].outgroup: there is no such file." in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert fits(result.stdout)
    assert "Usage:" in result.stdout


def test_help_lists_all_commands(outgroup: Run) -> None:
    done = outgroup("--help", env={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert command in done.stdout


def test_call_without_a_command_or_with_a_wrong_one_is_a_usage_error(
    outgroup: Run, run: Run
) -> None:
    assert outgroup().returncode == run().exit_code == 2
    for arguments in (["nonsense"], ["predict"], ["train", "photos"], ["methods", "--nonsense"]):
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "Usage:" in done.stderr
        assert "Traceback" not in done.stderr


def test_installed_command_is_the_tested_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["outgroup", "backbones", "--json"])
    with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert len(json.loads(capsys.readouterr().out)) >= 3


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch, trained: ImageClassifier) -> None:
    """The demonstration's result without its work; `tests/test_demo.py` runs it."""

    def run(folder: Path) -> demo.DemoResult:
        rows = [
            demo.DemoRow(
                name,
                right=Rate(90, 100),
                rejected=Rate(k, 100),
                accepted={"digits 8 and 9": Rate(k, 60), "photographs": Rate(0, 0)},
            )
            for k, name in enumerate(("outgroup", "softmax at 0.5", "softmax at 0.95"))
        ]
        folder.mkdir()
        model = trained.save(folder / "digits.outgroup")
        return demo.DemoResult(
            tuple(rows), trained.certificate.sentence, model, folder / "scores.svg"
        )

    monkeypatch.setattr(demo, "run_demo", run)


@pytest.mark.usefixtures("small_demo")
def test_demo_prints_a_table_and_what_it_means(run: Run, tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert fits("\n".join(line for line in result.stdout.splitlines() if "tmp" not in line))
    text = " ".join(result.stdout.split())
    assert "Right and rejected: shares of new images" in text
    assert "At most" in text
    assert f"Model: {tmp_path}/out/digits.outgroup" in text
    assert "none" in text  # nothing was counted


@pytest.mark.usefixtures("small_demo")
def test_demo_tells_machines_the_same(run: Run, tmp_path: Path) -> None:
    found = json.loads(run("demo", "--out", tmp_path / "out", "--json").stdout)
    assert set(found) == {"rows", "certificate", "model", "picture"}
    assert Path(found["model"]).is_file()
    assert found["rows"][0]["name"] == "outgroup"
    assert found["rows"][2]["accepted"]["digits 8 and 9"]["k"] == 2
