"""Images changed or blended at random, a batch at a time.

Every draw comes from the generator that is given, never from global state, so the same seed gives
the same images and an interrupted training can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi

import numpy as np
import torch
from torch.nn import functional

#: RandAugment: number of changes in a row, and their strength, of 30.
N_CHANGES, MAGNITUDE = 2, 9

#: Parameter of the Beta distribution of the shares of a blend. MixUp: as Zhang et al. for ImageNet;
#: CutMix: uniform.
MIXUP_ALPHA, CUTMIX_ALPHA = 0.2, 1.0

Blended = tuple[torch.Tensor, torch.Tensor]


def augment(images: torch.Tensor, names: Sequence[str], generator: torch.Generator) -> torch.Tensor:
    """Return uint8 images (n, height, width, 3) changed by some of `CHANGES`, one after another."""
    x = images.permute(0, 3, 1, 2).float() / 255.0
    for name in names:
        x = CHANGES[name](x, generator)
    return (x * 255.0).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def geometric(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror half of the images; turn by up to 15°, zoom by up to 1.25, shift by up to a tenth.

    Takes and returns float images (n, 3, height, width) from 0 to 1, as all functions below do. The
    surroundings of an image are its mirror image.
    """
    n = len(x)
    mirrored = 1.0 - 2.0 * (_uniform(n, 0, 1, generator) < 0.5).float()
    zoom = torch.exp(_uniform(n, -0.223, 0.223, generator))
    turn = _rotation(_uniform(n, -15, 15, generator))
    shift = torch.stack([_uniform(n, -0.2, 0.2, generator) for _ in "xy"], 1)
    return _resampled(
        x, turn @ torch.diag_embed(torch.stack([mirrored / zoom, 1 / zoom], 1)), shift
    )


