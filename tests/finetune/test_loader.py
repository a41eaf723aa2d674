"""Negatives in the batches of a `DataLoader`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from outgroup.errors import InvalidParameterError  # noqa: E402
from outgroup.finetune.blending import mixup  # noqa: E402
from outgroup.finetune.loader import with_negatives  # noqa: E402
from outgroup.finetune.losses import other_class, zero_row_bce  # noqa: E402


@pytest.fixture
def loader() -> DataLoader:
    x = torch.zeros(10, 3, 4, 4)
    return DataLoader(TensorDataset(x, torch.arange(10) % 3), batch_size=4)


def numbered(n: int) -> torch.Tensor:
    """Negatives each of a value of its own, from 1."""
    return torch.arange(1.0, n + 1)[:, None, None, None].expand(n, 3, 4, 4)


def drawn(batches: Iterable[tuple]) -> list[int]:
    return [int(v) for x, _ in batches for v in x[:, 0, 0, 0] if v > 0]


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_each_batch_has_its_share_of_new_negatives_as_rows_of_zeros(
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


def test_none_comes_again_before_all_had_their_turn(loader: DataLoader) -> None:
    batches = with_negatives(loader, numbered(5), n_classes=3)
    first, second = drawn(batches), drawn(batches)
    for seen in (first[:5], first[5:], second[:5], second[5:]):
        assert sorted(seen) == [1, 2, 3, 4, 5]
    assert first != second


def test_the_same_seed_adds_the_same(loader: DataLoader) -> None:
    one, again, other = (with_negatives(loader, numbered(50), 3, seed=s) for s in (1, 1, 2))
    assert drawn(one) == drawn(again) != drawn(other)


def test_a_loop_of_ones_own_learns_from_them(loader: DataLoader) -> None:
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


def test_what_does_not_fit_is_refused(loader: DataLoader) -> None:
    with pytest.raises(InvalidParameterError, match="'n_classes'"):
        with_negatives(loader, numbered(5), 0)
    with pytest.raises(InvalidParameterError, match="'ratio'"):
        with_negatives(loader, numbered(5), 3, ratio=-1)
