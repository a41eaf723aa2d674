"""What linear heads with a focal loss have in common."""

from __future__ import annotations

from outgroup.heads._checks import is_number, require
from outgroup.heads._linear import LinearHead


class FocalHead(LinearHead):
    """Base of linear heads with a focal loss.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        As for the head with the cross-entropy.
    gamma : float, default=2.0
        How much less a row counts that the head is right about; 0 is the cross-entropy.
    """

    parameters = ("strength", "class_weight", "gamma")

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = "balanced",
        gamma: float = 2.0,
    ) -> None:
        super().__init__(strength, class_weight)
        require(is_number(gamma) and gamma >= 0, "gamma", "a number from 0 up", gamma)
        self.gamma = float(gamma)
