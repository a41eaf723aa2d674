"""How much mining may take, and when there is enough to refit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from outgroup.errors import InvalidParameterError


@dataclass(frozen=True)
class Effort:
    """What mining may take at most.

    Parameters
    ----------
    images : int or None, default=None
        Images that are taken from the stream, whether they can be read or not; None: no limit.
    seconds : float or None, default=None
        Looked at between batches; None: no limit.
    refits : int, default=8
        How often the model learns anew. It has a price: the bound is that of one of ``refits + 1``
        models, and counts as if all of them had been looked at. (With 8 refits it takes some two
        thirds more images to show the same share than with none.)
    first : int, default=256
        Images that are counted before the first refit; before each later one twice as many as
        before the one before it, so that all refits together cost no more than a share of the
        reading.

    Raises
    ------
    InvalidParameterError
        If a number is not as described.
    """

    images: int | None = None
    seconds: float | None = None
    refits: int = 8
    first: int = 256

    def __post_init__(self) -> None:
        for name, least in (("images", 1), ("refits", 0), ("first", 1)):
            value = getattr(self, name)
            if value is None and name == "images":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidParameterError(
                    f"The {name!r} parameter must be a whole number from {least} up. "
                    f"Got {value!r} instead."
                )
        s = self.seconds
        is_number = isinstance(s, (int, float)) and not isinstance(s, bool)
        if s is not None and not (is_number and 0 < s < math.inf):
            raise InvalidParameterError(
                f"The 'seconds' parameter must be a number above 0, or None. Got {s!r} instead."
            )

    def confidence_of_each(self, confidence: float) -> float:
        """Return the confidence that the bound of each model needs for all to hold together.

        Which model is the last depends on what was counted: after every model that seems too bad
        there is another one, until one seems good. That one is no better than its bound is right
        for all that might have been the last, so each gets the same share of what may go wrong.

        Examples
        --------
        >>> round(Effort(refits=4).confidence_of_each(0.95), 6)
        0.99
        """
        return 1.0 - (1.0 - confidence) / (self.refits + 1)

    def images_before_refit(self, refits: int) -> int:
        """Return how many images are counted at least before the next refit.

        Examples
        --------
        >>> [Effort().images_before_refit(done) for done in (0, 1, 2)]
        [256, 512, 1024]
        """
        return self.first << min(refits, 50)

    def half_left(self, images: int, seconds: float, length: int | None = None) -> bool:
        """Whether at least half is left, so that a model refitted now can still be shown good."""
        within = all(most is None or 2 * images <= most for most in (self.images, length))
        return within and (self.seconds is None or 2 * seconds <= self.seconds)

    def used_up(self, images: int, seconds: float) -> str | None:
        """Return which limit has been reached, None if none has."""
        if self.images is not None and images >= self.images:
            return "images"
        if self.seconds is not None and seconds >= self.seconds:
            return "seconds"
        return None
