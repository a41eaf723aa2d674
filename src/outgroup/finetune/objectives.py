"""What a network is tuned for: losses with room for "none of the classes", and other-scores.

Every loss takes logits and `targets` of shape (n, K), float: one-hot rows for known images, rows of
zeros for negatives. A row may sum to anything between 0 and 1: what is missing to 1 is the share of
the image that is *none* of the classes, as in a blend of a known image with a negative. Every loss
is linear in that share, so a blend costs what its parts cost. The result is one number a row, in
the dtype of the logits; `class_weights` has weights for the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from outgroup.finetune.tuning_plan import parse_objective


def target_rows(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Return one-hot rows for class indices, and rows of zeros for indices outside the classes.

    Examples
    --------
    >>> target_rows(torch.tensor([1, -1]), 2)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return (y[:, None] == torch.arange(n_classes, device=y.device)).float()


def none_of_these(targets: torch.Tensor) -> torch.Tensor:
    """Return the share of each image that is none of the classes, shape (n,)."""
    return (1.0 - targets.sum(1)).clamp(min=0.0)


def other_class(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy over K classes and one more, "other".

    ``-sum_k t_k log p_k - (1 - sum_k t_k) log p_K`` with p the softmax of K + 1 logits, of which
    the last is that of "other".
    """
    return -(_with_other(targets) * logits.log_softmax(1)).sum(1)


