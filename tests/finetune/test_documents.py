"""The examples of docs/training_loops.md run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from torch.utils.data import TensorDataset  # noqa: E402

DOCUMENT = Path(__file__).parents[2] / "docs" / "training_loops.md"


def blocks(mark: str) -> str:
    if not DOCUMENT.exists():
        pytest.skip("the documents are not part of a source distribution")
    found = re.findall(rf"```{mark}\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.DOTALL)
    assert found
    return "\n".join(found)


def pictures(n: int, seed: int, kinds: tuple[int, ...] = (0, 1, 2)) -> tuple[Any, Any]:
    """Pictures of as many colours as kinds, and the number of each."""
    rng = np.random.default_rng(seed)
    y = np.resize(kinds, n)
    colours = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2], [-2, -2, -2]])
    x = colours[y][:, :, None, None] + rng.normal(0, 0.5, (n, 3, 8, 8))
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def names() -> dict[str, Any]:
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 16), torch.nn.ReLU())
    return {
        "dataset": TensorDataset(*pictures(96, 0)),
        "held_out": TensorDataset(*pictures(90, 1)),
        "negatives": pictures(64, 2, kinds=(3,))[0],
        "body": body,
        "head": torch.nn.Linear(16, 3),
    }


def test_the_examples_run_one_after_the_other() -> None:
    given = names()
    exec(compile(blocks("python"), str(DOCUMENT), "exec"), given)
    new, kinds = pictures(30, 3, kinds=(0, 1, 2, 3))
    with torch.no_grad():
        features = given["body"](new)
        answers = given["clf"].predict(features, given["head"](features))
    assert {a for a, k in zip(answers, kinds, strict=True) if k == 3} == {None}
    right = [a == given["names"][k] for a, k in zip(answers, kinds, strict=True) if k < 3]
    assert np.mean(right) > 0.8


def test_what_runs_the_lines_on_fastai_takes_them_from_the_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = blocks("python fastai")
    script = Path(__file__).parents[1] / "environments" / "fastai_recipes.py"
    monkeypatch.syspath_prepend(str(script.parent))
    code = runpy.run_path(str(script))["code"]
    assert code("training_loops.md", "fastai") == lines
    compile(lines + code("mixing.md", "fastai-callback", "fastai-learner"), "fastai", "exec")
    with pytest.raises(AssertionError, match="no longer one block"):
        code("training_loops.md", "fastai-learner")
