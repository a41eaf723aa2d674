"""Learning the weights of one network; the only module that imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import MissingExtraError
from outgroup.multi_input.encoding import Rows
from outgroup.multi_input.made import make_others
from outgroup.multi_input.plans import Plan
from outgroup.multi_input.targets import Target

if TYPE_CHECKING:
    from torch import Tensor

#: Weights by name, as the ONNX graph takes them: batch normalisation is folded in.
Weights = dict[str, NDArray[np.float32]]

#: Loss of logits (n, outputs) and targets, as `outgroup.multi_input.targets` has them.
Loss = Callable[["Tensor", "Tensor"], "Tensor"]


def torch_there() -> Any:
    """Return the module torch.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("Training a network with several inputs", "torch") from None
    return torch


def train_network(
    plan: Plan,
    rows: Rows,
    targets: NDArray[np.float32],
    target: Target,
    missing_table: NDArray[np.float32],
    seed: int,
    progress: Callable[[], None] | None = None,
) -> Weights:
    """Learn the weights of a network.

    Parameters
    ----------
    plan : Plan
        Its shape, and how it learns.
    rows : Rows
        What it learns from.
    targets : ndarray of shape (n, outputs), float32
        See `outgroup.multi_input.targets.Target.encode`; NaN counts in no loss.
    target : Target
        Which loss it is.
    missing_table : ndarray of shape (T,), float32
        The table columns of a row whose table is missing.
    seed : int
        Of everything that is drawn.
    progress : callable or None
        Called after each epoch.

    Returns
    -------
    dict of str to ndarray of float32

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """
    torch = torch_there()
    preset, n = plan.preset, len(rows)
    images = [torch.from_numpy(np.ascontiguousarray(one)) for one in rows.images]
    present, table = torch.from_numpy(rows.present), torch.from_numpy(rows.table)
    wanted, blank = torch.from_numpy(targets), torch.from_numpy(missing_table)
    with _seeded(torch, seed):
        network = build(plan)
        network.to(memory_format=torch.channels_last)  # faster on a CPU
        kept = {name: value.clone() for name, value in network.state_dict().items()}
        options = {"lr": preset.rate, "weight_decay": preset.decay}
        optimizer = torch.optim.AdamW(network.parameters(), **options)
        draws = np.random.default_rng(seed)
        steps = preset.epochs * math.ceil(n / preset.batch)
        step = 0
        network.train()
        for _ in range(preset.epochs):
            for batch in _batches(n, preset.batch, draws):
                if preset.cosine:
                    optimizer.param_groups[0]["lr"] = preset.rate * _cosine(step / steps)
                chosen = torch.from_numpy(batch)
                there, columns = _dropped(torch, present[chosen], table[chosen], blank, plan, draws)
                seen = [one[chosen] for one in images]
                if preset.augment:
                    seen = _turned(torch, seen, int(draws.integers(8)))
                goal = wanted[chosen]
                n_made = round(preset.made_others * len(batch)) if seen else 0
                if n_made:
                    made = make_others([one[:n_made].numpy() for one in seen], draws)
                    seen = [
                        torch.cat([a, torch.from_numpy(b)]) for a, b in zip(seen, made, strict=True)
                    ]
                    there, columns = (torch.cat([one, one[:n_made]]) for one in (there, columns))
                    goal = torch.cat([goal, torch.from_numpy(target.others(n_made))])
                loss = loss_of(target)(network(seen, there, columns), goal)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                _average(kept, network.state_dict(), min(preset.average, step / (step + 10)))
            if progress is not None:
                progress()
        if preset.average:
            network.load_state_dict(kept)
    return _cleaned(folded(network, plan), plan, rows.table)


def build(plan: Plan) -> Any:
    """Return the untrained torch module of a plan.

    It takes images (a list of (n, C, H, W)), what is present (n, n_images) and the table (n, T),
    and returns logits (n, outputs). Its `embed` returns these, the last hidden layer, and the
    pooled maps of each branch.
    """
    torch = torch_there()
    nn, preset = torch.nn, plan.preset

    def branch(channels: int) -> Any:
        layers: list[Any] = []
        for block in preset.blocks:
            layers.append(
                nn.Conv2d(channels, block.channels, 3, block.stride, 1, bias=not preset.norm)
            )
            layers += [nn.BatchNorm2d(block.channels)] if preset.norm else []
            layers.append(nn.ReLU())
            layers += [nn.MaxPool2d(2)] if block.pool else []
            channels = block.channels
        return nn.Sequential(*layers)

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(branch(one.channels) for one in plan.branches)
            self.dense = nn.ModuleList(nn.Linear(*sides) for sides in plan.dense)
            self.dropout = nn.Dropout(preset.dropout)

        def forward(self, images: list[Tensor], present: Tensor, table: Tensor) -> Tensor:
            return self.embed(images, present, table)[0]

        def embed(
            self, images: list[Tensor], present: Tensor, table: Tensor
        ) -> tuple[Tensor, Tensor, list[Tensor]]:
            features, weights, pooled = [], [], []
            images = [
                one * present[:, i].reshape(-1, 1, 1, 1) for i, one in enumerate(images)
            ]  # a missing one is zeros whatever it held
            for one, layers in zip(plan.branches, self.branches, strict=True):
                maps = layers(torch.cat([images[i] for i in one.sources], dim=1))
                both = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
                pooled.append(both)
                features.append(both if preset.join == "pool" else maps.flatten(1))
                alone = len(plan.branches) == 1
                there = present[:, list(one.sources)].prod(dim=1, keepdim=True)
                weights.append(torch.ones_like(there) if alone else there)
            joined = [table, 1.0 - present]
            if features:
                joined.insert(0, merge(plan.fusion, features, weights))
            hidden = self.dropout(torch.cat(joined, dim=1))
            for layer in self.dense[:-1]:
                hidden = torch.relu(layer(hidden))
            return self.dense[-1](hidden), hidden, pooled

    return Network()


