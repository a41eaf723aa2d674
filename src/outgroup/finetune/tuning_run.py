"""Fine-tuning itself: first a new head alone, then the last steps of the network with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from outgroup.evaluation import auroc, fpr_at_tpr
from outgroup.finetune.augmentation import BLENDS
from outgroup.finetune.objectives import Objective, class_weights, none_of_these
from outgroup.finetune.tunable_network import TunableNetwork
from outgroup.finetune.tuning_batches import TuningBatches, TuningData
from outgroup.finetune.tuning_plan import FineTunePlan
from outgroup.torch_loop import Checkpoint, History, Schedule, cosine, run_epochs, torch_settings

#: Watched images that are scored at a time.
CHUNK = 128


def train(
    network: TunableNetwork,
    data: TuningData,
    objective: Objective,
    plan: FineTunePlan,
    *,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
    advance: Callable[[], None] = lambda: None,
) -> History:
    """Tune a network in place; it ends on the CPU with the weights of its best epoch.

    The draws of an epoch come from a generator of that epoch, so that a resumed training ends with
    the very weights that it would have had. The history has "loss" and, of the watched images,
    "accepted", "confused" and "watched_loss"; its epoch 0 is the frozen network with its trained
    head.
    """
    start = network.first_step(plan.unfreeze)
    network.requires_grad_(False)
    network.unfreeze(start)
    head = nn.Linear(network.dim, data.targets.shape[1] + objective.has_other)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    both = nn.ModuleDict({"network": network, "head": head}).to(device)
    optimiser = torch.optim.AdamW(_parameter_groups(network, head, start, plan))
    batches = TuningBatches(data, plan, seed)
    weights = torch.ones(data.targets.shape[1])
    if plan.balance == "weights":
        weights = class_weights(np.nonzero(data.targets[data.tuned])[1], data.targets.shape[1])

    def epoch(number: int) -> Iterator[Any]:
        rng = np.random.default_rng([seed, number])
        for rows, targets in batches.epoch(rng):
            yield rows, torch.from_numpy(targets), rng, number >= plan.warm_up

    def loss(batch: Any) -> torch.Tensor:
        rows, targets, rng, tuning = batch
        x = data.inputs.augmented(rows, rng)
        for name in plan.blends:
            x, targets = BLENDS[name](x, targets, rng)
        x, targets = x.to(device), targets.to(device)
        on_gpu = x.device.type == "cuda"
        with torch.autocast(x.device.type, enabled=on_gpu):
            with torch.set_grad_enabled(tuning):
                features = network(x, data.inputs.start)["last"]
            logits = head(features)
        return _weighted_mean(
            objective.loss(logits.float(), features.float(), targets), targets, weights.to(device)
        )

    steps = len(batches)
    schedule = Schedule(
        epochs=plan.warm_up + plan.epochs,
        steps=steps,
        rate_factor=partial(rate_factor, warm_up=plan.warm_up * steps),
        max_norm=5.0,  # so that one odd batch does not undo the pretraining
        warm_up=plan.warm_up,
        patience=plan.patience,
    )
    figures = partial(_watched_figures, network, head, data, objective, device)
    with torch_settings(seed, threads):
        history = run_epochs(
            both,
            optimiser,
            epoch,
            loss,
            schedule,
            figures=figures,
            checkpoint=checkpoint,
            advance=advance,
        )
    network.cpu()
    return history


def n_steps(data: TuningData, plan: FineTunePlan) -> int:
    """Return how many steps a training has at most."""
    return len(TuningBatches(data, plan, 0)) * (plan.warm_up + plan.epochs)


def rate_factor(step: int, total: int, warm_up: int) -> float:
    """Return the factor of the learning rates: 1 while the head warms up, then a cosine to 0."""
    return cosine(max(step - warm_up, 0) / max(total - warm_up, 1))


def open_set_figures(
    known: NDArray[Any], negatives: NDArray[Any], collections: NDArray[np.str_]
) -> tuple[float, float]:
    """Return "accepted" and "confused", computed from other-scores; lower is better.

    Accepted is the share of negatives accepted where 95 % of the known images are kept. Confused is
    1 minus the area under the ROC curve, which still compares networks that accept none. Both are
    means over the collections of negatives: a large pool does not outvote a few look-alikes.

    >>> negatives, names = np.array([5.0, 25, 25, 30]), np.array(["a", "a", "b", "b"])
    >>> open_set_figures(np.arange(20.0), negatives, names)
    (0.25, 0.18125)
    """
    parts = [negatives[collections == name] for name in np.unique(collections)]
    accepted = np.mean([fpr_at_tpr(known, part, 0.95) for part in parts])
    confused = np.mean([1.0 - auroc(known, part) for part in parts])
    return round(float(accepted), 12), round(float(confused), 12)


def multi_label_figures(
    scores: NDArray[Any], labels: NDArray[Any], collections: NDArray[np.str_]
) -> tuple[float, float]:
    """Return the means of `open_set_figures` over all labels, from scores and labels (n, K).

    A higher score says more surely that the label is missing. Images with the label are the known
    ones. Images with other labels are one collection beside the collections of negatives.
    """
    where = np.where(labels.any(axis=1), "other labels", np.char.add("negatives ", collections))
    figures = [
        open_set_figures(scores[has, k], scores[~has, k], where[~has])
        for k, has in enumerate(labels.T > 0)
        if 0 < has.sum() < len(has)
    ]
    accepted, confused = np.mean(figures, axis=0).tolist()
    return accepted, confused


def _watched_figures(
    network: TunableNetwork, head: nn.Linear, data: TuningData, objective: Objective, device: str
) -> dict[str, float]:
    """Return the figures of the watched images; the loss decides where all are told apart."""
    scored, lost = [], []
    with torch.no_grad():
        for begin in range(0, len(data.watched), CHUNK):
            rows = data.watched[begin : begin + CHUNK]
            targets = torch.from_numpy(data.targets[rows]).to(device)
            features = network(data.inputs.plain(rows).to(device), data.inputs.start)["last"]
            logits = head(features)
            other = -logits if data.several else objective.other_score(logits, features)
            scored.append(other.double().cpu().numpy())
            lost.append(objective.loss(logits, features, targets).double().cpu().numpy())
    scores, losses = np.concatenate(scored), np.concatenate(lost)
    labels, collections = data.targets[data.watched], data.collections[data.watched]
    known = labels.any(axis=1)
    if data.several:
        accepted, confused = multi_label_figures(scores, labels, collections)
    else:
        accepted, confused = open_set_figures(scores[known], scores[~known], collections[~known])
    loss = float(np.mean([losses[part].mean() for part in (known, ~known) if part.any()]))
    return {"accepted": accepted, "confused": confused, "watched_loss": loss}


def _weighted_mean(
    losses: torch.Tensor, targets: torch.Tensor, class_weight: torch.Tensor
) -> torch.Tensor:
    """Return the mean loss; a row weighs what its classes weigh, a negative 1."""
    none = none_of_these(targets)
    weights = (targets @ class_weight + none) / (targets.sum(1) + none)
    return (weights * losses).sum() / weights.sum()


def _parameter_groups(
    network: TunableNetwork, head: nn.Linear, start: int, plan: FineTunePlan
) -> list[dict[str, Any]]:
    """Return parameters with their learning rates: the earlier a step, the slower it learns."""
    steps = network.steps()
    rated = [(head, plan.learning_rate * 10.0)]  # the head starts from zeros
    for number in range(start, len(steps)):
        rate = plan.learning_rate * plan.decay ** (len(steps) - 1 - number)
        rated += [(module, rate) for module in steps[number]]
    return [
        {
            "params": [p for p in module.parameters() if (p.ndim > 1) == is_matrix],
            "lr": rate,
            "weight_decay": 1e-2 if is_matrix else 0.0,  # none of BatchNorm and biases
        }
        for module, rate in rated
        for is_matrix in (True, False)
    ]
