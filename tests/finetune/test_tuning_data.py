"""Which images tune the network, and the negatives in their batches."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from outgroup.classifier.tuning import Targets  # noqa: E402
from outgroup.data import Samples  # noqa: E402
from outgroup.errors import InvalidDataError, InvalidParameterError  # noqa: E402
from outgroup.finetune import (  # noqa: E402
    FineTunePlan,
    mixup,
    other_class,
    with_negatives,
    zero_row_bce,
)
from outgroup.finetune.tuning_batches import TuningBatches, TuningData, TuningInputs  # noqa: E402
from outgroup.finetune.tuning_data import (  # noqa: E402
    TUNED,
    UNSEEN,
    WATCHED,
    choose_images,
    split,
)
from outgroup.finetune.tuning_plan import BALANCE  # noqa: E402


def single(labels: Iterable[str | None]) -> Targets:
    """Targets of images of one class each, None for negatives."""
    names = tuple(sorted({label for label in labels if label is not None}))
    Y = np.array([[label == name for name in names] for label in labels], dtype=np.int64)
    return Targets(names, Y)


def test_copies_groups_and_folders_of_negatives_stay_together() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(60)]
    images[1] = images[0]
    labels = ["a"] * 20 + ["b"] * 20 + [None] * 20
    groups = [None] * 20 + [str(i // 2) for i in range(20)] + [None] * 20
    origins = ["photos"] * 40 + [f"kind {i % 5}" for i in range(20)]
    samples = Samples(images, labels, groups, origins)
    chosen = choose_images(samples, single(labels), ["x"] * 60, hold_out=2, seed=0)
    part = dict(zip(chosen.rows, chosen.parts, strict=True))
    assert part[0] == part[1]
    assert all(part[i] == part[i + 1] for i in range(20, 40, 2))
    for kind in range(5):
        assert len({part[i] for i in range(40 + kind, 60, 5)}) == 1
    assert {TUNED, WATCHED, UNSEEN} == set(part.values())


def test_unreadable_images_and_those_with_two_labels_are_left_out() -> None:
    images = [np.full((9, 9, 3), i, np.uint8) for i in range(40)]
    images[3] = images[25]
    samples = Samples(
        [*images, b"no image"], ["a"] * 20 + [None] * 20 + ["a"], [None] * 41, ["x"] * 41
    )
    chosen = choose_images(samples, single(samples.labels), ["x"] * 41, 2, seed=0)
    assert sorted(set(range(41)) - set(chosen.rows)) == [3, 25, 40]


@pytest.mark.parametrize("hold_out", [2, 3, 5])
def test_one_in_so_many_is_held_out_of_each_class(hold_out: int) -> None:
    labels = ["a"] * 60 + ["b"] * 30 + [None] * 90
    where = ["x"] * 180
    parts = split(labels, where, where, [None] * 180, hold_out)
    for rows in (slice(0, 60), slice(60, 90), slice(90, 180)):
        unseen = np.mean(parts[rows] == UNSEEN)
        assert unseen == pytest.approx(1 / hold_out)
        assert (parts[rows] == WATCHED).sum() == round((1 - unseen) * len(parts[rows]) / 5)


def test_labels_are_split_evenly_even_if_they_never_occur_alone() -> None:
    Y = np.array([[1, 1]] * 20 + [[1, 0]] * 2 + [[0, 0]] * 20)
    images = [np.full((9, 9, 3), i, np.uint8) for i in range(len(Y))]
    samples = Samples(images, [None] * len(Y), [None] * len(Y), ["x"] * len(Y))
    targets = Targets(("often", "seldom"), Y, several=True)
    chosen = choose_images(samples, targets, ["x"] * len(Y), hold_out=2, seed=0)
    unseen = chosen.targets.Y[chosen.parts == UNSEEN]
    assert unseen.sum(axis=0).tolist() in ([11, 10], [10, 10], [11, 11], [10, 9])
    fewer = Targets(("often", "seldom"), np.array([[1, 1]] * 5 + [[1, 0]] * 37), several=True)
    with pytest.raises(InvalidDataError, match="5 images have the label 'seldom'"):
        choose_images(samples, fewer, ["x"] * len(Y), hold_out=2, seed=0)


def batches_of(y: np.ndarray, collections: np.ndarray, **options: object) -> TuningBatches:
    targets = (y[:, None] == [0, 1]).astype(np.float32)
    inputs = TuningInputs(0, torch.from_numpy, lambda rows, rng: torch.from_numpy(rows))
    rows = np.arange(len(y))
    data = TuningData(inputs, targets, collections, rows, rows[:0])
    return TuningBatches(data, FineTunePlan(**options), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("balance", [*BALANCE, None])
def test_every_batch_has_new_negatives_and_rare_classes_their_share(balance: str | None) -> None:
    y = np.array([0] * 40 + [1] * 5 + [-1] * 110)
    collections = np.array(["known"] * 45 + ["few"] * 10 + ["many"] * 100)
    batches = batches_of(y, collections, batch=16, balance=balance)
    epochs = [list(batches.epoch(np.random.default_rng(number))) for number in range(2)]
    for epoch in epochs:
        assert len(epoch) == len(batches)
        rows = np.concatenate([rows for rows, _ in epoch])
        counts = np.bincount(y[rows] + 1)
        assert counts.tolist() == ([80, 40, 40] if balance == "oversample" else [45, 40, 5])
        for rows, targets in epoch:
            np.testing.assert_array_equal(targets, (y[rows, None] == [0, 1]).astype(float))
            assert abs(len(rows) - 2 * np.count_nonzero(y[rows] >= 0)) <= 1
    drawn = np.concatenate([rows[y[rows] < 0] for epoch in epochs for rows, _ in epoch])
    assert abs(2 * np.count_nonzero(drawn < 55) - len(drawn)) <= 1  # collections weigh the same
    many = drawn[drawn >= 55]
    assert len({*many.tolist()}) == len(many)  # none twice, over epochs too


def test_without_negatives_a_batch_has_known_images_alone() -> None:
    batches = batches_of(np.array([0, 1, 0, 1]), np.full(4, "known"), batch=3)
    assert [len(rows) for rows, _ in batches.epoch(np.random.default_rng(0))] == [3, 1]


@pytest.fixture
def loader() -> DataLoader:
    x = torch.zeros(10, 3, 4, 4)
    return DataLoader(TensorDataset(x, torch.arange(10) % 3), batch_size=4)


def numbered(n: int) -> torch.Tensor:
    """Negatives with the values 1 to n."""
    return torch.arange(1.0, n + 1)[:, None, None, None].expand(n, 3, 4, 4)


def drawn_from(batches: Iterable[tuple]) -> list[int]:
    return [int(v) for x, _ in batches for v in x[:, 0, 0, 0] if v > 0]


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_each_batch_of_a_loader_has_its_share_of_negatives_as_rows_of_zeros(
    ratio: float, loader: DataLoader
) -> None:
    batches = with_negatives(loader, numbered(40), n_classes=3, ratio=ratio)
    assert len(batches) == 3
    total = 0
    for (x, targets), (own, y) in zip(batches, loader, strict=True):
        added = len(x) - len(own)
        total += added
        assert abs(added - ratio * len(own)) <= 1
        assert torch.equal(x[: len(own)], own)
        assert targets[: len(own)].argmax(1).tolist() == y.tolist()
        assert targets[: len(own)].sum() == len(own)
        assert targets[len(own) :].sum() == 0
    assert total == round(ratio * 10)


def test_no_negative_comes_again_before_all_others(loader: DataLoader) -> None:
    batches = with_negatives(loader, numbered(5), n_classes=3)
    first, second = drawn_from(batches), drawn_from(batches)
    for seen in (first[:5], first[5:], second[:5], second[5:]):
        assert sorted(seen) == [1, 2, 3, 4, 5]
    assert first != second


def test_the_same_seed_adds_the_same_negatives(loader: DataLoader) -> None:
    one, again, other = (with_negatives(loader, numbered(50), 3, seed=s) for s in (1, 1, 2))
    assert drawn_from(one) == drawn_from(again) != drawn_from(other)


def test_your_own_loop_learns_from_negatives(loader: DataLoader) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    rng = np.random.default_rng(0)
    for _ in range(40):
        for x, targets in with_negatives(loader, numbered(5), 3):
            x, targets = mixup(x, targets, rng)
            optimiser.zero_grad()
            zero_row_bce(network(x), targets).mean().backward()
            optimiser.step()
    with torch.no_grad():
        assert network(numbered(5)).max() < network(torch.zeros(1, 3, 4, 4)).max()
    assert other_class(torch.zeros(4, 4), torch.zeros(4, 3)).shape == (4,)


def test_invalid_arguments_are_errors(loader: DataLoader) -> None:
    with pytest.raises(InvalidParameterError, match="n_classes"):
        with_negatives(loader, numbered(5), 0)
    with pytest.raises(InvalidParameterError, match="ratio"):
        with_negatives(loader, numbered(5), 3, ratio=-1)
