"""How a network is tuned, as numbers and names, checked; no torch is needed to write it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from outgroup.errors import InvalidParameterError
from outgroup.finetune.objectives import choose_objective

#: Which part of the network is tuned, from few weights to all.
UNFREEZE = ("last", "half", "all")

#: Changes of pictures, as in `outgroup.finetune.augment`, and blends of two, as in
#: `outgroup.finetune.blending`.
PICTURES, BLENDS = ("geometric", "colour", "randaugment"), ("mixup", "cutmix")

#: What is done about classes of which there are few images.
BALANCE = ("weights", "oversample")


@dataclass(frozen=True)
class Plan:
    """How a network is tuned.

    Parameters
    ----------
    unfreeze : {"last", "half", "all"}, default="last"
        Which part learns: the last block with the convolution behind it, half of the blocks, or
        everything.
    objective : str, default="sigmoid"
        "sigmoid", "other-class", "outlier-exposure", "focal-softmax", "focal-sigmoid" or
        "objectosphere"; a focal one takes its options behind commas, as in
        "focal-sigmoid,gamma=1,alpha=0.25".
    augment : sequence of str, default=()
        Some of "geometric", "colour", "randaugment", "mixup", "cutmix".
    balance : {"weights", "oversample"} or None, default="weights"
        Images of rare classes weigh more, or come more often; None: every image counts the same.
    epochs : int, default=20
        Most epochs of the network, behind those of the head alone.
    warm_up : int, default=3
        Epochs in which the head alone learns.
    patience : int, default=6
        Epochs without a better figure on the watched images after which training ends.
    batch : int, default=32
        Known images of a batch.
    ratio : float, default=1.0
        Negatives for each known image.
    learning_rate : float, default=3e-4
        Of the network's last step.
    decay : float, default=0.8
        What the learning rate of a step is multiplied by for the step before it.
    variants : int, default=4
        Changed pictures of each image, where a frozen part of the network runs them beforehand.
    hold_out : int, default=2
        One image in so many is kept from all this, to measure the network and lay the threshold.

    Raises
    ------
    InvalidParameterError
        If a field is not as described.

    Examples
    --------
    >>> Plan(augment=["geometric", "mixup"]).blends
    ('mixup',)
    >>> Plan(unfreeze="first")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'unfreeze' parameter must be one of 'last', 'half',
    'all'. Got 'first' instead.
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
        _one_of("unfreeze", self.unfreeze, UNFREEZE)
        choose_objective(self.objective)
        if isinstance(self.augment, str) or not isinstance(self.augment, Sequence):
            raise _invalid("augment", "a sequence of names", self.augment)
        for name in self.augment:
            _one_of("augment", name, (*PICTURES, *BLENDS))
        object.__setattr__(self, "augment", tuple(self.augment))
        if self.balance is not None:
            _one_of("balance", self.balance, BALANCE)
        least = {"epochs": 1, "warm_up": 1, "patience": 1, "batch": 1, "variants": 1, "hold_out": 2}
        for field, lowest in least.items():
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise _invalid(field, f"a whole number from {lowest} up", value)
        for field, highest in (("ratio", 100.0), ("learning_rate", 1.0), ("decay", 1.0)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise _invalid(field, "a number", value)
            if not 0.0 < value <= highest:
                raise _invalid(field, f"a number above 0, at most {highest:g}", value)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the changes of single pictures."""
        return tuple(name for name in self.augment if name in PICTURES)

    @property
    def blends(self) -> tuple[str, ...]:
        """Names of the blends of two pictures."""
        return tuple(name for name in self.augment if name in BLENDS)

    @property
    def total_epochs(self) -> int:
        """Epochs, those of the head alone included."""
        return self.warm_up + self.epochs

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "augment": list(self.augment)}


def _one_of(name: str, value: object, names: Sequence[str]) -> None:
    if value not in names:
        raise _invalid(name, f"one of {', '.join(map(repr, names))}", value)


def _invalid(name: str, must: str, got: object) -> InvalidParameterError:
    return InvalidParameterError(f"The {name!r} parameter must be {must}. Got {got!r} instead.")
