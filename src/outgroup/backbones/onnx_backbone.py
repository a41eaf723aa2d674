"""A backbone that ONNX Runtime computes on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from outgroup.backbones.base import Backbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing
from outgroup.onnx_graph import open_session


class OnnxBackbone(Backbone):
    """A backbone that ONNX Runtime computes on the CPU.

    Parameters
    ----------
    graph : callable
        Returns the serialised ONNX model that `Backbone.model_bytes` describes. It is called for
        the first image, so that a backbone whose embeddings are all cached costs nothing.
    layers : mapping of str to int, optional
        Dimensions of the outputs; found by running one blank image if not given.
    name, digest, preprocessing, class_names, licence, source
        See `Backbone`.
    """

    def __init__(
        self,
        graph: Callable[[], bytes],
        *,
        name: str,
        digest: str,
        preprocessing: Preprocessing,
        licence: str,
        source: str,
        layers: Mapping[str, int] | None = None,
        class_names: tuple[str, ...] | None = None,
    ) -> None:
        self.name = name
        self.digest = digest
        self.preprocessing = preprocessing
        self.licence = licence
        self.source = source
        self.class_names = class_names
        self._graph = graph
        self._session: Any = None
        self._lock = threading.Lock()
        self.layers = self._probe() if layers is None else dict(layers)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with the graph itself: another process may lack the file it is in."""
        graph = self._graph()
        return {**self.__dict__, "_graph": partial(bytes, graph), "_session": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Compute every layer of a batch; see `Backbone.run`."""
        size = self.preprocessing.crop
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
            raise InvalidParameterError(
                f"Invalid `images`: must be uint8 of shape (n, {size}, {size}, 3), "
                f"got {images.dtype} of shape {images.shape}."
            )
        session, names = self._open_session(), list(self.layers)
        # One image at a time: a row then depends on no other. On a CPU this is as fast as a batch,
        # because the activations stay in the cache of the core.
        rows = [_run(session, names, images[i : i + 1]) for i in range(len(images))]
        if not rows:
            return {name: np.empty((0, dim), np.float32) for name, dim in self.layers.items()}
        columns = zip(*rows, strict=True)
        return {name: np.concatenate(column) for name, column in zip(names, columns, strict=True)}

    def model_bytes(self) -> bytes:
        """Return the network as a serialised ONNX model; see `Backbone.model_bytes`."""
        return self._graph()

    def _open_session(self) -> Any:
        with self._lock:
            if self._session is None:
                graph = self._graph()
                try:
                    # one thread: callers compute one image on each core instead
                    self._session = open_session(graph, threads=1)
                except Exception as error:  # ONNX Runtime's exceptions share no base class
                    message = f"ONNX Runtime can't open the network: {error}"
                    raise BackboneError(message) from error
            return self._session

    def _probe(self) -> dict[str, int]:
        session = self._open_session()
        names = [output.name for output in session.get_outputs()]
        blank = np.zeros((1, self.preprocessing.crop, self.preprocessing.crop, 3), np.uint8)
        outputs = _run(session, names, blank)
        shapes = {name: array.shape for name, array in zip(names, outputs, strict=True)}
        if any(len(shape) != 2 or shape[0] != 1 for shape in shapes.values()):
            raise BackboneError(
                f"The network must give one vector for each image. For one image of "
                f"{self.preprocessing.crop} pixels it gave {shapes}."
            )
        return {name: shape[1] for name, shape in shapes.items()}


def _run(session: Any, names: list[str], image: np.ndarray) -> list[np.ndarray]:
    try:
        outputs: list[np.ndarray] = session.run(names, {"images": np.ascontiguousarray(image)})
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        raise BackboneError(f"ONNX Runtime can't run the network: {error}") from error
    return outputs
