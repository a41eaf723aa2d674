"""What a backbone is: a frozen network from pixels to embeddings, and where it comes from.

A `BackboneFamily` is one entry of the registry: one way to get backbones, named by the part of a
spec before its colon ("onnx" in "onnx:model.onnx"). It makes a `Backbone`, the one interface that
everything above this layer knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from outgroup._registry import Registry
from outgroup.images import Preprocessing


class Backbone(ABC):
    """A frozen network from pixels to embeddings.

    Attributes
    ----------
    name : str
        The spec that `get_backbone` takes to return the same network.
    digest : str
        Hexadecimal hash of weights and graph. What is computed by two backbones of one digest is
        interchangeable, so embeddings and model files are keyed by it.
    preprocessing : Preprocessing
        How a picture becomes the pixels that `run` takes.
    layers : mapping of str to int
        The dimension of each output. There is always "last"; there may be others, such as
        "second_last", and "logits", the network's own class scores.
    class_names : tuple of str or None
        The names of the columns of "logits", where there are any.
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
        """Compute every layer of a batch.

        An image's numbers depend on nothing but that image: not on the batch it is in, bit for bit.
        Threads may call this at the same time.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, crop, crop, 3)
            RGB pixels, as `outgroup.images.load_image` makes them from `preprocessing`.

        Returns
        -------
        dict of str to ndarray of float32, shape (n, d)
            One array for each of `layers`.

        Raises
        ------
        InvalidParameterError
            If `images` has another dtype or shape.
        """

    @abstractmethod
    def model_bytes(self) -> bytes:
        """Return the network as a serialised ONNX model.

        Its input is "images", uint8 (n, crop, crop, 3); its outputs are named like `layers`.
        Normalisation is part of the graph.
        """


class BackboneFamily(ABC):
    """One way to get backbones; subclasses are registered in `BACKBONES`.

    Attributes
    ----------
    spec : str
        What to write to get one, e.g. "onnx:PATH".
    summary, licence, source : str
        A line each for the list of what there is.
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

        Raises
        ------
        InvalidParameterError
            If the argument can't be meant.
        BackboneError
            If there is no such network or it can't be used.
        """


BACKBONES: Registry[BackboneFamily] = Registry("backbone", "outgroup.backbones")
