"""MixUp and CutMix, which treat negatives rightly.

The target of a blend is the same blend of its targets. With one-hot rows for known images and rows
of zeros for negatives that says the right thing to every objective: 0.7 of a cat and 0.3 of a dog
is 0.7 and 0.3; 0.7 of a cat and 0.3 of a negative is 0.7 of a cat, and 0.3 of *none of these*: the
"other" class of a softmax, the uniform part of outlier exposure, and a sigmoid that is asked for
0.7. Counting such an image as a cat would teach that a bit of cat is a cat; leaving out blends
with negatives, that all blends are known.

What is blended may be images or the activations inside a network, "manifold mixup".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from outgroup.finetune._torch import torch

#: Parameter of the Beta distribution of shares: 0.2 as in Zhang et al. for ImageNet; CutMix takes
#: every share alike.
MIXUP_ALPHA, CUTMIX_ALPHA = 0.2, 1.0

Blend = Callable[
    [torch.Tensor, torch.Tensor, np.random.Generator], tuple[torch.Tensor, torch.Tensor]
]


def mixup(
    x: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each row mixed with another, and the targets mixed alike.

    Parameters
    ----------
    x : Tensor of shape (n, ...), floating
    targets : Tensor of shape (n, K)
        One-hot rows, rows of zeros for negatives.
    rng : numpy Generator

    References
    ----------
    H. Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018. V. Verma et al., Manifold
    Mixup, ICML 2019.
    """
    partner = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    share = torch.from_numpy(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA, len(x))).to(x)
    of_row = share.reshape(-1, *[1] * (x.ndim - 1))
    mixed = of_row * x + (1 - of_row) * x[partner]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[partner]


def cutmix(
    x: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each row with a box from another, and the targets mixed by area.

    Parameters
    ----------
    x : Tensor of shape (n, channels, height, width)
    targets, rng
        As for `mixup`.

    References
    ----------
    S. Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features, ICCV 2019.
    """
    n, _, height, width = x.shape
    partner = rng.permutation(n)
    side = np.sqrt(1.0 - rng.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, n))
    bounds = []
    for length in (height, width):
        centre = rng.uniform(0, length, n)
        low = np.clip(np.round(centre - side * length / 2), 0, length)
        bounds.append((low, np.clip(np.round(centre + side * length / 2), 0, length)))
    (top, bottom), (left, right) = bounds
    y, z = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    box = (y >= top[:, None, None]) & (y < bottom[:, None, None])
    box = box & (z >= left[:, None, None]) & (z < right[:, None, None])
    inside = torch.from_numpy(box).to(x.device)
    mixed = torch.where(inside[:, None], x[torch.from_numpy(partner).to(x.device)], x)
    taken = torch.from_numpy(box.mean((1, 2))).to(targets)[:, None]
    others = targets[torch.from_numpy(partner).to(targets.device)]
    return mixed, (1 - taken) * targets + taken * others


BLENDS: dict[str, Blend] = {"mixup": mixup, "cutmix": cutmix}
