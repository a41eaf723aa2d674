"""Losses for networks that are to say "none of these", each of one row an image.

All take logits and `targets` of shape (n, K), float: one-hot rows for known images and rows of
zeros for negatives. A row may add up to anything between: what is missing to 1 is how much of an
image is *none* of the classes, as in a mixture of a known image with a negative. Each loss is
linear in that share, so a mixture costs what its parts cost. They return one number a row, in the
dtype of the logits, so that the rows can be weighted; `class_weights` has weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outgroup.finetune._torch import functional, torch


def target_rows(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Return one-hot rows for class indices, rows of zeros where they are -1 or `n_classes`.

    Examples
    --------
    >>> target_rows(torch.tensor([1, -1]), 2)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return (y[:, None] == torch.arange(n_classes, device=y.device)).float()


def none_of_these(targets: torch.Tensor) -> torch.Tensor:
    """Return how much of each image is none of the classes, of shape (n,)."""
    return (1.0 - targets.sum(1)).clamp(min=0.0)


def other_class(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy over K classes and one more for all else.

    ``-sum_k t_k log p_k - (1 - sum_k t_k) log p_K`` with p the softmax of K + 1 logits.

    Parameters
    ----------
    logits : Tensor of shape (n, K + 1)
        The last column is that of "other".
    targets : Tensor of shape (n, K)
        See the module.
    """
    rows = torch.cat([targets, none_of_these(targets)[:, None]], 1)
    return -(rows * functional.log_softmax(logits, 1)).sum(1)


def zero_row_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the binary cross-entropy of one sigmoid a class, to all of which a negative says no.

    ``-sum_k t_k log s_k + (1 - t_k) log(1 - s_k)`` with s the sigmoid of a logit.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017.
    """
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)


def outlier_exposure(
    logits: torch.Tensor, targets: torch.Tensor, weight: float = 0.5
) -> torch.Tensor:
    """Return the cross-entropy of known images, and of negatives that to the uniform distribution.

    ``-sum_k t_k log p_k - weight (1 - sum_k t_k) / K sum_k log p_k`` with p the softmax.

    References
    ----------
    D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR
    2019; 0.5 is their weight for images.
    """
    log_p = functional.log_softmax(logits, 1)
    return -(targets * log_p).sum(1) - weight * none_of_these(targets) * log_p.mean(1)


def focal_softmax(
    logits: torch.Tensor,
    targets: torch.Tensor,
    gamma: float = 2.0,
    alpha: Sequence[float] | torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the focal loss of a softmax over K classes and one more for all else.

    ``-sum_k a_k t_k (1 - p_k)^gamma log p_k``, with the share of "other" as the last of K + 1
    targets. With a gamma of 0 it is `other_class`. With K logits there is no "other" among them,
    and a negative costs nothing.

    Parameters
    ----------
    logits : Tensor of shape (n, K + 1) or (n, K)
        The last of K + 1 columns is that of "other".
    targets : Tensor of shape (n, K)
        See the module.
    gamma : float, default=2.0
        How much less a row counts that is right already.
    alpha : sequence of float or None
        Weight of each column of the logits; None: 1.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if logits.shape[1] > targets.shape[1]:
        targets = torch.cat([targets, none_of_these(targets)[:, None]], 1)
    log_p = functional.log_softmax(logits, 1)
    # 1 - p without cancellation: p near 1 is where the factor matters
    wrong = (-torch.expm1(log_p)).clamp(min=torch.finfo(logits.dtype).tiny)
    value = targets * wrong**gamma * log_p
    if alpha is not None:
        value = value * torch.as_tensor(alpha, dtype=logits.dtype, device=logits.device)
    return -value.sum(1)


def focal_sigmoid(
    logits: torch.Tensor,
    targets: torch.Tensor,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> torch.Tensor:
    """Return the focal loss of one sigmoid a class, to all of which a negative says no.

    ``-sum_k a t_k (1 - s_k)^gamma log s_k + (1 - a) (1 - t_k) s_k^gamma log(1 - s_k)``. With a
    gamma of 0 and no alpha it is `zero_row_bce`.

    Parameters
    ----------
    logits, targets : Tensor of shape (n, K)
        See the module.
    gamma : float, default=2.0
        How much less a cell counts that is right already.
    alpha : float or None
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


def entropic_open_set(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return `outlier_exposure` with a weight of 1, under its other name.

    References
    ----------
    A. R. Dhamija, M. Günther and T. Boult, Reducing Network Agnostophobia, NeurIPS 2018, eq. 1.
    """
    return outlier_exposure(logits, targets, weight=1.0)


def objectosphere(
    logits: torch.Tensor,
    features: torch.Tensor,
    targets: torch.Tensor,
    radius: float = 10.0,
    weight: float = 1e-3,
) -> torch.Tensor:
    """Return the entropic open-set loss, and what features cost that are too long or too short.

    ``J_E + weight (sum_k t_k max(radius - |f|, 0)^2 + (1 - sum_k t_k) |f|^2)``: known images are to
    have features outside a sphere, negatives at its centre.

    Parameters
    ----------
    logits, targets : Tensor of shape (n, K)
        See the module.
    features : Tensor of shape (n, d)
        What the logits are computed from.
    radius, weight : float
        Radius of the sphere, and how much all this counts.

    References
    ----------
    A. R. Dhamija, M. Günther and T. Boult, Reducing Network Agnostophobia, NeurIPS 2018, eq. 2.
    """
    # the slope of a norm at 0 is no number; that of its square is
    squared = features.pow(2).sum(1)
    length = squared.clamp(min=torch.finfo(features.dtype).tiny).sqrt()
    short = (radius - length).clamp(min=0.0).pow(2)
    magnitude = targets.sum(1) * short + none_of_these(targets) * squared
    return entropic_open_set(logits, targets) + weight * magnitude


def class_weights(y: np.ndarray, n_classes: int) -> torch.Tensor:
    """Return the weight of a row of each class so that all classes weigh the same, 1 on average.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Class indices; negatives, below 0, do not count.
    n_classes : int

    Returns
    -------
    Tensor of shape (n_classes,), float32
        ``n / (K n_k)``; 1 for a class without images.

    Examples
    --------
    >>> class_weights(np.array([0, 0, 0, 1, -1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = np.bincount(y[y >= 0], minlength=n_classes)
    weights = np.where(counts > 0, counts.sum() / (n_classes * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)
