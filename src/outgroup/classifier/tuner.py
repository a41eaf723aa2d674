"""What may change the network before anything else is learned; see `outgroup.finetune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outgroup.backbones import Backbone
from outgroup.datasets import Samples

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
class Tuned:
    """A network, and which images it has not learned from.

    Parameters
    ----------
    backbone : Backbone
        The network.
    unseen : list of int
        Rows of the samples that had no part in it. What says "other" is learned from these alone,
        and so is the threshold: the network would find images that it was tuned on too known.
    info : dict
        How it was tuned, JSON-ready, with a "sentence" in plain words; kept in the model file.
    """

    backbone: Backbone
    unseen: list[int]
    info: dict[str, Any]


class Tuner(Protocol):
    """Tunes a network on some of the images."""

    def tune(
        self,
        samples: Samples,
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
            Images with labels, None for negatives.
        collections : sequence of str
            The collection of each.
        backbone : Backbone
            The network as it is.
        seed, threads, progress
            As for `ImageClassifier`.
        """
