"""The training loop: a head first, then the last part of the network with it.

Everything that is drawn in an epoch comes from a generator of that epoch, so that a training that
was interrupted goes on to the very weights that it would have had.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.finetune._torch import nn, torch
from outgroup.finetune.blending import BLENDS
from outgroup.finetune.checkpoint import read_checkpoint, write_checkpoint
from outgroup.finetune.figure import OpenSetFigure, open_set_figure, several_labels_figure
from outgroup.finetune.inputs import Inputs
from outgroup.finetune.losses import class_weights, none_of_these
from outgroup.finetune.network import TunableNetwork
from outgroup.finetune.objectives import Objective
from outgroup.finetune.plan import Plan
from outgroup.finetune.schedule import Batches, rate_factor
from outgroup.finetune.splitting import rarest

#: The head's learning rate is this many times that of the network's last step: it starts from
#: nothing.
HEAD_RATE = 10.0

#: What weights are pulled towards zero by, in a step of rate 1; not those of BatchNorm and biases.
WEIGHT_DECAY = 1e-2

#: Largest norm of a gradient; one odd batch must not undo the pretraining.
MAX_NORM = 5.0

#: Watched images that are scored at a time.
CHUNK = 128

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """Rows of `Inputs`, and what is known of them.

    Parameters
    ----------
    inputs : Inputs
    targets : ndarray of shape (n, K), float32
        1 for what a row has, 0 for what not; rows of zeros are negatives.
    collections : ndarray of shape (n,), str
        Collection of each row; only those of negatives are looked at.
    tuned, watched : ndarray of int64
        Rows that are learned from, and rows that training is stopped by.
    several : bool, default=False
        Whether a row may have more than one label.
    """

    inputs: Inputs
    targets: NDArray[np.float32]
    collections: NDArray[np.str_]
    tuned: Rows
    watched: Rows
    several: bool = False

    @property
    def n_classes(self) -> int:
        """Return K."""
        return int(self.targets.shape[1])

    @property
    def y(self) -> Rows:
        """Return what rows are balanced by: the class, the rarest label, -1 for negatives."""
        return rarest(self.targets)


@dataclass
class History:
    """What became of each epoch.

    Parameters
    ----------
    epochs : list of dict
        "loss" of the training, and the `OpenSetFigure` of the watched images.
    best : int
        The epoch whose weights are kept; 0 is the frozen network with its trained head.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: int = 0

    def figure(self, number: int) -> OpenSetFigure:
        """Return the figure of an epoch."""
        row = self.epochs[number]
        return OpenSetFigure(row["accepted"], row["confused"], row["watched_loss"])


def train(
    network: TunableNetwork,
    data: TrainingData,
    objective: Objective,
    plan: Plan,
    *,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    key: str = "",
    advance: Callable[[], None] = lambda: None,
) -> History:
    """Tune a network in place; it ends with the weights of its best epoch.

    Parameters
    ----------
    network : TunableNetwork
    data : TrainingData
    objective : Objective
    plan : Plan
    seed : int, default=0
    device : str, default="cpu"
        On a "cuda" device arithmetic is of mixed precision.
    checkpoint : Path or None
        Where the state is kept after each epoch, and taken up.
    key : str
        Hash of all that decides the training: a state with another one is not taken up.
    advance : callable
        Called after each step.

    Returns
    -------
    History
    """
    run = _Run(network, data, objective, plan, seed, device)
    state = read_checkpoint(checkpoint, key) if checkpoint is not None else None
    if state is not None:
        run.restore(state, advance)
    while not run.finished:
        run.epoch(advance)
        if checkpoint is not None:
            write_checkpoint(checkpoint, {"key": key, **run.state()})
    run.take_best()
    return run.history


def batches_of(data: TrainingData, plan: Plan, seed: int) -> Batches:
    """Return the batches of a training."""
    y, tuned = data.y, data.tuned
    others = tuned[y[tuned] < 0]
    names = data.collections[others]
    return Batches(
        y,
        data.targets,
        tuned[y[tuned] >= 0],
        [others[names == name] for name in np.unique(names)],
        plan.batch,
        plan.ratio,
        plan.balance == "oversample",
        seed,
    )


def n_steps(data: TrainingData, plan: Plan) -> int:
    """Return how many steps a training has at most."""
    return len(batches_of(data, plan, 0)) * plan.total_epochs


def described(figure: OpenSetFigure) -> dict[str, float]:
    """Return a figure as a row of `History.epochs`."""
    values = figure.to_dict()
    values["watched_loss"] = values.pop("loss")
    return values


