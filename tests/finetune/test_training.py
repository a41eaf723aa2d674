"""The training loop, on a network that takes no time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from outgroup.finetune.blending import BLENDS  # noqa: E402
from outgroup.finetune.checkpoint import read_checkpoint, write_checkpoint  # noqa: E402
from outgroup.finetune.foreign import ModuleNetwork  # noqa: E402
from outgroup.finetune.inputs import PixelInputs  # noqa: E402
from outgroup.finetune.objectives import OBJECTIVES, choose_objective  # noqa: E402
from outgroup.finetune.plan import BALANCE, PICTURES, Plan  # noqa: E402
from outgroup.finetune.schedule import Batches  # noqa: E402
from outgroup.finetune.training import History, TrainingData, train  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402

SIDE = 16
PLAN = Plan(
    unfreeze="all", epochs=8, warm_up=2, patience=20, batch=12, learning_rate=0.01, decay=1.0
)


def small_network(seed: int = 0) -> ModuleNetwork:
    torch.manual_seed(seed)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=2),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2),
        torch.nn.ReLU(),
    )
    return ModuleNetwork(module, Preprocessing(resize=SIDE, crop=SIDE))


def pictures(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stripes one way, stripes the other way, and checks, all of random colours and places."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.resize([0, 1, -1], n))
    waves = 128 + 90 * np.sin(
        (np.arange(SIDE)[None, :, None] + rng.uniform(0, 6, (n, 1, 1))) * 2 * np.pi / 6
    )
    lying = np.broadcast_to(waves, (n, SIDE, SIDE))
    standing = np.swapaxes(lying, 1, 2)
    checks = 128 + (lying - 128) * (standing - 128) / 90
    grey = np.where((y == 0)[:, None, None], lying, standing)
    grey = np.where((y == -1)[:, None, None], checks, grey)
    coloured = grey[..., None] * rng.uniform(0.6, 1.0, (n, 1, 1, 3))
    return coloured.clip(0, 255).astype(np.uint8), y


def one_hot(y: np.ndarray, n_classes: int = 2) -> np.ndarray:
    return (y[:, None] == np.arange(n_classes)).astype(np.float32)


def data_for(network: ModuleNetwork, plan: Plan = PLAN, n: int = 90) -> TrainingData:
    pixels, y = pictures(n)
    rows = np.arange(n)
    return TrainingData(
        PixelInputs(network, pixels, plan.pictures),
        one_hot(y),
        np.array(["a", "b"])[rows % 2],
        rows[: n * 2 // 3],
        rows[n * 2 // 3 :],
    )


def trained(plan: Plan = PLAN, **options: object) -> tuple[ModuleNetwork, History]:
    network = small_network()
    objective = choose_objective(plan.objective)
    return network, train(network, data_for(network, plan), objective, plan, **options)  # type: ignore[arg-type]


def weights(network: ModuleNetwork) -> list[bytes]:
    return [value.numpy().tobytes() for value in network.state_dict().values()]


#: What a loss can't go below: half of the rows are negatives, and to be unsure of both classes
#: costs log 2, times the weight of that.
LEAST = {"outlier-exposure": 0.25 * math.log(2), "objectosphere": 0.5 * math.log(2)}


@pytest.mark.parametrize("objective", OBJECTIVES.names())
def test_a_tiny_run_overfits(objective: str) -> None:
    _, history = trained(replace(PLAN, objective=objective, epochs=30, patience=100))
    first, best, last = (history.epochs[i] for i in (0, history.best, -1))
    least = LEAST.get(objective, 0.0)
    assert last["loss"] - least < 0.1 * (first["loss"] - least)
    assert best["accepted"] < first["accepted"]
    assert best["confused"] < 0.05


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    plan = replace(PLAN, epochs=2, augment=("geometric", "mixup"))
    torch.manual_seed(1)
    first = weights(trained(plan)[0])
    torch.manual_seed(2)
    assert weights(trained(plan)[0]) == first
    assert weights(trained(plan, seed=1)[0]) != first


class KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [3, 20, 31])
def test_a_killed_training_goes_on_to_the_weights_it_would_have_had(
    after: int, tmp_path: Path
) -> None:
    plan = replace(PLAN, epochs=6, augment=("colour", "cutmix"), objective="other-class")
    expected, whole = trained(plan)
    steps = 0

    def kill() -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            raise KilledError

    options = {"checkpoint": tmp_path / "state.pt", "key": "k"}
    with pytest.raises(KilledError):
        trained(plan, advance=kill, **options)
    done = steps
    steps = -1000
    found, history = trained(plan, advance=kill, **options)
    assert weights(found) == weights(expected)
    assert history == whole
    total = steps + 1000
    assert total == plan.total_epochs * 4  # those of before are counted as done
    assert done == after


def test_a_state_of_another_training_is_not_taken_up(tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=1)
    file = tmp_path / "state.pt"
    trained(plan, checkpoint=file, key="one")
    assert read_checkpoint(file, "other") is None
    network, _ = trained(plan, checkpoint=file, key="other")
    assert weights(network) == weights(trained(plan)[0])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 damaged"])
def test_a_damaged_state_is_no_state(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    file.write_bytes(content)
    assert read_checkpoint(file, "k") is None


def test_no_code_comes_out_of_a_state(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "touched",))

    file = tmp_path / "state.pt"
    torch.save({"key": "k", "evil": Evil()}, file)
    assert read_checkpoint(file, "k") is None
    assert not (tmp_path / "touched").exists()


def test_a_state_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    write_checkpoint(file, {"key": "k", "done": 1})
    with pytest.raises(AttributeError):  # what can't be written leaves the old one
        write_checkpoint(file, {"key": "k", "done": lambda: 2})
    assert read_checkpoint(file, "k") == {"key": "k", "done": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_frozen_steps_and_statistics_keep_their_weights() -> None:
    plan = replace(PLAN, unfreeze="last", epochs=2)
    before = small_network().state_dict()
    after = trained(plan)[0].state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"module.3.weight", "module.3.bias"}


def test_weights_are_those_of_the_best_epoch_of_the_watched() -> None:
    """With a rate that ruins the network, the frozen one with its head is what stays."""
    plan = replace(PLAN, learning_rate=1.0, epochs=4, warm_up=6)
    network, history = trained(plan)
    figures = [history.figure(i) for i in range(len(history.epochs))]
    assert history.best == figures.index(min(figures))
    if history.best == 0:
        assert weights(network) == weights(small_network())
    stopped, short = trained(replace(plan, patience=1, epochs=50))
    assert len(short.epochs) == short.best + 2
    assert stopped.training is False


def test_warm_up_leaves_the_network_alone() -> None:
    plan = replace(PLAN, epochs=1, warm_up=3, learning_rate=1e-12)
    network, history = trained(plan)
    start = small_network()
    for name, value in start.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=1e-9)
    assert len(history.epochs) == 2


@pytest.mark.parametrize("balance", [*BALANCE, None])
def test_every_batch_has_new_negatives_and_rare_classes_their_share(balance: str | None) -> None:
    y = np.array([0] * 40 + [1] * 5 + [-1] * 110)
    targets = one_hot(y)
    negatives = [np.arange(45, 55), np.arange(55, 155)]
    oversample = balance == "oversample"
    batches = Batches(y, targets, np.arange(45), negatives, 16, 1.0, oversample, seed=0)
    epochs = [list(batches.epoch(np.random.default_rng(number))) for number in range(2)]
    for epoch in epochs:
        assert len(epoch) == len(batches)
        rows = np.concatenate([rows for rows, _ in epoch])
        counts = np.bincount(y[rows] + 1)
        assert counts.tolist() == ([80, 40, 40] if oversample else [45, 40, 5])
        for rows, of_rows in epoch:
            np.testing.assert_array_equal(of_rows, targets[rows])
            assert abs(len(rows) - 2 * np.count_nonzero(y[rows] >= 0)) <= 1
    drawn = np.concatenate([rows[y[rows] < 0] for epoch in epochs for rows, _ in epoch])
    of_first = np.count_nonzero(drawn < 55)
    assert abs(2 * of_first - len(drawn)) <= 1  # collections weigh the same
    of_second = drawn[drawn >= 55]
    assert len({*of_second.tolist()}) == len(of_second)  # none twice, over epochs too


def test_without_negatives_there_are_known_images_alone() -> None:
    y = np.array([0, 1, 0, 1])
    batches = Batches(y, one_hot(y), np.arange(4), [], 3, 1.0, False, seed=0)
    assert [len(rows) for rows, _ in batches.epoch(np.random.default_rng(0))] == [3, 1]


def test_names_of_plan_are_those_there_are() -> None:
    from outgroup.finetune.augment import AUGMENTATIONS

    assert set(PICTURES) == set(AUGMENTATIONS)
    assert set(BLENDS) == {"mixup", "cutmix"}
