"""What a model file holds, and the names of its parts.

A ``.outgroup`` file is a zip archive, nothing in it compressed::

    manifest.json    everything that is not an array; "format" and "format_version" come first
    arrays.npz       arrays by dotted name, such as "strategy.head.coef"; no pickled objects
    backbone.onnx    the network, for backbones that are not installed with outgroup
    network.onnx     instead of a backbone, the networks of a model with several inputs

The same model gives the same bytes: there are no dates in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone
from outgroup.model import OpenSetModel

if TYPE_CHECKING:
    from outgroup.artifact.kinds import Model

FORMAT = "outgroup-model"

MANIFEST = "manifest.json"
ARRAYS = "arrays.npz"
BACKBONE = "backbone.onnx"
NETWORK = "network.onnx"

#: Largest share of its own size by which the golden output may differ; another CPU rounds
#: differently, another network is far outside.
GOLDEN_TOLERANCE = 1e-3


@dataclass(frozen=True)
class TrainingInfo:
    """What a model was trained on.

    Parameters
    ----------
    fingerprint : str
        Hash of content and label of every image, whatever their order.
    class_counts : dict of str to int
        Readable images of each class.
    n_others : int
        Readable negatives.
    n_unreadable : int
        Images that were left out because they could not be read.
    options : dict
        The options that training was called with.
    """

    fingerprint: str
    class_counts: dict[str, int]
    n_others: int
    n_unreadable: int
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class ModelContents:
    """A model that can be saved: the backbone, what was learned on it, and from what."""

    backbone: Backbone
    model: Model
    training: TrainingInfo

    def without_paths(self) -> ModelContents:
        """Return the same without the paths of training images, which may be nobody's business."""
        if not isinstance(self.model, OpenSetModel) or self.model.reasons is None:
            return self
        reasons = self.model.reasons
        paths = (None,) * len(reasons.references.paths)
        reasons = replace(reasons, references=replace(reasons.references, paths=paths))
        return replace(self, model=replace(self.model, reasons=reasons))


def golden_image(size: int) -> NDArray[np.uint8]:
    """Return the picture of the golden pair: smooth ramps, stripes and a disc.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
    """
    y, x = np.mgrid[0:size, 0:size] * (256.0 / size)
    disc = np.hypot(x - 128, y - 96) < 60
    channels = [(x + y) / 2, np.where(disc, 220, y), 128 + 100 * np.sin(x / 9)]
    return np.stack(channels, axis=-1).astype(np.uint8)
