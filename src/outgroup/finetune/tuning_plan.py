"""The plan of fine-tuning: numbers and names, checked without importing torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from outgroup._numeric import require

#: Which part of the network is tuned, from few weights to all.
UNFREEZE = ("last", "half", "all")

#: What the network is tuned for; `outgroup.finetune.objectives` has their losses.
OBJECTIVES = (
    "focal-sigmoid",
    "focal-softmax",
    "objectosphere",
    "other-class",
    "outlier-exposure",
    "sigmoid",
)

#: Objectives that allow an image any number of labels.
MULTI_LABEL_OBJECTIVES = ("focal-sigmoid", "sigmoid")

#: Changes of one image, and blends of two, as in `outgroup.finetune.augmentation`.
IMAGE_CHANGES, IMAGE_BLENDS = ("geometric", "colour", "randaugment"), ("mixup", "cutmix")

#: How images of rare classes are made to count as much as the others.
BALANCE = ("weights", "oversample")


@dataclass(frozen=True)
class FineTunePlan:
    """How a network is fine-tuned.

    Parameters
    ----------
    unfreeze : {"last", "half", "all"}, default="last"
        What learns: the last block and the convolution after it, half of the blocks, or all.
    objective : str, default="sigmoid"
        "sigmoid", "other-class", "outlier-exposure", "focal-softmax", "focal-sigmoid" or
        "objectosphere". The focal ones take options, as in "focal-sigmoid,gamma=1,alpha=0.25".
    augment : sequence of str, default=()
        Some of "geometric", "colour", "randaugment", "mixup" and "cutmix".
    balance : {"weights", "oversample"} or None, default="weights"
        Images of rare classes weigh more or come more often; None: every image counts the same.
    epochs : int, default=20
        Most epochs after those of the head alone.
    warm_up : int, default=3
        Epochs in which the head alone learns.
    patience : int, default=6
        Epochs without better figures on the watched images after which training ends.
    batch : int, default=32
        Known images of a batch.
    ratio : float, default=1.0
        Negatives for each known image.
    learning_rate : float, default=3e-4
        Learning rate of the network's last step.
    decay : float, default=0.8
        Each step of the network learns at this share of the rate of the step after it.
    variants : int, default=4
        Augmented copies of each image, where they pass the frozen layers once, before training.
    hold_out : int, default=2
        One image in `hold_out` is not used here, but to measure the network and to calibrate the
        threshold.

    Raises
    ------
    InvalidParameterError
        If a field is not as described.

    Examples
    --------
    >>> FineTunePlan(augment=["geometric", "mixup"]).blends
    ('mixup',)
    >>> FineTunePlan(unfreeze="first")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: Invalid `unfreeze`: must be one of 'last', 'half', 'all',
    got 'first'.
    """

    unfreeze: str = "last"
    objective: str = "sigmoid"
    augment: Sequence[str] = ()
    balance: str | None = "weights"
    epochs: int = 20
    warm_up: int = 3
    patience: int = 6
    batch: int = 32
    ratio: float = 1.0
    learning_rate: float = 3e-4
    decay: float = 0.8
    variants: int = 4
    hold_out: int = 2

    def __post_init__(self) -> None:
        _check_name("unfreeze", self.unfreeze, UNFREEZE)
        parse_objective(self.objective)
        fine = isinstance(self.augment, Sequence) and not isinstance(self.augment, str)
        require(fine, "augment", "a sequence of names", self.augment)
        for name in self.augment:
            _check_name("augment", name, (*IMAGE_CHANGES, *IMAGE_BLENDS))
        object.__setattr__(self, "augment", tuple(self.augment))
        if self.balance is not None:
            _check_name("balance", self.balance, BALANCE)
        least = {"epochs": 1, "warm_up": 1, "patience": 1, "batch": 1, "variants": 1, "hold_out": 2}
        for field, lowest in least.items():
            value = getattr(self, field)
            whole = isinstance(value, int) and not isinstance(value, bool)
            require(whole and value >= lowest, field, f"a whole number of at least {lowest}", value)
        for field, highest in (("ratio", 100.0), ("learning_rate", 1.0), ("decay", 1.0)):
            value = getattr(self, field)
            fine = _is_number(value) and 0.0 < value <= highest
            require(fine, field, f"a number above 0 and at most {highest:g}", value)

    @property
    def changes(self) -> tuple[str, ...]:
        """Augmentations that change one image."""
        return tuple(name for name in self.augment if name in IMAGE_CHANGES)

    @property
    def blends(self) -> tuple[str, ...]:
        """Augmentations that blend two images."""
        return tuple(name for name in self.augment if name in IMAGE_BLENDS)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        plan = {field.name: getattr(self, field.name) for field in fields(FineTunePlan)}
        return {**plan, "augment": list(self.augment)}


def parse_objective(text: str) -> tuple[str, dict[str, float]]:
    """Return name and options of an objective, such as of "focal-sigmoid,gamma=1,alpha=0.25"."""
    name, _, given = text.partition(",") if isinstance(text, str) else (text, "", "")
    _check_name("objective", name, OBJECTIVES)
    fine = not given or name.startswith("focal-")
    require(fine, "objective", f"{name!r} without options", text)
    options: dict[str, float] = {}
    for part in given.split(",") if given else ():
        option, _, value = part.partition("=")
        try:
            options[option.strip()] = float(value)
        except ValueError:
            options[""] = math.nan
    fine = options.keys() <= {"gamma", "alpha"}
    require(fine, "objective", f"like '{name},gamma=1,alpha=0.25'", text)
    gamma, alpha = options.get("gamma", 0.0), options.get("alpha", 0.5)
    require(0 <= gamma < math.inf, "gamma", "a number of at least 0", gamma)
    require(0 < alpha < 1, "alpha", "a number between 0 and 1", alpha)
    return name, options


def _check_name(parameter: str, value: object, names: Sequence[str]) -> None:
    require(value in names, parameter, f"one of {', '.join(map(repr, names))}", value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
