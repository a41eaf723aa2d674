"""The interface of backbones: frozen networks from pixels to embeddings."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from outgroup._registry import Registry
from outgroup.images import Preprocessing


class Backbone(ABC):
    """A frozen network from pixels to embeddings.

    Attributes
    ----------
    name : str
        The spec for which `get_backbone` returns the same network.
    digest : str
        Hexadecimal hash of weights and graph. Backbones of one digest compute the same, so
        embeddings and model files are keyed by it.
    preprocessing : Preprocessing
        How an image becomes the pixels that `run` takes.
    layers : mapping of str to int
        The dimension of each output. There is always "last"; there may be others, such as
        "second_last", and "logits", the network's own class scores.
    class_names : tuple of str or None
        The names of the columns of "logits", if they are known.
    licence, source : str
        The terms of the weights, and where they come from.
    """

    name: str
    digest: str
    preprocessing: Preprocessing
    layers: Mapping[str, int]
    class_names: tuple[str, ...] | None = None
    licence: str
    source: str

    @abstractmethod
    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Compute every layer of a batch; threads may call this at the same time.

        An image's embedding depends on that image only, not on the batch it is in, bit for bit.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, crop, crop, 3)
            RGB pixels, as `outgroup.images.load_image` returns them for `preprocessing`. Others are
            refused by an `InvalidParameterError`.

        Returns
        -------
        dict of str to ndarray of float32, shape (n, d)
            One array for each of `layers`.
        """

    @abstractmethod
    def model_bytes(self) -> bytes:
        """Return the network as a serialised ONNX model, normalisation included.

        Its input is "images", uint8 (n, crop, crop, 3); its outputs are named like `layers`.
        """


class BackboneFamily(ABC):
    """A source of backbones, registered under the part of a spec before its colon.

    Attributes
    ----------
    spec : str
        What the user writes to get one, e.g. "onnx:PATH".
    summary, licence, source : str
        One line each for `outgroup backbones`.
    """

    spec: ClassVar[str]
    summary: ClassVar[str]
    licence: ClassVar[str]
    source: ClassVar[str]

    @classmethod
    @abstractmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> Backbone:
        """Return the backbone that `argument`, the part of the spec after the colon, names.

        `InvalidParameterError` if the argument is malformed, `BackboneError` if there is no such
        network or it can't be used.
        """


BACKBONES: Registry[BackboneFamily] = Registry("backbone", "outgroup.backbones")


def cache_folder() -> Path:
    """Return the folder of everything that outgroup keeps and can make again; it may not exist yet.

    It is the environment variable ``OUTGROUP_CACHE`` if that is set, else the platform's cache
    folder of the user, e.g. ``~/.cache/outgroup`` on Linux.
    """
    chosen = os.environ.get("OUTGROUP_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("outgroup", appauthor=False)
