"""Fine-tuning itself, on a network that takes no time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup.finetune import FineTunePlan  # noqa: E402
from outgroup.finetune.objectives import OBJECTIVES, choose_objective  # noqa: E402
from outgroup.finetune.tunable_network import ModuleNetwork  # noqa: E402
from outgroup.finetune.tuning_batches import TuningData, pixel_inputs  # noqa: E402
from outgroup.finetune.tuning_plan import MULTI_LABEL_OBJECTIVES  # noqa: E402
from outgroup.finetune.tuning_run import multi_label_figures, train  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402
from outgroup.torch_loop import Checkpoint, History  # noqa: E402

SIDE = 16
PLAN = FineTunePlan(
    unfreeze="all", epochs=8, warm_up=2, patience=20, batch=12, learning_rate=0.01, decay=1.0
)


def small_network(dropout: float = 0.0) -> ModuleNetwork:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=2),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Dropout(dropout),
    )
    return ModuleNetwork(module, Preprocessing(resize=SIDE, crop=SIDE))


def pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal stripes, vertical stripes and checks, of random colours and places."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.resize([0, 1, -1], n))
    waves = 128 + 90 * np.sin(
        (np.arange(SIDE)[None, :, None] + rng.uniform(0, 6, (n, 1, 1))) * 2 * np.pi / 6
    )
    horizontal = np.broadcast_to(waves, (n, SIDE, SIDE))
    vertical = np.swapaxes(horizontal, 1, 2)
    checks = 128 + (horizontal - 128) * (vertical - 128) / 90
    grey = np.where((y == 0)[:, None, None], horizontal, vertical)
    grey = np.where((y == -1)[:, None, None], checks, grey)
    coloured = grey[..., None] * rng.uniform(0.6, 1.0, (n, 1, 1, 3))
    return coloured.clip(0, 255).astype(np.uint8), y


def spots(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey images with a red spot, a blue one, both, or none."""
    rng = np.random.default_rng(0)
    Y = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
    pixels = rng.integers(90, 150, (n, SIDE, SIDE, 3))
    for i, row in enumerate(Y):
        for has, colour in zip(row, ([250, 20, 20], [20, 20, 250]), strict=True):
            y, x = rng.integers(0, 10, 2)
            if has:
                pixels[i, y : y + 5, x : x + 5] = colour
    return pixels.astype(np.uint8), Y


def trained(
    plan: FineTunePlan = PLAN, dropout: float = 0.0, **options: object
) -> tuple[ModuleNetwork, History]:
    network = small_network(dropout)
    pixels, y = pictures(90)
    rows = np.arange(90)
    data = TuningData(
        pixel_inputs(network, pixels, plan.changes),
        (y[:, None] == [0, 1]).astype(np.float32),
        np.array(["a", "b"])[rows % 2],
        rows[:60],
        rows[60:],
    )
    return network, train(network, data, choose_objective(plan.objective), plan, **options)  # type: ignore[arg-type]


def weights(network: ModuleNetwork) -> list[bytes]:
    return [value.numpy().tobytes() for value in network.state_dict().values()]


#: The lowest possible loss: half of the rows are negatives, for which being unsure of two classes
#: costs log 2, times the weight of that.
LEAST = {"outlier-exposure": 0.25 * math.log(2), "objectosphere": 0.5 * math.log(2)}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_small_run_overfits(objective: str) -> None:
    _, history = trained(replace(PLAN, objective=objective, epochs=30, patience=100))
    first, best, last = (history.epochs[i] for i in (0, history.best, -1))
    least = LEAST.get(objective, 0.0)
    assert last["loss"] - least < 0.1 * (first["loss"] - least)
    assert best["accepted"] < first["accepted"]
    assert best["confused"] < 0.05


@pytest.mark.parametrize("objective", MULTI_LABEL_OBJECTIVES)
@pytest.mark.parametrize("negatives", [True, False])
def test_a_small_run_with_several_labels_overfits(objective: str, negatives: bool) -> None:
    pixels, Y = spots(96)
    if not negatives:
        pixels, Y = pixels[Y.any(axis=1)], Y[Y.any(axis=1)]
    rows = np.arange(len(Y))
    network = small_network()
    data = TuningData(
        pixel_inputs(network, pixels, ()),
        Y.astype(np.float32),
        np.full(len(Y), "a"),
        rows[: len(Y) * 2 // 3],
        rows[len(Y) * 2 // 3 :],
        several=True,
    )
    plan = replace(PLAN, objective=objective, epochs=25, warm_up=1, patience=50)
    history = train(network, data, choose_objective(objective), plan)
    assert history.epochs[-1]["loss"] < 0.3 * history.epochs[0]["loss"]
    assert history.epochs[history.best]["confused"] < 0.05


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(dropout: float) -> None:
    plan = replace(PLAN, epochs=2, augment=("geometric", "mixup"))
    first = weights(trained(plan, dropout)[0])
    assert weights(trained(plan, dropout)[0]) == first
    assert weights(trained(plan, dropout, seed=1)[0]) != first


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [3, 20, 31])
def test_a_killed_training_ends_with_the_weights_it_would_have_had(
    after: int, tmp_path: Path
) -> None:
    plan = replace(PLAN, epochs=6, augment=("colour", "cutmix"), objective="other-class")
    expected, whole = trained(plan)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            raise KilledError

    checkpoint = Checkpoint(tmp_path / "state.pt", "k")
    with pytest.raises(KilledError):
        trained(plan, advance=count, checkpoint=checkpoint)
    steps = -1000
    found, history = trained(plan, advance=count, checkpoint=checkpoint)
    assert weights(found) == weights(expected)
    assert history == whole
    assert steps + 1000 == (plan.warm_up + plan.epochs) * 4  # steps of before are counted as done


def test_frozen_steps_and_batch_statistics_stay_as_they_are() -> None:
    plan = replace(PLAN, unfreeze="last", epochs=2)
    before = small_network().state_dict()
    after = trained(plan)[0].state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"module.3.weight", "module.3.bias"}


def test_weights_are_those_of_the_best_epoch() -> None:
    """With a rate that ruins the network, the frozen one with its head is kept."""
    plan = replace(PLAN, learning_rate=1.0, epochs=4, warm_up=6)
    network, history = trained(plan)
    figures = [[row[n] for n in ("accepted", "confused", "watched_loss")] for row in history.epochs]
    assert history.best == figures.index(min(figures))
    if history.best == 0:
        assert weights(network) == weights(small_network())
    stopped, short = trained(replace(plan, patience=1, epochs=50))
    assert len(short.epochs) == short.best + 2
    assert stopped.training is False


def test_warm_up_leaves_the_network_alone() -> None:
    plan = replace(PLAN, epochs=1, warm_up=3, learning_rate=1e-12)
    network, history = trained(plan)
    for name, value in small_network().state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=1e-9)
    assert len(history.epochs) == 2


def test_figures_are_means_over_labels_and_collections() -> None:
    scores = np.array([[0.0, 0], [0, 0], [1, 9], [-1, 9], [9, -1]])
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 0]])
    where = np.array(["a", "b", "a", "a", "b"])
    # first label: other labels 0 of 1, negatives of a 1 of 1, of b 0 of 1; second: 1 of 1, 1 of 1,
    # 1 of 1, because 95 % of two images are both, and one has a score of 9
    expected = (1 / 3 + 1) / 2
    assert multi_label_figures(scores, labels, where)[0] == pytest.approx(expected)