def zero_row_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the binary cross-entropy of one sigmoid a class; a negative is "no" to each.

    ``-sum_k t_k log s_k + (1 - t_k) log(1 - s_k)`` with s the sigmoids of the logits.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017.
    """
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)


def outlier_exposure(
    logits: torch.Tensor, targets: torch.Tensor, weight: float = 0.5
) -> torch.Tensor:
    """Return the cross-entropy, which for negatives is that to the uniform distribution.

    ``-sum_k t_k log p_k - weight (1 - sum_k t_k) / K sum_k log p_k`` with p the softmax. With a
    weight of 1 this is the entropic open-set loss of Dhamija et al. (see `objectosphere`).

    References
    ----------
    D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR
    2019; 0.5 is their weight for images.
    """
    log_p = logits.log_softmax(1)
    return -(targets * log_p).sum(1) - weight * none_of_these(targets) * log_p.mean(1)


def focal_softmax(
    logits: torch.Tensor,
    targets: torch.Tensor,
    gamma: float = 2.0,
    alpha: Sequence[float] | torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the focal loss of a softmax over K classes and one more, "other".

    ``-sum_k a_k t_k (1 - p_k)^gamma log p_k``, where the last of K + 1 targets is the share of
    "other". With a gamma of 0 it is `other_class`. With K logits negatives cost nothing.

    Parameters
    ----------
    logits : Tensor of shape (n, K + 1) or (n, K)
    targets : Tensor of shape (n, K)
    gamma : float, default=2.0
        How much less a row counts that is right already.
    alpha : sequence of float or None, default=None
        Weight a of each column of the logits; None: 1.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if logits.shape[1] > targets.shape[1]:
        targets = _with_other(targets)
    log_p = logits.log_softmax(1)
    # 1 - p without cancellation: p near 1 is where the factor matters
    wrong = (-torch.expm1(log_p)).clamp(min=torch.finfo(logits.dtype).tiny)
    value = targets * wrong**gamma * log_p
    if alpha is not None:
        value = value * torch.as_tensor(alpha, dtype=logits.dtype, device=logits.device)
    return -value.sum(1)


def focal_sigmoid(
    logits: torch.Tensor, targets: torch.Tensor, gamma: float = 2.0, alpha: float | None = None
) -> torch.Tensor:
    """Return the focal loss of one sigmoid a class; a negative is "no" to each.

    ``-sum_k a t_k (1 - s_k)^gamma log s_k + (1 - a) (1 - t_k) s_k^gamma log(1 - s_k)``. With a
    gamma of 0 and no alpha it is `zero_row_bce`.

    Parameters
    ----------
    logits, targets : Tensor of shape (n, K)
    gamma : float, default=2.0
        How much less a cell counts that is right already.
    alpha : float or None, default=None
        Weight a of "yes", from 0 to 1, against 1 - a of "no"; None: both 1.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017; 0.25 is their alpha.
    """
    yes, no = (1.0, 1.0) if alpha is None else (alpha, 1.0 - alpha)
    log_yes, log_no = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    value = yes * targets * torch.exp(gamma * log_no) * log_yes
    value = value + no * (1.0 - targets) * torch.exp(gamma * log_yes) * log_no
    return -value.sum(1)


def objectosphere(
    logits: torch.Tensor,
    features: torch.Tensor,
    targets: torch.Tensor,
    radius: float = 10.0,
    weight: float = 1e-3,
) -> torch.Tensor:
    """Return `outlier_exposure` with a weight of 1, and a cost of the length of the features.

    ``J_E + weight (sum_k t_k max(radius - |f|, 0)^2 + (1 - sum_k t_k) |f|^2)``: features of known
    images belong outside a sphere, those of negatives at its centre.

    Parameters
    ----------
    logits, targets : Tensor of shape (n, K)
    features : Tensor of shape (n, d)
        What the logits are computed from.
    radius, weight : float
        Radius of the sphere, and weight of the cost.

    References
    ----------
    A. R. Dhamija, M. Günther and T. Boult, Reducing Network Agnostophobia, NeurIPS 2018, eqs 1, 2.
    """
    # the gradient of a norm at 0 is undefined; that of its square is not
    squared = features.pow(2).sum(1)
    length = squared.clamp(min=torch.finfo(features.dtype).tiny).sqrt()
    short = (radius - length).clamp(min=0.0).pow(2)
    magnitude = targets.sum(1) * short + none_of_these(targets) * squared
    return outlier_exposure(logits, targets, weight=1.0) + weight * magnitude


def class_weights(y: np.ndarray, n_classes: int) -> torch.Tensor:
    """Return weights of the classes with which all classes count the same.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Class indices; negatives, below 0, are ignored.
    n_classes : int

    Returns
    -------
    Tensor of shape (n_classes,), float32
        ``n / (K n_k)``, for rows a mean of 1; 1 for a class without images.

    Examples
    --------
    >>> class_weights(np.array([0, 0, 0, 1, -1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = np.bincount(y[y >= 0], minlength=n_classes)
    weights = np.where(counts > 0, counts.sum() / (n_classes * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)


@dataclass(frozen=True)
class Objective:
    """A loss (of logits, features and targets) and an other-score (of logits and features).

    Both are of shape (n,). `has_other`: the head has one more output, for "other".
    """

    loss: Callable[..., torch.Tensor]
    other_score: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    has_other: bool = False


def choose_objective(text: str) -> Objective:
    """Return an objective by name, with options as in "focal-sigmoid,gamma=1"."""
    name, options = parse_objective(text)
    objective = OBJECTIVES[name]
    return replace(objective, loss=partial(objective.loss, **options)) if options else objective


def _focal_softmax_balanced(
    logits: torch.Tensor,
    features: torch.Tensor,
    targets: torch.Tensor,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> torch.Tensor:
    """Return the focal loss with weights alpha of the classes and 1 - alpha of "other"."""
    weights = None if alpha is None else [alpha] * targets.shape[1] + [1.0 - alpha]
    return focal_softmax(logits, targets, gamma, weights)


def _with_other(targets: torch.Tensor) -> torch.Tensor:
    return torch.cat([targets, none_of_these(targets)[:, None]], 1)


def _minus_largest_logit(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return -logits.amax(1)


def _log_odds_of_other(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return logits[:, -1] - logits[:, :-1].logsumexp(1)


def _minus_largest_log_probability(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return -logits.log_softmax(1).amax(1)


def _minus_scaled_probability(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Return minus the largest probability times the length of the features (Dhamija et al.)."""
    return -logits.softmax(1).amax(1) * features.norm(dim=1)


#: One row for each name in `outgroup.finetune.tuning_plan.OBJECTIVES`.
OBJECTIVES: dict[str, Objective] = {
    "focal-sigmoid": Objective(
        lambda logits, _, targets, **options: focal_sigmoid(logits, targets, **options),
        _minus_largest_logit,
    ),
    "focal-softmax": Objective(_focal_softmax_balanced, _log_odds_of_other, has_other=True),
    "objectosphere": Objective(objectosphere, _minus_scaled_probability),
    "other-class": Objective(
        lambda logits, _, targets: other_class(logits, targets), _log_odds_of_other, has_other=True
    ),
    "outlier-exposure": Objective(
        lambda logits, _, targets: outlier_exposure(logits, targets),
        _minus_largest_log_probability,
    ),
    "sigmoid": Objective(
        lambda logits, _, targets: zero_row_bce(logits, targets), _minus_largest_logit
    ),
}