class _Run:
    def __init__(
        self,
        network: TunableNetwork,
        data: TrainingData,
        objective: Objective,
        plan: Plan,
        seed: int,
        device: str,
    ) -> None:
        self.network, self.data, self.objective, self.plan = network, data, objective, plan
        self.seed, self.device = seed, torch.device(device)
        self.history = History()
        self.done = 0  # epochs, those of the warm-up included

        self.start = network.first_step(plan.unfreeze)
        network.to(self.device)
        network.requires_grad_(False)
        network.unfreeze(self.start)
        self.head = nn.Linear(network.dim, data.n_classes + objective.has_other).to(self.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

        self.weights = torch.ones(data.n_classes)
        if plan.balance == "weights":
            there = np.nonzero(data.targets[data.tuned])[1]
            self.weights = class_weights(there, data.n_classes)
        self.weights = self.weights.to(self.device)
        self.batches = batches_of(data, plan, seed)
        self.steps = len(self.batches)
        self.optimiser = torch.optim.AdamW(self._groups())
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.mixed_precision = self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(enabled=self.mixed_precision)
        self.best = self._weights()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or `patience` of them without a better figure."""
        since = len(self.history.epochs) - 1 - self.history.best
        return self.done >= self.plan.total_epochs or since >= self.plan.patience

    def epoch(self, advance: Callable[[], None]) -> None:
        """Learn from every known image once, and keep the weights if the figure is the best."""
        plan, warming = self.plan, self.done < self.plan.warm_up
        rng = self._rng(self.done)
        self.network.train()
        total = 0.0
        for i, (rows, targets) in enumerate(self.batches.epoch(rng)):
            factor = rate_factor(
                self.done * self.steps + i,
                plan.warm_up * self.steps,
                plan.total_epochs * self.steps,
            )
            for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
                group["lr"] = factor * rate
            total += self._step(rows, torch.from_numpy(targets), rng, warming)
            advance()
        self.done += 1
        if self.done < plan.warm_up:
            return
        figure = self._figure()
        self.history.epochs.append({"loss": total / self.steps, **described(figure)})
        if len(self.history.epochs) == 1 or figure < self.history.figure(self.history.best):
            self.history.best = len(self.history.epochs) - 1
            self.best = self._weights()

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        return {
            "done": self.done,
            "history": json.dumps([self.history.epochs, self.history.best]),
            "weights": self._weights(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any], advance: Callable[[], None]) -> None:
        """Take up a training, and count its steps as done."""
        self.done = state["done"]
        self.history = History(*json.loads(state["history"]))
        self._load(state["weights"])
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        for number in range(self.done):
            for _ in self.batches.epoch(self._rng(number)):  # negatives that have had their turn
                advance()

    def take_best(self) -> None:
        """Give the network the weights of the best epoch, and put it back into use."""
        self._load(self.best)
        self.network.eval().cpu()

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number])

    def _groups(self) -> list[dict[str, Any]]:
        """Return parameters with their learning rates: the earlier a step, the slower."""
        steps = self.network.steps()
        groups = [(self.head, self.plan.learning_rate * HEAD_RATE)]
        for number in range(self.start, len(steps)):
            rate = self.plan.learning_rate * self.plan.decay ** (len(steps) - 1 - number)
            groups += [(module, rate) for module in steps[number]]
        return [
            {
                "params": [p for p in module.parameters() if (p.ndim > 1) == decays],
                "lr": rate,
                "weight_decay": WEIGHT_DECAY if decays else 0.0,
            }
            for module, rate in groups
            for decays in (True, False)
        ]

    def _step(
        self, rows: Rows, targets: torch.Tensor, rng: np.random.Generator, warming: bool
    ) -> float:
        x = self.data.inputs.changed(rows, rng)
        for name in self.plan.blends:
            x, targets = BLENDS[name](x, targets, rng)
        x, targets = x.to(self.device), targets.to(self.device)
        with torch.autocast(self.device.type, enabled=self.mixed_precision):
            with torch.set_grad_enabled(not warming):
                features = self.network(x, self.data.inputs.start)["last"]
            logits = self.head(features)
        loss = self._loss(logits.float(), features.float(), targets)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        for group in self.optimiser.param_groups:
            nn.utils.clip_grad_norm_(group["params"], MAX_NORM)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return float(loss.detach())

    def _loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean loss; a row weighs what the classes in it weigh, and negatives 1."""
        none = none_of_these(targets)
        weights = (targets @ self.weights + none) / (targets.sum(1) + none)
        return (weights * self.objective.loss(logits, features, targets)).sum() / weights.sum()

    def _figure(self) -> OpenSetFigure:
        """Return the figure of the watched images."""
        self.network.eval()
        scored, lost = [], []
        watched = self.data.watched
        labels = self.data.targets[watched]
        with torch.no_grad():
            for begin in range(0, len(watched), CHUNK):
                rows = watched[begin : begin + CHUNK]
                targets = torch.from_numpy(self.data.targets[rows]).to(self.device)
                x = self.data.inputs.plain(rows).to(self.device)
                features = self.network(x, self.data.inputs.start)["last"]
                logits = self.head(features)
                other = self.objective.other_score(logits, features)
                scored.append((-logits if self.data.several else other).double().cpu().numpy())
                lost.append(self.objective.loss(logits, features, targets).double().cpu().numpy())
        scores, losses = np.concatenate(scored), np.concatenate(lost)
        collections, known = self.data.collections[watched], labels.any(axis=1)
        parts = [losses[part].mean() for part in (known, ~known) if part.any()]
        loss = float(np.mean(parts))
        if self.data.several:
            return several_labels_figure(scores, labels, collections, loss)
        return open_set_figure(scores[known], scores[~known], collections[~known].tolist(), loss)

    def _weights(self) -> dict[str, dict[str, torch.Tensor]]:
        """Return a copy of what is tuned."""
        tuned = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        head = dict(self.head.named_parameters())
        return {
            part: {name: p.detach().cpu().clone() for name, p in parameters.items()}
            for part, parameters in (("network", tuned), ("head", head))
        }

    def _load(self, weights: dict[str, dict[str, torch.Tensor]]) -> None:
        self.network.load_state_dict(weights["network"], strict=False)
        self.head.load_state_dict(weights["head"])
