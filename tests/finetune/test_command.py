"""``outgroup train --finetune``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup.cli import app
from outgroup.cli.tuning import fine_tune
from outgroup.errors import InvalidParameterError
from outgroup.finetune import FineTune


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]
) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("tuning")
    return make_folder(root / "photos", ["blue", "red"], 8), make_folder(root / "odds", ["grey"], 8)


def test_a_network_is_tuned_and_its_file_predicts_without_torch(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, odds = map(str, folders)
    out = tmp_path / "m.outgroup"
    options = ["--strategy", "sigmoid", "--no-cache", "--json", "--out", str(out)]
    tuned = [
        "--finetune",
        "--keep-tuned",
        "--epochs",
        "1",
        "--objective",
        "other-class",
        "--balance",
        "oversample",
    ]
    app(["train", photos, "--other", odds, *tuned, *options], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["backbone"] == "tuned:efficientnet-lite0"
    assert told["finetune"]["plan"]["objective"] == "other-class"
    assert told["finetune"]["plan"]["balance"] == "oversample"
    seen = {**told["finetune"]["tuned_on"]}, {**told["finetune"]["watched"]}
    n_unseen = sum(told["classes"].values()) - sum(sum(part.values()) for part in seen)
    assert told["certificate"]["promises"][0]["n"] == n_unseen
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import outgroup\n"
        "print(outgroup.load(sys.argv[1]).predict(sys.argv[2]).probabilities)"
    )
    image = str(folders[0] / "red" / "000.png")
    done = subprocess.run(
        [sys.executable, "-c", code, str(out), image], check=True, capture_output=True, text=True
    )
    assert "red" in done.stdout


def test_an_option_without_finetune_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="'--unfreeze' parameter must stand beside"):
        fine_tune(False, unfreeze="half")
    with pytest.raises(InvalidParameterError, match="'--keep-tuned' parameter must stand beside"):
        fine_tune(False, keep_tuned=True)
    assert fine_tune(False, unfreeze=None) is None


def test_options_become_a_plan() -> None:
    assert fine_tune(True, keep_tuned=True) == FineTune(only_if_better=False)
    found = fine_tune(True, unfreeze="all", epochs=7, augment="colour,mixup", balance="none")
    assert found == FineTune(unfreeze="all", epochs=7, augment=["colour", "mixup"], balance=None)


def test_without_torch_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from outgroup.cli import main\n"
        "sys.argv = ['outgroup', 'train', 'photos', '--finetune', '--out', 'm.outgroup']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "outgroup[torch]"' in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_importing_the_options_loads_no_torch() -> None:
    code = "import sys, outgroup.finetune, outgroup.cli.tuning; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