def merge(fusion: str, features: list[Tensor], weights: list[Tensor]) -> Tensor:
    """Merge features (n, F) of branches, each weighing 1 or, if its input is missing, 0 (n, 1)."""
    torch = torch_there()
    weighted = [one * weight for one, weight in zip(features, weights, strict=True)]
    total: Tensor
    if fusion == "concat":
        total = torch.cat(weighted, dim=1)
    else:
        total = sum(weighted) / sum(weights).clamp(min=1.0)
    return total


def loss_of(target: Target) -> Loss:
    """Return the loss of a target, as a function of logits and of targets with NaN in them.

    Binary cross-entropy of each output, or of the softmax; where there are negatives, the last
    output says known or other, with a binary cross-entropy of its own.
    """
    torch = torch_there()
    functional = torch.nn.functional

    def binary(logits: Tensor, wanted: Tensor) -> Tensor:
        known = ~torch.isnan(wanted)
        if not known.any():
            return logits.sum() * 0.0
        total: Tensor = functional.binary_cross_entropy_with_logits(logits[known], wanted[known])
        return total

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        n = target.n_scores
        if target.kind == "multi-class":
            known = ~torch.isnan(wanted[:, 0])
            right = wanted[known, :n].argmax(dim=1)
            total = (
                functional.cross_entropy(logits[known, :n], right)
                if known.any()
                else logits.sum() * 0.0
            )
        else:
            total = binary(logits[:, :n], wanted[:, :n])
        return total + binary(logits[:, n], wanted[:, n]) if target.gate else total

    return loss


def folded(network: Any, plan: Plan) -> Weights:
    """Return the weights by name, batch normalisation folded into the convolution before it."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    weights: Weights = {}
    for b in range(len(plan.branches)):
        at = 0
        for i, block in enumerate(plan.preset.blocks):
            weight = state[f"branches.{b}.{at}.weight"].astype(np.float64)
            if plan.preset.norm:
                norm = f"branches.{b}.{at + 1}"
                scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
                bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
                weight = weight * scale[:, np.newaxis, np.newaxis, np.newaxis]
            else:
                bias = state[f"branches.{b}.{at}.bias"]
            weights[f"branch.{b}.{i}.weight"] = weight.astype(np.float32)
            weights[f"branch.{b}.{i}.bias"] = bias.astype(np.float32)
            at += 2 + plan.preset.norm + block.pool
    for j in range(len(plan.dense)):
        weights[f"dense.{j}.weight"] = state[f"dense.{j}.weight"]
        weights[f"dense.{j}.bias"] = state[f"dense.{j}.bias"]
    return weights


def _cleaned(weights: Weights, plan: Plan, table: NDArray[np.float32]) -> Weights:
    """Let the network ignore columns that said nothing in training: their weights are chance."""
    if plan.preset.input_dropout:
        return weights  # inputs were taken away, so that each column has been learned from
    silent = np.ones(plan.table + plan.n_images, dtype=bool)
    silent[: plan.table] = (table == table[:1]).all(axis=0)
    first = weights["dense.0.weight"].copy()
    first[:, plan.merged :][:, silent] = 0.0
    return {**weights, "dense.0.weight": first}


def _dropped(
    torch: Any, present: Tensor, table: Tensor, blank: Tensor, plan: Plan, draws: Any
) -> tuple[Tensor, Tensor]:
    """Take inputs away at random, never all of them."""
    share = plan.preset.input_dropout
    if not share:
        return present, table
    n = len(present)
    lost = draws.random((n, plan.n_images + 1)) < share
    for row in np.flatnonzero(lost[:, :-1].all(axis=1)):
        lost[row] = False
    there = present * torch.from_numpy(~lost[:, :-1]).float()
    none_left = there.sum(dim=1, keepdim=True) == 0
    there = torch.where(none_left, present, there)
    if not plan.n_images:
        return there, table
    return there, torch.where(torch.from_numpy(lost[:, -1:]), blank, table)


def _turned(torch: Any, images: list[Tensor], which: int) -> list[Tensor]:
    """Return all images flipped and turned in one of eight ways; four, if one is no square."""
    if any(one.shape[2] != one.shape[3] for one in images):
        which %= 4
    sides = [side for side, bit in ((2, 1), (3, 2)) if which & bit]
    images = [torch.flip(one, sides) for one in images] if sides else images
    return [one.transpose(2, 3) for one in images] if which & 4 else images


def _average(kept: dict[str, Tensor], now: dict[str, Tensor], memory: float) -> None:
    for name, value in now.items():
        if value.dtype.is_floating_point:
            kept[name].lerp_(value, 1.0 - memory)
        else:
            kept[name].copy_(value)


def _batches(n: int, size: int, draws: Any) -> Iterator[NDArray[np.int64]]:
    order = draws.permutation(n)
    parts = np.array_split(order, max(1, math.ceil(n / size)))
    yield from (part for part in parts if len(part))


def _cosine(done: float) -> float:
    warm = min(1.0, done / 0.05)
    return warm * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-3


@contextmanager
def _seeded(torch: Any, seed: int) -> Iterator[None]:
    """Draw by a seed, and leave the caller's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
