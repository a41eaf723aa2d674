"""Exit codes of commands that fail: 2 for a wrong call, else 1; and nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, World
from command_surface import run

FACTS = surface.Facts("command_failures")


@pytest.mark.parametrize("fact", FACTS)
def test_failures_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def codes(out: Path, command: str, *data: object, **cases: object) -> dict[str, int]:
    """Return the exit code of a command for each case, and check that it leaves nothing behind.

    What a model was trained to before stays as it was.
    """
    found = {}
    for case, given in cases.items():
        arguments = given if isinstance(given, tuple) else (given,)
        backbone = [] if "--backbone" in arguments else ["--backbone", QUICK]
        folder = out / case
        folder.mkdir()
        target = folder / "model.outgroup"
        target.write_text("an older model")
        wanted = [] if "--out" in arguments or command == "compare" else ["--out", target]
        told = run(command, *data, *arguments, *backbone, *wanted)
        assert told.out == "", case
        assert "Traceback" not in told.err, case
        assert target.read_text() == "an older model", case
        assert list(folder.iterdir()) == [target], case
        found[case] = told.code
    return found


@FACTS
def options_that_can_not_be_used_as_given(_: World, out: Path) -> Any:
    return codes(
        out,
        "train",
        "photos",
        strategy=("--strategy", "sotfmax"),
        detector=("--strategy", "softmax:enregy"),
        head_with_auto=("--head", "linear-sigmoid"),
        head_of_another_kind=("--strategy", "sigmoid", "--head", "linear-softmax"),
        head_option=("--strategy", "sigmoid", "--head", "focal-sigmoid,gama=1"),
        layer=("--strategy", "sigmoid", "--layers", "first"),
        layer_that_the_network_lacks=("--strategy", "sigmoid", "--layers", "second-last"),
        backbone=("--backbone", "resnet"),
        share_above_one=("--max-known-rejected", 5),
        confidence_of_one=("--confidence", 1.0),
        negatives_that_are_not_there=("--strategy", "other-class"),
        budget_without_negatives=("--max-other-accepted", 0.1),
        seed_that_is_no_number=("--seed", "x"),
        unknown_option="--nonsense",
        map_without_names=("--map", "circle"),
        map_of_unknown_names=("--map", "circle=xyzzy", "--backbone", "efficientnet-lite0"),
        suspects_without_a_pool=("--suspects", "page.html"),
        tuning_without_finetune=("--epochs", 3),
        ablation_without_inputs="--ablation",
        both_kinds_of_several=("--multi-label", "--multi-output"),
        out_in_no_folder=("--out", "nowhere/model.outgroup"),
        out_that_is_a_folder=("--out", "new"),
    )


@FACTS
def data_that_can_not_be_learned_from(_: World, out: Path) -> Any:
    tables = {
        "no_path_column": "file,label\nphotos/circle/000.png,circle\n",
        "no_rows": "path,label\n",
        "only_other": "path,label\nphotos/circle/000.png,\n",
        "missing_images": "path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(20)),
        "too_few_images": "path,label\nphotos/circle/000.png,a\nphotos/square/000.png,b\n",
        "columns_that_are_not_there": "path,label\nphotos/circle/000.png,circle\n",
    }
    more = {"columns_that_are_not_there": ("--multi-output", "--label-column", "left")}
    Path(out / "tables").mkdir()
    cases: dict[str, object] = {}
    for name, text in tables.items():
        table = out / "tables" / f"{name}.csv"
        table.write_text(text.replace("photos", str(Path("photos").resolve())))
        cases[name] = (table, *more.get(name, ()))
    (out / "empty").mkdir()
    cases |= {
        "no_data_at_all": (),
        "not_there": "nowhere",
        "empty_folder": out / "empty",
        "folder_without_classes": "photos/circle",
        "several_labels_of_a_folder": ("photos", "--multi-label"),
    }
    cases |= {
        "budget_that_is_too_small": ("photos", "--max-known-rejected", 0.001),
        "budget_for_too_few_negatives": (
            *("photos", "--other", "other", "--max-other-accepted", 0.01),
        ),
        "network_that_is_not_there": ("photos", "--backbone", "onnx:nowhere.onnx"),
    }
    return codes(out, "train", **cases)


@FACTS
def comparisons(_: World, out: Path) -> Any:
    picture = out / "picture.svg"
    found = codes(
        out,
        "compare",
        strategy=("photos", "--strategy", "sotfmax"),
        not_there="nowhere",
        picture_in_no_folder=("photos", "--plot", "nowhere/picture.svg"),
        budget_above_one=("photos", "--max-known-rejected", 2),
        nothing=(),
    )
    assert not picture.exists()
    return found


@FACTS
def models_that_can_not_be_opened_and_images_that_do_not_fit(_: World, out: Path) -> Any:
    model = out / "model.outgroup"
    told = run("train", "photos", "--strategy", "softmax", "--out", model, "--backbone", QUICK)
    assert told.code == 0
    data = model.read_bytes()
    (out / "short.outgroup").write_bytes(data[: len(data) // 2])
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    (out / "flipped.outgroup").write_bytes(flipped)
    calls = {
        "not_there": ("predict", out / "nowhere.outgroup", "new"),
        "no_model": ("predict", "photos.csv", "new"),
        "short": ("predict", out / "short.outgroup", "new"),
        "flipped": ("predict", out / "flipped.outgroup", "new"),
        "evaluate_short": ("evaluate", out / "short.outgroup", "--known", "photos"),
        "no_paths": ("predict", model),
        "threshold_that_is_no_number": ("predict", model, "new", "--threshold", "nan"),
        "less_than_no_neighbours": ("predict", model, "new", "--nearest", -1),
        "unknown_class": ("evaluate", model, "--known", "other"),
        "known_that_is_not_there": ("evaluate", model, "--known", "nowhere"),
        "without_known": ("evaluate", model),
        "images_that_were_not_read": ("predict", model, "nowhere.png"),
    }
    return {name: run(*given).code for name, given in calls.items()}


@FACTS
def no_command_or_a_wrong_one(_: World, out: Path) -> Any:
    calls = ((), ("nonsense",), ("pool",), ("pool", "nonsense"), ("train", "photos"))
    return {" ".join(call): run(*call).code for call in calls}
