"""Train one network; torch is imported inside functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.encoding import NetworkInputs
from outgroup.multi_input.image_statistics import make_others
from outgroup.multi_input.network_graph import Weights
from outgroup.multi_input.network_plan import OutputLayer, Plan
from outgroup.torch_loop import Schedule, cosine, require_torch, run_epochs, torch_settings

if TYPE_CHECKING:
    from torch import Tensor


def train_network(
    plan: Plan,
    rows: NetworkInputs,
    wanted: NDArray[np.float32],
    layer: OutputLayer,
    missing_table: NDArray[np.float32],
    seed: int,
    progress: Callable[[], None] = lambda: None,
) -> Weights:
    """Learn the weights of a network from n rows.

    `wanted` (n, outputs) is from `layer.encode`; `missing_table` (T,) holds the encoded columns of
    a row that lacks all of them; `progress` is called after each epoch.
    """
    require_torch("Training a network with several inputs")
    import torch

    preset, loss_function = plan.preset, loss_of(layer)
    steps, draws = math.ceil(len(rows) / preset.batch), np.random.default_rng(seed)
    tensors = [torch.from_numpy(np.ascontiguousarray(one)) for one in rows.images]
    present, table, goals, blank = map(
        torch.from_numpy, (rows.present, rows.table, wanted, missing_table)
    )

    def batches(epoch: int) -> Iterator[tuple[list[Tensor], Tensor, Tensor, Tensor]]:
        for batch in np.array_split(draws.permutation(len(rows)), max(1, steps)):
            there, columns = _dropped(present[batch], table[batch], blank, plan, draws)
            images, goal = [one[batch] for one in tensors], goals[batch]
            if preset.augment:
                images = _turned(images, int(draws.integers(8)))
            n_made = round(preset.made_others * len(batch)) if images else 0
            if n_made:
                made = make_others([one[:n_made].numpy() for one in images], draws)
                both = zip(images, map(torch.from_numpy, made), strict=True)
                images = [torch.cat(pair) for pair in both]
                there, columns = (torch.cat([one, one[:n_made]]) for one in (there, columns))
                goal = torch.cat([goal, torch.from_numpy(layer.others(n_made))])
            yield images, there, columns, goal
        progress()

    def loss(batch: tuple[list[Tensor], Tensor, Tensor, Tensor]) -> Tensor:
        *inputs, goal = batch
        return loss_function(network(*inputs), goal)

    schedule = Schedule(
        epochs=preset.epochs,
        steps=steps,
        rate_factor=_rate_factor if preset.cosine else lambda step, total: 1.0,
        average=preset.average,
    )
    with torch_settings(seed):
        network = build(plan).to(memory_format=torch.channels_last)  # faster on a CPU
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=preset.rate, weight_decay=preset.decay
        )
        run_epochs(network, optimiser, batches, loss, schedule)
    return _cleaned(folded(network, plan), plan, rows.table)


def build(plan: Plan) -> Any:
    """Return the untrained torch module of a plan.

    It takes images (a list of (n, C, H, W)), presence (n, n_images) and the table (n, T), and
    returns logits (n, outputs). Its `embed` returns these, the last hidden layer, and the pooled
    maps of each branch.
    """
    import torch
    from torch import nn

    preset = plan.preset

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

    class BranchedNetwork(nn.Module):  # type: ignore[misc]
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
            images = [  # a missing image is zeros, whatever it holds
                one * present[:, i].reshape(-1, 1, 1, 1) for i, one in enumerate(images)
            ]
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

    return BranchedNetwork()


def merge(fusion: str, features: list[Tensor], weights: list[Tensor]) -> Tensor:
    """Merge the features (n, F) of branches, with weights (n, 1): 1, or 0 for a missing input."""
    import torch

    weighted = [one * weight for one, weight in zip(features, weights, strict=True)]
    if fusion == "concat":
        return torch.cat(weighted, dim=1)
    total: Tensor = sum(weighted) / sum(weights).clamp(min=1.0)
    return total


def loss_of(layer: OutputLayer) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the cross-entropy of logits and targets (n, outputs); NaN targets are ignored."""
    from torch.nn import functional

    def binary(logits: Tensor, wanted: Tensor) -> Tensor:
        given = ~wanted.isnan()
        if not given.any():
            return logits.sum() * 0.0
        return functional.binary_cross_entropy_with_logits(logits[given], wanted[given])

    def softmax(logits: Tensor, wanted: Tensor) -> Tensor:
        given = ~wanted[:, 0].isnan()
        if not given.any():
            return logits.sum() * 0.0
        return functional.cross_entropy(logits[given], wanted[given].argmax(dim=1))

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        n = layer.n_scores
        total = (softmax if layer.kind == "multi-class" else binary)(logits[:, :n], wanted[:, :n])
        return total + binary(logits[:, n], wanted[:, n]) if layer.gate else total

    return loss


def folded(network: Any, plan: Plan) -> Weights:
    """Return the weights by name, batch normalisation folded into the convolution before it."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    weights = {name: values for name, values in state.items() if name.startswith("dense.")}
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
    return weights


def _cleaned(weights: Weights, plan: Plan, table: NDArray[np.float32]) -> Weights:
    """Set the weights of columns that were constant in training, and so not learned, to 0."""
    if plan.preset.input_dropout:
        return weights  # dropped inputs vary, so that each column has been learned from
    constant = np.ones(plan.table + len(plan.images), dtype=bool)
    constant[: plan.table] = (table == table[:1]).all(axis=0)
    first = weights["dense.0.weight"].copy()
    first[:, plan.merged :][:, constant] = 0.0
    return {**weights, "dense.0.weight": first}


def _dropped(
    present: Tensor, table: Tensor, blank: Tensor, plan: Plan, draws: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Drop inputs of rows at random, never all of them."""
    import torch

    share = plan.preset.input_dropout
    if not share:
        return present, table
    lost = draws.random((len(present), len(plan.images) + 1)) < share
    lost[lost[:, :-1].all(axis=1)] = False
    there = present * torch.from_numpy(~lost[:, :-1]).float()
    none_left = there.sum(dim=1, keepdim=True) == 0
    there = torch.where(none_left, present, there)
    if not len(plan.images):
        return there, table
    return there, torch.where(torch.from_numpy(lost[:, -1:]), blank, table)


def _turned(images: list[Tensor], which: int) -> list[Tensor]:
    """Return all images in one of eight orientations; of four, if one is no square."""
    if any(one.shape[2] != one.shape[3] for one in images):
        which %= 4
    sides = [side for side, bit in ((2, 1), (3, 2)) if which & bit]
    images = [one.flip(sides) for one in images] if sides else images
    return [one.transpose(2, 3) for one in images] if which & 4 else images


def _rate_factor(step: int, total: int) -> float:
    """Return a factor that rises over 5 % of the steps, and falls along a cosine to 0.001."""
    return min(1.0, step / total / 0.05) * cosine(step / total) + 1e-3