def colour(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change brightness, contrast and saturation by up to 30 %, and the light's colour by 10 %."""
    n = len(x)
    for change in (brightness, contrast, saturation):
        x = change(x, _uniform(n, 0.7, 1.3, generator))
    light = torch.stack([_uniform(n, 0.9, 1.1, generator) for _ in "rgb"], 1)
    return (x * light[:, :, None, None]).clamp(0, 1)


def rand_augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Apply `N_CHANGES` changes in a row, each of a random kind, with strength `MAGNITUDE`.

    E. D. Cubuk et al., RandAugment, NeurIPS 2020; kinds and ranges are those of its table 6.
    """
    for _ in range(N_CHANGES):
        kinds = torch.randint(len(_KINDS), (len(x),), generator=generator)
        signs = 2.0 * torch.randint(2, (len(x),), generator=generator).float() - 1.0
        changed = x.clone()
        for number, change in enumerate(_KINDS):
            chosen = kinds == number
            if chosen.any():
                changed[chosen] = change(x[chosen], signs[chosen] * MAGNITUDE / 30.0)
        x = changed
    return x


CHANGES: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "geometric": geometric,
    "colour": colour,
    "randaugment": rand_augment,
}


def brightness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with black; a factor of 1 changes nothing."""
    return _enhanced(torch.zeros_like(x), x, factor)


def contrast(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with the mean grey of the image."""
    return _enhanced(_grey(x).mean((1, 2, 3), keepdim=True), x, factor)


def saturation(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with the grey image."""
    return _enhanced(_grey(x), x, factor)


def sharpness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with a smoothed image."""
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]).expand(3, 1, 3, 3) / 13.0
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    return _enhanced(functional.conv2d(padded, kernel, groups=3), x, factor)


def solarize(x: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Invert pixels that are at least as bright as the threshold."""
    return torch.where(x >= _each(threshold), 1.0 - x, x)


def posterize(x: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Keep the highest bits of each pixel."""
    step = _each(2.0 ** (8 - bits.round()))
    return torch.floor(x * 255.0 / step) * step / 255.0


def auto_contrast(x: torch.Tensor) -> torch.Tensor:
    """Stretch each channel from 0 to 1; a flat channel is left alone."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def equalize(x: torch.Tensor) -> torch.Tensor:
    """Give each channel a flat histogram; a flat channel is left alone."""
    n, channels = x.shape[:2]
    levels = (x * 255.0).round().long().reshape(n * channels, -1)
    counts = torch.zeros(n * channels, 256, dtype=torch.long)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    below = counts.cumsum(1) - counts
    below_highest = below.gather(1, levels.amax(1, keepdim=True))
    table = below.float() / below_highest.clamp(min=1).float()
    flat = (below_highest == 0).reshape(n, channels, 1, 1)
    return torch.where(flat, x, table.gather(1, levels).reshape(x.shape))


def mixup(x: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator) -> Blended:
    """Blend each row with another, and the targets likewise.

    0.7 of a cat and 0.3 of a negative is 0.7 of a cat and 0.3 of *none of the classes*: the target
    row sums to 0.7, which every loss of `outgroup.finetune` understands.

    Parameters
    ----------
    x : Tensor of shape (n, ...), floating
        Images, or activations inside a network.
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
    share_of_row = share.reshape(-1, *[1] * (x.ndim - 1))
    blended = share_of_row * x + (1 - share_of_row) * x[partner]
    return blended, share[:, None] * targets + (1 - share[:, None]) * targets[partner]


def cutmix(x: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator) -> Blended:
    """Paste a box of another row into each, and blend the targets by area.

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
    partner = torch.from_numpy(rng.permutation(n)).to(x.device)
    side = np.sqrt(1.0 - rng.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, n))
    inside = []
    for length in (height, width):
        centre = rng.uniform(0, length, n)
        low, high = (np.clip(np.round(centre + s * side * length / 2), 0, length) for s in (-1, 1))
        at = np.arange(length)
        inside.append((at >= low[:, None]) & (at < high[:, None]))
    box = inside[0][:, :, None] & inside[1][:, None, :]
    blended = torch.where(torch.from_numpy(box).to(x.device)[:, None], x[partner], x)
    share = torch.from_numpy(box.mean((1, 2))).to(targets)[:, None]
    return blended, (1 - share) * targets + share * targets[partner]


BLENDS: dict[str, Callable[[torch.Tensor, torch.Tensor, np.random.Generator], Blended]] = {
    "mixup": mixup,
    "cutmix": cutmix,
}


def _resampled(
    x: torch.Tensor, linear: torch.Tensor | None = None, shift: torch.Tensor | None = None
) -> torch.Tensor:
    """Resample once by matrices (n, 2, 2), and shifts (n, 2) in halves of a side."""
    linear = torch.eye(2).repeat(len(x), 1, 1) if linear is None else linear
    shift = torch.zeros(len(x), 2) if shift is None else shift
    affine = torch.cat([linear, shift[:, :, None]], 2)
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _rotation(degrees: torch.Tensor) -> torch.Tensor:
    angle = degrees * pi / 180.0
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos, -sin, sin, cos], 1).reshape(-1, 2, 2)


#: The kinds of `rand_augment`; m is the signed strength of each image.
_KINDS: tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], ...] = (
    lambda x, m: x,
    lambda x, m: auto_contrast(x),
    lambda x, m: equalize(x),
    lambda x, m: _resampled(x, _rotation(30.0 * m)),
    lambda x, m: solarize(x, 1.0 - m.abs()),
    lambda x, m: saturation(x, 1.0 + 0.9 * m),
    lambda x, m: posterize(x, 8.0 - 4.0 * m.abs()),
    lambda x, m: contrast(x, 1.0 + 0.9 * m),
    lambda x, m: brightness(x, 1.0 + 0.9 * m),
    lambda x, m: sharpness(x, 1.0 + 0.9 * m),
    lambda x, m: _resampled(x, torch.eye(2) + torch.tensor([[0, 0.3], [0, 0]]) * m[:, None, None]),
    lambda x, m: _resampled(x, torch.eye(2) + torch.tensor([[0, 0], [0.3, 0]]) * m[:, None, None]),
    lambda x, m: _resampled(x, shift=torch.tensor([0.6, 0]) * m[:, None]),
    lambda x, m: _resampled(x, shift=torch.tensor([0, 0.6]) * m[:, None]),
)


def _enhanced(base: torch.Tensor, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Move images away from a base, or towards it where the factor is below 1."""
    return torch.lerp(base, x, _each(factor)).clamp(0, 1)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


def _each(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]


def _grey(x: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601, as in Pillow
    return (x * weights[:, None, None]).sum(1, keepdim=True)
