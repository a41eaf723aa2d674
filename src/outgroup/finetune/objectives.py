"""What a network is tuned for: outputs of its head, a loss, and how it then says "other".

No torch is needed to choose one by name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from outgroup._registry import Registry
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.finetune._torch import torch


class Objective(ABC):
    """One way to learn classes and what is none of them; subclasses are in `OBJECTIVES`.

    Attributes
    ----------
    summary : str
        A line for the list of what there is.
    has_other : bool
        Whether the head has one more output, for "other".
    takes_several : bool
        Whether an image may have any number of labels.
    """

    summary: ClassVar[str]
    has_other: ClassVar[bool] = False
    takes_several: ClassVar[bool] = False

    @abstractmethod
    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Return a loss for each row; see `outgroup.finetune.losses`."""

    def other_score(self, logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return scores of shape (n,), higher = more other: minus the largest logit."""
        return -logits.amax(1)


OBJECTIVES: Registry[Objective] = Registry("objective", "outgroup.finetune.objectives")


@OBJECTIVES.register("sigmoid")
class Sigmoid(Objective):
    """One sigmoid a class; negatives are rows of zeros."""

    summary = "one sigmoid a class, negatives are rows of zeros"
    takes_several = True

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.zero_row_bce`."""
        from outgroup.finetune.losses import zero_row_bce

        return zero_row_bce(logits, targets)


@OBJECTIVES.register("other-class")
class OtherClass(Objective):
    """A softmax with one more class."""

    summary = "a softmax with one more class for all negatives"
    has_other = True

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.other_class`."""
        from outgroup.finetune.losses import other_class

        return other_class(logits, targets)

    def other_score(self, logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the odds of "other" against all classes, as a logarithm."""
        return logits[:, -1] - logits[:, :-1].logsumexp(1)


@OBJECTIVES.register("outlier-exposure")
class OutlierExposure(Objective):
    """A softmax over the known classes, which negatives teach to be uniform."""

    summary = "a softmax that negatives teach to be unsure (Hendrycks et al. 2019)"

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.outlier_exposure`."""
        from outgroup.finetune.losses import outlier_exposure

        return outlier_exposure(logits, targets)

    def other_score(self, logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return minus the logarithm of the largest probability."""
        return -logits.log_softmax(1).amax(1)


class Focal(Objective):
    """Base of objectives with a focal loss.

    Parameters
    ----------
    gamma : float, default=2.0
        How much less counts what is right already.
    alpha : float or None, default=None
        Weight of "yes, this class" against 1 - alpha of "no"; None: both 1.

    Raises
    ------
    InvalidParameterError
        If gamma is below 0, or alpha not between 0 and 1.
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = None) -> None:
        if not _is_number(gamma) or not 0 <= gamma < math.inf:
            raise InvalidParameterError(
                f"The 'gamma' parameter must be a number from 0 up. Got {gamma!r} instead."
            )
        if alpha is not None and (not _is_number(alpha) or not 0 < alpha < 1):
            raise InvalidParameterError(
                f"The 'alpha' parameter must be a number between 0 and 1. Got {alpha!r} instead."
            )
        self.gamma = float(gamma)
        self.alpha = None if alpha is None else float(alpha)


@OBJECTIVES.register("focal-softmax")
class FocalSoftmax(Focal):
    """A softmax with one more class, and the focal loss."""

    summary = "other-class with the focal loss (Lin et al. 2017)"
    has_other = True
    other_score = OtherClass.other_score

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.focal_softmax`."""
        from outgroup.finetune.losses import focal_softmax

        if self.alpha is None:
            return focal_softmax(logits, targets, self.gamma)
        alpha = [self.alpha] * targets.shape[1] + [1.0 - self.alpha]
        return focal_softmax(logits, targets, self.gamma, alpha)


@OBJECTIVES.register("focal-sigmoid")
class FocalSigmoid(Focal):
    """One sigmoid a class, and the focal loss."""

    summary = "sigmoid with the focal loss (Lin et al. 2017)"
    takes_several = True

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.focal_sigmoid`."""
        from outgroup.finetune.losses import focal_sigmoid

        return focal_sigmoid(logits, targets, self.gamma, self.alpha)


@OBJECTIVES.register("objectosphere")
class Objectosphere(OutlierExposure):
    """Outlier exposure, and short features for negatives."""

    summary = "outlier exposure, and short embeddings for negatives (Dhamija et al. 2018)"

    def loss(
        self, logits: torch.Tensor, features: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """See `outgroup.finetune.losses.objectosphere`."""
        from outgroup.finetune.losses import objectosphere

        return objectosphere(logits, features, targets)

    def other_score(self, logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return minus the largest probability times the length of the embedding, as there."""
        return -logits.softmax(1).amax(1) * features.norm(dim=1)


def choose_objective(name: str) -> Objective:
    """Return an objective by name, with options behind commas, as in "focal-sigmoid,gamma=1".

    Raises
    ------
    InvalidParameterError
        If there is no such objective, or it has no such option.

    Examples
    --------
    >>> choose_objective("focal-sigmoid,gamma=1,alpha=0.25").alpha
    0.25
    >>> choose_objective("sigmoid,gamma=1")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The objective 'sigmoid' has no option. Got 'gamma=1'.
    """
    if not isinstance(name, str):
        raise InvalidParameterError(
            f"The 'objective' parameter must be one of {', '.join(OBJECTIVES.names())}. "
            f"Got {name!r} instead."
        )
    name, _, given = name.partition(",")
    cls = OBJECTIVES.get(name)
    if not given:
        return cls()
    if not issubclass(cls, Focal):
        raise InvalidParameterError(f"The objective {name!r} has no option. Got {given!r}.")
    options: dict[str, float] = {}
    for part in given.split(","):
        option, _, value = part.partition("=")
        try:
            options[option.strip()] = float(value)
        except ValueError:
            options[""] = math.nan
    if not options.keys() <= {"gamma", "alpha"}:
        raise InvalidParameterError(
            f"The objective {name!r} has the options gamma and alpha, numbers, as in "
            f"'{name},gamma=1,alpha=0.25'. Got {given!r}."
        )
    return cls(**options)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
