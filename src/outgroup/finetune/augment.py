"""Pictures changed at random as a camera might have: whole batches at once, from one generator.

All draws come from the generator that is given, and no global state is read, so the same seed gives
the same pictures and training can be taken up where it broke off. Shifts, turns and scales of an
image are one resampling. (kornia has more of this; it draws from torch's global state and
resamples once for each change.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi

from outgroup.finetune._torch import functional, torch

Augmentation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

#: Of RandAugment: changes in a row, and how strong they are, of 30.
CHANGES, MAGNITUDE = 2, 9

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow


def augment(images: torch.Tensor, names: Sequence[str], generator: torch.Generator) -> torch.Tensor:
    """Return images changed at random.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, 3), uint8
    names : sequence of str
        Of `AUGMENTATIONS`, applied in turn.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor of the same shape, uint8

    Examples
    --------
    >>> images = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    >>> augment(images, ["geometric"], torch.Generator().manual_seed(0)).shape
    torch.Size([2, 8, 8, 3])
    """
    x = images.permute(0, 3, 1, 2).float() / 255.0
    for name in names:
        x = AUGMENTATIONS[name](x, generator)
    return (x * 255.0).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def geometric(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror every other image; turn by up to 15°, zoom by up to 1.25, shift by up to a tenth.

    Takes and returns float images (n, 3, height, width) from 0 to 1, as all of these do. What
    comes in from outside is the image mirrored at its edge.
    """
    n = len(x)
    mirrored = 1.0 - 2.0 * (_uniform(n, 0, 1, generator) < 0.5).float()
    zoom = torch.exp(_uniform(n, -0.223, 0.223, generator))
    angle = _uniform(n, -15, 15, generator)
    shift = torch.stack([_uniform(n, -0.2, 0.2, generator) for _ in "xy"], 1)
    return _moved(x, mirrored * zoom, zoom, angle, shift=shift)


def colour(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change brightness, contrast and saturation by up to 30 %, and the light's colour by 10 %."""
    n = len(x)
    x = brightness(x, _uniform(n, 0.7, 1.3, generator))
    x = contrast(x, _uniform(n, 0.7, 1.3, generator))
    x = saturation(x, _uniform(n, 0.7, 1.3, generator))
    light = torch.stack([_uniform(n, 0.9, 1.1, generator) for _ in "rgb"], 1)
    return (x * light[:, :, None, None]).clamp(0, 1)


def rand_augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Apply `CHANGES` changes in a row, each of any kind, by `MAGNITUDE`.

    References
    ----------
    E. D. Cubuk et al., RandAugment: Practical Automated Data Augmentation with a Reduced Search
    Space, NeurIPS 2020; kinds and ranges are those of its table 6.
    """
    for _ in range(CHANGES):
        kinds = torch.randint(len(_KINDS), (len(x),), generator=generator)
        signs = 2.0 * torch.randint(2, (len(x),), generator=generator).float() - 1.0
        changed = x.clone()
        for number, change in enumerate(_KINDS):
            chosen = kinds == number
            if chosen.any():
                changed[chosen] = change(x[chosen], signs[chosen] * MAGNITUDE / 30.0)
        x = changed
    return x


AUGMENTATIONS: dict[str, Augmentation] = {
    "geometric": geometric,
    "colour": colour,
    "randaugment": rand_augment,
}


def brightness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with black; a factor of 1 changes nothing."""
    return (x * _each(factor)).clamp(0, 1)


def contrast(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with the mean grey of the image."""
    mean = _grey(x).mean((1, 2, 3), keepdim=True)
    return (mean + (x - mean) * _each(factor)).clamp(0, 1)


def saturation(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with the grey image."""
    grey = _grey(x)
    return (grey + (x - grey) * _each(factor)).clamp(0, 1)


def sharpness(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with a smoothed image."""
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]).expand(3, 1, 3, 3) / 13.0
    smooth = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=3)
    return (smooth + (x - smooth) * _each(factor)).clamp(0, 1)


def solarize(x: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Invert what is as bright as the threshold."""
    return torch.where(x >= _each(threshold), 1.0 - x, x)


def posterize(x: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Keep the highest bits of each pixel."""
    step = _each(2.0 ** (8 - bits.round()))
    return torch.floor(x * 255.0 / step) * step / 255.0


def auto_contrast(x: torch.Tensor) -> torch.Tensor:
    """Stretch each channel from 0 to 1; a flat one stays what it is."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def equalize(x: torch.Tensor) -> torch.Tensor:
    """Give each channel a flat histogram; a flat channel stays what it is."""
    n, channels = x.shape[:2]
    levels = (x * 255.0).round().long().reshape(n * channels, -1)
    counts = torch.zeros(n * channels, 256, dtype=torch.long)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    below = counts.cumsum(1) - counts
    most = below.gather(1, levels.amax(1, keepdim=True))  # how many are not of the highest level
    table = below.float() / most.clamp(min=1).float()
    flat = (most == 0).reshape(n, channels, 1, 1)
    return torch.where(flat, x, table.gather(1, levels).reshape(x.shape))


def _moved(
    x: torch.Tensor,
    zoom_x: torch.Tensor,
    zoom_y: torch.Tensor,
    degrees: torch.Tensor | None = None,
    shear: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
) -> torch.Tensor:
    """Resample once; shear is (n, 2), shift (n, 2) in halves of a side."""
    n = len(x)
    angle = torch.zeros(n) if degrees is None else degrees * pi / 180.0
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    scale = torch.diag_embed(torch.stack([1 / zoom_x, 1 / zoom_y], 1))
    linear = turn @ scale
    if shear is not None:
        slanted = torch.eye(2).repeat(n, 1, 1)
        slanted[:, 0, 1], slanted[:, 1, 0] = shear[:, 0], shear[:, 1]
        linear = linear @ slanted
    offset = torch.zeros(n, 2) if shift is None else shift
    grid = functional.affine_grid(
        torch.cat([linear, offset[:, :, None]], 2), list(x.shape), align_corners=False
    )
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _rotated(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    one = torch.ones(len(x))
    return _moved(x, one, one, degrees=30.0 * m)


def _sheared(axis: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def change(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        one = torch.ones(len(x))
        return _moved(x, one, one, shear=_on_axis(0.3 * m, axis))

    return change


def _shifted(axis: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def change(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        one = torch.ones(len(x))
        return _moved(x, one, one, shift=_on_axis(2 * 0.3 * m, axis))

    return change


_KINDS: tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], ...] = (
    lambda x, m: x,
    lambda x, m: auto_contrast(x),
    lambda x, m: equalize(x),
    _rotated,
    lambda x, m: solarize(x, 1.0 - m.abs()),
    lambda x, m: saturation(x, 1.0 + 0.9 * m),
    lambda x, m: posterize(x, 8.0 - 4.0 * m.abs()),
    lambda x, m: contrast(x, 1.0 + 0.9 * m),
    lambda x, m: brightness(x, 1.0 + 0.9 * m),
    lambda x, m: sharpness(x, 1.0 + 0.9 * m),
    _sheared(0),
    _sheared(1),
    _shifted(0),
    _shifted(1),
)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


def _each(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]


def _on_axis(values: torch.Tensor, axis: int) -> torch.Tensor:
    zero = torch.zeros_like(values)
    return torch.stack([values, zero] if axis == 0 else [zero, values], 1)


def _grey(x: torch.Tensor) -> torch.Tensor:
    return (x * torch.tensor(_GREY)[:, None, None]).sum(1, keepdim=True)
