"""What may change the network before anything else is learned; see `outgroup.finetune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone
from outgroup.data import Samples

#: What the name of a tuned network begins with.
PREFIX = "tuned:"


def untuned_name(name: str) -> str:
    """Return the name of the network that one was tuned from.

    Examples
    --------
    >>> untuned_name("tuned:efficientnet-lite0"), untuned_name("onnx:network.onnx")
    ('efficientnet-lite0', 'onnx:network.onnx')
    """
    return name.removeprefix(PREFIX)


@dataclass(frozen=True)
class Targets:
    """What the network is to say of each image.

    Parameters
    ----------
    names : tuple of str
        Of the K classes, labels, or values of columns.
    Y : ndarray of shape (n, K), int64
        1 where an image has it, 0 where not, -1 where nobody knows; rows of zeros are negatives.
    several : bool, default=False
        Whether an image may have more than one.
    """

    names: tuple[str, ...]
    Y: NDArray[np.int64]
    several: bool = False

    @classmethod
    def one_class(cls, labels: Sequence[str | None]) -> Targets:
        """Return those of images of one class each, None for negatives.

        Examples
        --------
        >>> Targets.one_class(["dog", None, "cat"]).Y.tolist()
        [[0, 1], [0, 0], [1, 0]]
        """
        names = tuple(sorted({label for label in labels if label is not None}))
        rows = [[int(label == name) for name in names] for label in labels]
        return cls(names, np.array(rows, dtype=np.int64).reshape(len(labels), len(names)))


@dataclass(frozen=True)
class Tuned:
    """A network, and which images it has not learned from.

    Parameters
    ----------
    backbone : Backbone
        The network.
    unseen : list of int
        Rows of the samples that had no part in it. The threshold comes from these alone: the
        network may find images that it was tuned on too known.
    info : dict
        How it was tuned, JSON-ready, with a "sentence" in plain words; kept in the model file.
    only_if_better : bool, default=False
        Whether the network is to stay as it came where the tuned one is not shown to be better.
    """

    backbone: Backbone
    unseen: list[int]
    info: dict[str, Any]
    only_if_better: bool = False


class Tuner(Protocol):
    """Tunes a network on some of the images."""

    def tune(
        self,
        samples: Samples,
        targets: Targets,
        collections: Sequence[str],
        backbone: Backbone,
        *,
        seed: int,
        threads: int | None,
        progress: bool | None,
    ) -> Tuned:
        """Return the tuned network.

        Parameters
        ----------
        samples : Samples
            Images; their own labels mean nothing.
        targets : Targets
            What they show.
        collections : sequence of str
            The collection of each.
        backbone : Backbone
            The network as it is.
        seed, threads, progress
            As for `ImageClassifier`.
        """
