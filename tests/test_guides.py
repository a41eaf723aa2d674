"""The guides say what is true: their examples run, and what they conclude was measured."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(
    not DOCS.exists(), reason="the guides are not part of a source distribution"
)


def examples(name: str) -> dict[str, str]:
    """Return the Python examples of a guide by heading, those with a name of their own by that."""
    found: dict[str, str] = {}
    heading = ""
    blocks = r"^## ([^\n]+)$|^```python ?([\w-]*)\n(.*?)^```"
    text = (DOCS / name).read_text("utf-8")
    for match in re.finditer(blocks, text, flags=re.MULTILINE | re.DOTALL):
        heading = match[1] or heading
        if match[3] is not None:
            key = match[2] or heading
            found[key] = found.get(key, "") + match[3]
    return found


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(code, "docs/mixing.md", "exec"), names)
    return names


@pytest.fixture
def names() -> dict[str, Any]:
    """Return what the examples of the guide speak of."""
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (96, 64, 64, 3), dtype=np.uint8),
        "labels": np.arange(96) % 3,
        "negatives": [rng.integers(0, 256, (side, 80, 3), dtype=np.uint8) for side in (50, 90)],
    }


def test_every_example_of_the_guide_is_tested_here() -> None:
    assert [*examples("mixing.md")] == [
        "NumPy",
        "PyTorch",
        "keras",
        "fastai-callback",
        "fastai-learner",
    ]


def test_numpy_example_runs(names: dict[str, Any]) -> None:
    steps: list[tuple[Any, Any]] = []
    names["train_step"] = lambda x, y: steps.append((x, y))
    run(examples("mixing.md")["NumPy"], names)
    assert [x.shape for x, _ in steps] == [(64, 64, 64, 3)] * 3
    assert all(y[32:].tolist() == [3] * 32 for _, y in steps)


def test_pytorch_example_runs(names: dict[str, Any]) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (extra 'torch')")
    generator = torch.Generator().manual_seed(0)
    names["dataset"] = torch.utils.data.TensorDataset(
        torch.randn(96, 3, 32, 32, generator=generator), torch.arange(96) % 3
    )
    names["network"] = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 4))
    run("from outgroup.pool import mix\n" + examples("mixing.md")["PyTorch"], names)
    assert tuple(names["x"].shape) == (64, 3, 32, 32)
    assert names["y"][32:].tolist() == [3] * 32
    assert bool(torch.isfinite(names["loss"]))


class StandInForKeras:
    """Takes from a generator what ``fit`` takes: it peeks, then goes through the epochs."""

    def fit(self, x: Any, *, steps_per_epoch: int, epochs: int, shuffle: bool) -> None:
        assert isinstance(x, types.GeneratorType)
        assert not shuffle  # Keras would warn that it can not
        self.batches = [next(x) for _ in range(steps_per_epoch * epochs)]


def test_keras_example_runs(names: dict[str, Any]) -> None:
    guide = examples("mixing.md")
    names |= {"model": StandInForKeras(), "train_step": lambda x, y: None}
    run(guide["NumPy"] + guide["keras"], names)
    batches = names["model"].batches
    assert len(batches) == 6
    assert all(isinstance(batch, tuple) and len(batch[0]) == 64 for batch in batches)


class StandInForCallback:
    """What the callback uses of fastai's: attributes that it lacks are those of the learner."""

    learn: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.learn, name)


class StandInForLearner:
    """What the callback uses of fastai's learner: ``x`` and ``y`` are the first of a batch."""

    def __init__(self, x: Any, y: Any) -> None:
        self.xb, self.yb = (x,), (y,)

    @property
    def x(self) -> Any:
        return self.xb[0]

    @property
    def y(self) -> Any:
        return self.yb[0]


def test_fastai_callback_adds_negatives(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fastai", "fastai.vision", "fastai.vision.all"):
        module = types.ModuleType(name)
        module.Callback = StandInForCallback  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    guide = examples("mixing.md")
    compile(guide["fastai-learner"], "docs/mixing.md", "exec")
    run(guide["fastai-callback"], names)
    callback = names["WithNegatives"](names["negatives"], 3)
    callback.learn = StandInForLearner(np.zeros((4, 3, 32, 32), np.float32), np.array([0, 1, 2, 0]))
    callback.before_batch()
    assert callback.x.shape == (8, 3, 32, 32)
    assert callback.y.tolist() == [0, 1, 2, 0, 3, 3, 3, 3]
    assert not callback.run_valid


def test_what_the_guide_concludes_is_what_was_measured() -> None:
    path = ROOT / "benchmarks" / "results" / "synthetic_negatives.json"
    if not path.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    results = json.loads(path.read_text("utf-8"))["results"]

    def share(negatives: str, strategy: str, of: str) -> Any:
        (row,) = (r for r in results if (r["negatives"], r["strategy"]) == (negatives, strategy))
        return row["accepted"][of]

    made = "synthetic, made from nothing"
    # garbage yes
    assert share("none", "sigmoid", "made from nothing")["k"] > 0
    assert share(made, "sigmoid", "made from nothing")["k"] == 0
    assert share("pool: all", "sigmoid", "made from nothing")["k"] == 0
    assert share("none", "blend", "made from nothing")["k"] == 0
    # look-alikes no
    without, with_it = (share(name, "sigmoid", "near") for name in ("none", made))
    assert with_it["value"] > without["interval"][0]
    assert share("pool: all", "sigmoid", "near")["interval"][1] < with_it["interval"][0]
    # known images are no negatives
    assert share("inverted-crops", "other-class", "near")["value"] > 0.5
    assert share(made, "other-class", "near")["value"] < 0.25
    # a few hundred are enough
    chosen = share("pool: 200 near, 200 far", "sigmoid", "near")["value"]
    assert chosen <= share("pool: all", "sigmoid", "near")["value"]
    assert chosen < share("pool: 0 near, 400 far", "sigmoid", "near")["value"]
