"""The training loop of every torch network: learning rates, averaging, early stopping, resuming.

The caller of `run_epochs` gives the batches of an epoch, the loss of a batch and, for early
stopping, the figures to watch. Importing this module does not import torch.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup._files import write_whole
from outgroup.errors import MissingExtraError

if TYPE_CHECKING:
    import torch
    from torch import nn


def require_torch(feature: str) -> None:
    """Raise `MissingExtraError` if torch, which `feature` needs, is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError(feature, "torch") from None


@contextmanager
def torch_settings(seed: int, threads: int | None = None) -> Iterator[None]:
    """Seed torch's generator and set its number of threads; restore both afterwards."""
    import torch

    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def cosine(share: float) -> float:
    """Return half a cosine wave, from 1 at a share of 0 to 0 at 1 (SGDR, Loshchilov, ICLR 2017)."""
    return 0.5 + 0.5 * math.cos(math.pi * share)


@dataclass(frozen=True)
class Schedule:
    """How long a network is trained, and how large the steps are.

    `rate_factor` takes the number of a step and of all steps, and returns what every learning rate
    is multiplied by. `max_norm` is the largest norm of the gradient of each parameter group,
    `average` the memory of the moving average of the weights (0: none). Figures are watched from
    the end of epoch `warm_up` on; after `patience` watched epochs without better figures training
    ends (None: not).
    """

    epochs: int
    steps: int
    rate_factor: Callable[[int, int], float]
    max_norm: float | None = None
    average: float = 0.0
    warm_up: int = 0
    patience: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """The file with the state of a training, from which a later call goes on.

    `key` is a hash of all that decides the training; a state with another key is ignored.
    """

    path: Path
    key: str

    def write(self, state: dict[str, Any]) -> None:
        """Write tensors, numbers, texts, and lists and dicts of these: whole or not at all."""
        import torch

        self.path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save({"training": self.key, **state}, buffer)
        write_whole(self.path, buffer.getvalue())

    def read(self) -> dict[str, Any] | None:
        """Return the state of this training, or None; no code is loaded from the file."""
        import torch

        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # missing, damaged or foreign: torch raises many kinds
            return None
        return state if isinstance(state, dict) and state.get("training") == self.key else None


@dataclass
class History:
    """Mean "loss" and figures of each watched epoch, and the epoch whose weights are kept."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0

    def add(self, loss: float, figures: dict[str, float]) -> bool:
        """Append an epoch; return whether its figures are the best so far."""
        self.epochs.append({"loss": loss, **figures})
        best = [self.epochs[self.best][name] for name in figures]
        if len(self.epochs) > 1 and [*figures.values()] >= best:
            return False
        self.best = len(self.epochs) - 1
        return True


def run_epochs(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Callable[[int], Iterable[Any]],
    loss: Callable[[Any], torch.Tensor],
    schedule: Schedule,
    *,
    figures: Callable[[], dict[str, float]] | None = None,
    checkpoint: Checkpoint | None = None,
    advance: Callable[[], None] = lambda: None,
) -> History:
    """Train a network in place.

    It ends with the weights of the best epoch if figures are watched, else with the average if the
    schedule asks for one, else with the last weights. On a GPU gradients are scaled, as mixed
    precision needs.

    Parameters
    ----------
    batches : callable
        Takes the number of an epoch and returns its batches. A resumed training asks for those of
        the finished epochs again, and passes over them.
    figures : callable or None
        Returns what is watched after an epoch, the most important first; lower is better.
    checkpoint : Checkpoint or None
        Written after each epoch. A training that is there already is resumed.
    advance : callable
        Called after each step, those passed over included.
    """
    run = _Run(network, optimiser, batches, loss, schedule, figures, advance)
    state = checkpoint.read() if checkpoint is not None else None
    if state is not None:
        run.restore(state)
    while not run.finished:
        run.epoch()
        if checkpoint is not None:
            checkpoint.write(run.state())
    network.load_state_dict(run.average if figures is None else run.best, strict=False)
    network.eval()
    return run.history


@dataclass
class _Run:
    network: Any
    optimiser: Any
    batches: Callable[[int], Iterable[Any]]
    loss: Callable[[Any], torch.Tensor]
    schedule: Schedule
    figures: Callable[[], dict[str, float]] | None
    advance: Callable[[], None]

    def __post_init__(self) -> None:
        import torch

        self.device = next(self.network.parameters()).device
        self.scaler = torch.amp.GradScaler(enabled=self.device.type == "cuda")
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.history, self.done = History(), 0
        self.best = self.weights() if self.figures is not None else {}
        self.average = self.weights() if self.schedule.average else {}

    @property
    def finished(self) -> bool:
        since = len(self.history.epochs) - 1 - self.history.best
        impatient = self.schedule.patience is not None and since >= self.schedule.patience
        return impatient or self.done >= self.schedule.epochs

    def epoch(self) -> None:
        """Learn from every batch once, and keep the weights if the figures are the best."""
        steps = self.schedule.steps
        self.network.train()
        total = 0.0
        for i, batch in enumerate(self.batches(self.done)):
            total += self.step(self.done * steps + i, batch)
            self.advance()
        self.done += 1
        if self.figures is not None and self.done >= self.schedule.warm_up:
            self.network.eval()
            if self.history.add(total / steps, self.figures()):
                self.best = self.weights()

    def step(self, number: int, batch: Any) -> float:
        from torch.nn.utils import clip_grad_norm_

        schedule = self.schedule
        factor = schedule.rate_factor(number, schedule.epochs * schedule.steps)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = factor * rate
        loss = self.loss(batch)
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        if schedule.max_norm is not None:
            self.scaler.unscale_(self.optimiser)
            for group in self.optimiser.param_groups:
                clip_grad_norm_(group["params"], schedule.max_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        memory = min(schedule.average, (number + 1) / (number + 11))  # short in the first steps
        for name, value in self.learned() if self.average else ():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - memory)
            else:
                self.average[name].copy_(value)
        return float(loss.detach())

    def learned(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield what training changes: parameters that are not frozen, and buffers."""
        tuned = ((n, p.detach()) for n, p in self.network.named_parameters() if p.requires_grad)
        return chain(tuned, self.network.named_buffers())

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.learned()}

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        import torch

        return {
            "done": self.done,
            "history": [self.history.epochs, self.history.best],
            "weights": self.weights(),
            "best": self.best,
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state, and count its steps as done."""
        import torch

        self.done, self.best = state["done"], state["best"]
        self.history = History(*state["history"])
        self.network.load_state_dict(state["weights"], strict=False)
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        for number in range(self.done):
            for _ in self.batches(number):
                self.advance()
        torch.set_rng_state(state["random"])
