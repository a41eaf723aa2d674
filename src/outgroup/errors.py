"""Every error that outgroup raises on purpose.

::

    OutgroupError
    ├── InvalidParameterError (ValueError)   an argument that can't be used as given
    ├── InvalidDataError      (ValueError)   images, labels or arrays nothing can be learned from
    ├── InfeasibleTargetError (ValueError)   a guarantee that these data can't support
    ├── UnreadableImageError  (ValueError)   one image that can't be decoded, with the reason
    ├── BackboneError         (RuntimeError) weights or a network that can't be used
    ├── ModelFileError        (ValueError)   a model file that is damaged, foreign or too new
    ├── PoolSourceError       (RuntimeError) a source of negatives that broke off midway
    ├── PoolError             (RuntimeError) a pool that is damaged, foreign, in use, or full
    └── MissingExtraError     (ImportError)  an optional dependency; names the command to type

    DataWarning (UserWarning)                what is allowed in training data and rarely meant

Each error is also the built-in one that a caller would expect, so ``except ValueError`` works.
"""

from __future__ import annotations


class OutgroupError(Exception):
    """Base of every error that outgroup raises on purpose."""


class InvalidParameterError(OutgroupError, ValueError):
    """An argument that can't be used as given.

    The message reads "Invalid `x`: must be y, got z.", plus the fix if there is one.
    """


class InvalidDataError(OutgroupError, ValueError):
    """Images, labels or arrays that nothing can be learned from."""


class InfeasibleTargetError(OutgroupError, ValueError):
    """A guarantee that these data can't support.

    Parameters
    ----------
    message : str
        What can't be guaranteed, and what would help.
    n_needed : int or None
        The number of held-out examples that would be enough, where one is known.
    """

    def __init__(self, message: str, n_needed: int | None = None) -> None:
        super().__init__(message)
        self.n_needed = n_needed


class UnreadableImageError(OutgroupError, ValueError):
    """One image that can't be decoded; the message is the reason, in plain words."""


class BackboneError(OutgroupError, RuntimeError):
    """Weights or a network that can't be used."""


class ModelFileError(OutgroupError, ValueError):
    """A model file that is damaged, foreign or too new."""


class PoolSourceError(OutgroupError, RuntimeError):
    """A source of negatives that broke off midway; what it gave before stays usable."""


class PoolError(OutgroupError, RuntimeError):
    """A pool that is damaged, foreign, too new, in use elsewhere, or on a disk that is full.

    Whatever was raised, the pool holds what it held before, or what was committed meanwhile.
    """


class MissingExtraError(OutgroupError, ImportError):
    """An optional dependency that is not installed.

    Parameters
    ----------
    feature : str
        What needs it, in plain words.
    extra : str
        The extra of this package that installs it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the '{extra}' extra: pip install \"outgroup[{extra}]\"")


class DataWarning(UserWarning):
    """What is allowed in training data and rarely meant; the message names the fix."""
