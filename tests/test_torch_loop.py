"""The torch training loop, on a network that takes no time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgroup.errors import MissingExtraError
from outgroup.torch_loop import (
    Checkpoint,
    History,
    Schedule,
    require_torch,
    run_epochs,
    torch_settings,
)

torch = pytest.importorskip("torch")

SCHEDULE = Schedule(epochs=5, steps=4, rate_factor=lambda step, total: 1.0 - step / total)


def numbers() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32))
    return x, x @ torch.tensor([1.0, -2.0, 0.5, 0.0])


def trained(
    schedule: Schedule = SCHEDULE,
    seed: int = 0,
    watch: bool = False,
    rate: float = 0.05,
    before_step: Callable[[torch.nn.Module], None] = lambda network: None,
    **options: Any,
) -> tuple[torch.nn.Module, History]:
    """A network with dropout that learns a linear function, and its history."""
    x, y = numbers()

    def batches(epoch: int) -> Iterator[Any]:
        yield from np.split(np.random.default_rng([seed, epoch]).permutation(32), 4)

    def loss(rows: Any) -> torch.Tensor:
        before_step(network)
        return (network(x[rows])[:, 0] - y[rows]).pow(2).mean()

    def figures() -> dict[str, float]:
        with torch.no_grad():
            error = float((network(x)[:, 0] - y).pow(2).mean())
        return {"rounded": round(error), "error": error}

    with torch_settings(seed):
        network = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
        )
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate)
        options["figures"] = figures if watch else None
        return network, run_epochs(network, optimiser, batches, loss, schedule, **options)


def weights(network: torch.nn.Module) -> list[bytes]:
    return [value.numpy().tobytes() for value in network.state_dict().values()]


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_generator() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = weights(trained()[0])
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert weights(trained()[0]) == first != weights(trained(seed=1)[0])


def test_threads_are_set_and_set_back() -> None:
    before = torch.get_num_threads()
    with torch_settings(0, threads=before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


class KilledError(Exception):
    pass


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("after", [2, 9, 20])
def test_a_killed_training_ends_with_the_weights_it_would_have_had(
    average: float, watch: bool, after: int, tmp_path: Path
) -> None:
    schedule = replace(SCHEDULE, average=average, warm_up=2)
    expected, whole = trained(schedule, watch=watch)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            raise KilledError

    options: dict[str, Any] = {"watch": watch, "checkpoint": Checkpoint(tmp_path / "a" / "s", "k")}
    with pytest.raises(KilledError):
        trained(schedule, advance=count, **options)
    steps = -1000
    found, history = trained(schedule, advance=count, **options)
    assert weights(found) == weights(expected)
    assert history == whole
    assert steps + 1000 == 20  # steps of before are counted as done


def test_a_state_of_another_training_is_ignored(tmp_path: Path) -> None:
    one, other = (Checkpoint(tmp_path / "state", key) for key in ("one", "other"))
    trained(checkpoint=one)
    assert other.read() is None
    assert weights(trained(checkpoint=other)[0]) == weights(trained()[0])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 damaged"])
def test_a_damaged_state_is_ignored(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(content)
    assert Checkpoint(tmp_path / "state", "k").read() is None


def test_no_code_is_loaded_from_a_state(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"training": "k", "evil": Evil()}, tmp_path / "state")
    assert Checkpoint(tmp_path / "state", "k").read() is None
    assert not (tmp_path / "touched").exists()


def test_a_state_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state", "k")
    checkpoint.write({"done": 1})
    with pytest.raises(AttributeError):  # what can't be written leaves the old one
        checkpoint.write({"done": lambda: 2})
    assert checkpoint.read() == {"training": "k", "done": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_weights_are_those_of_the_best_epoch() -> None:
    network, history = trained(replace(SCHEDULE, epochs=12, warm_up=3), watch=True, rate=1.0)
    figures = [(row["rounded"], row["error"]) for row in history.epochs]
    assert len(figures) == 10  # epoch 3 is the first that is watched
    assert history.best == figures.index(min(figures))
    x, y = numbers()
    with torch.no_grad():
        error = float((network(x)[:, 0] - y).pow(2).mean())
    assert error == pytest.approx(history.epochs[history.best]["error"])
    assert not network.training


def test_training_ends_when_figures_get_no_better() -> None:
    schedule = replace(SCHEDULE, epochs=100, patience=2)
    _, history = trained(schedule, watch=True, rate=1.0)
    assert len(history.epochs) == history.best + 3 < 100


def test_the_average_of_weights_is_that_by_hand() -> None:
    seen: list[torch.Tensor] = []

    def note(network: torch.nn.Module) -> None:
        seen.append(network[0].weight.detach().clone())

    network, _ = trained(replace(SCHEDULE, average=0.5), before_step=note)
    seen.append(trained()[0][0].weight.detach())
    expected = seen[0]
    for step, value in enumerate(seen[1:], start=1):
        memory = min(0.5, step / (step + 10))
        expected = memory * expected + (1 - memory) * value
    torch.testing.assert_close(network[0].weight.detach(), expected)


def test_rates_and_gradients_are_scaled() -> None:
    """With SGD a step is as long as the gradient times the rate."""
    network = torch.nn.Linear(3, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    schedule = Schedule(2, 1, lambda step, total: [0.5, 0.25][step], max_norm=2.0)
    run_epochs(network, optimiser, lambda _: [0], lambda _: 100 * network.weight.sum(), schedule)
    assert float(network.weight.detach().norm()) == pytest.approx(2.0 * 0.75)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"Dreaming needs.*outgroup\[torch\]"):
        require_torch("Dreaming")
