"""Fine-tuning on a GPU; without one most of these tests are skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup import ImageClassifier, load  # noqa: E402
from outgroup.finetune import FineTune, FineTunePlan  # noqa: E402
from outgroup.finetune.objectives import OBJECTIVES, choose_objective  # noqa: E402
from outgroup.finetune.tunable_network import ModuleNetwork  # noqa: E402
from outgroup.finetune.tuning_batches import TuningData, pixel_inputs  # noqa: E402
from outgroup.finetune.tuning_run import train  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402
from outgroup.torch_loop import Checkpoint  # noqa: E402

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

PLAN = FineTunePlan(unfreeze="all", epochs=20, warm_up=1, patience=30, batch=12, learning_rate=0.01)


def trained(plan: FineTunePlan = PLAN, device: str = "cuda", **options: object) -> tuple:
    """A network that tells red, blue and other images apart, and its history."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    pixels = rng.integers(60, 140, (60, 8, 8, 3)).astype(np.uint8)
    pixels[y == 0, ..., 0] += 60
    pixels[y == 1, ..., 2] += 60
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
    network = ModuleNetwork(module, Preprocessing(resize=8, crop=8))
    targets = (y[:, None] == [0, 1]).astype(np.float32)
    rows = np.arange(60)
    data = TuningData(
        pixel_inputs(network, pixels, ()), targets, np.full(60, "a"), rows[:40], rows[40:]
    )
    objective = choose_objective(plan.objective)
    return network, train(network, data, objective, plan, device=device, **options)  # type: ignore[arg-type]


@on_gpu
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_mixed_precision_overfits(objective: str) -> None:
    _, history = trained(FineTunePlan(**{**PLAN.to_dict(), "objective": objective}))
    assert history.epochs[history.best]["confused"] < 0.05


@on_gpu
def test_the_network_ends_on_the_cpu_and_learns_about_the_same() -> None:
    network, history = trained()
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}
    _, other = trained(device="cpu")
    assert history.epochs[0]["loss"] == pytest.approx(other.epochs[0]["loss"], rel=0.05)


@on_gpu
def test_an_interrupted_training_is_resumed(tmp_path: Path) -> None:
    steps = 0

    def kill() -> None:
        nonlocal steps
        steps += 1
        if steps == 13:
            raise KeyboardInterrupt

    options = {"checkpoint": Checkpoint(tmp_path / "state.pt", "k")}
    with pytest.raises(KeyboardInterrupt):
        trained(advance=kill, **options)
    _, history = trained(**options)
    assert len(history.epochs) > 5


@on_gpu
def test_a_model_that_was_tuned_on_a_gpu_predicts_without_one(
    photos: Path, odds: Path, tmp_path: Path
) -> None:
    finetune = FineTune(epochs=1, warm_up=1, resume=False, only_if_better=False)
    clf = ImageClassifier(strategy="sigmoid", cache=False, finetune=finetune)
    clf.fit(photos, other=odds)
    again = load(clf.save(tmp_path / "m.outgroup"))
    assert again.predict(photos / "red" / "000.png").label == "red"


@pytest.mark.parametrize("there", [True, False])
def test_a_gpu_is_used_if_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert FineTune()._device() == ("cuda" if there else "cpu")
    assert FineTune(device="cpu")._device() == "cpu"


def test_precision_is_not_mixed_on_a_cpu() -> None:
    seen = []

    class Spy(ModuleNetwork):
        def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
            found = super().forward(x, start)
            seen.append((torch.is_autocast_enabled(x.device.type), found["last"].dtype))
            return found

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    network = Spy(module, Preprocessing(resize=8, crop=8))
    rows = np.arange(12)
    targets = (rows[:, None] % 3 == [0, 1]).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    data = TuningData(pixel_inputs(network, pixels, ()), targets, np.full(12, "a"), rows, rows)
    plan = FineTunePlan(unfreeze="all", epochs=1, warm_up=1)
    train(network, data, choose_objective("sigmoid"), plan)
    assert {*seen} == {(False, torch.float32)}
