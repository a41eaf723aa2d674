"""Open an ONNX file and take in the weights that it keeps in other files.

External data is read here and not by ``onnx``, because a name in a model file is not to be trusted
with the whole disk: it must be a plain name of a file in the model's own folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outgroup.errors import BackboneError

_LARGEST_FILE = 2**31


def read_onnx(path: Path) -> tuple[Any, str]:
    """Return the model in a file, complete, and the SHA-256 of all that was read.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.

    Returns
    -------
    model : onnx.ModelProto
    digest : str

    Raises
    ------
    BackboneError
        If the file is missing or not an ONNX model, or its external data is missing, too short, or
        outside its folder.
    """
    import onnx

    data = _read(path)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own exception, whose module ships no types
        raise BackboneError(f"{path} is not an ONNX model.") from error
    if not model.graph.node:
        raise BackboneError(f"{path} is not an ONNX model: it holds no network.")
    digest = hashlib.sha256(data)
    files: dict[str, bytes] = {}
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(tensor, path, files)
    for name in sorted(files):
        digest.update(hashlib.sha256(files[name]).digest())
    return model, digest.hexdigest()


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph and of the graphs in it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from [attribute.t, *attribute.tensors]
            for inner in [attribute.g, *attribute.graphs]:
                yield from _tensors(inner)


def _take_in(tensor: Any, path: Path, files: dict[str, bytes]) -> None:
    """Put a tensor's external data into it; `files` keeps what was read, by name."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    name = where.get("location", "")
    if name not in files:
        files[name] = _read_beside(path, name)
    try:
        offset = int(where.get("offset", 0))
        length = int(where.get("length", len(files[name]) - offset))
    except ValueError as error:
        raise BackboneError(f"{path} does not say where in {name!r} its weights are.") from error
    if min(offset, length) < 0 or offset + length > len(files[name]):
        raise BackboneError(f"{name!r}, the weights of {path}, is too short.")
    tensor.raw_data = files[name][offset : offset + length]
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _read_beside(path: Path, name: str) -> bytes:
    data = path.parent / name
    # The hub's cache is a folder of links to a folder of files: there too, the data lies beside
    # the model itself.
    homes = {path.parent.resolve(), path.resolve().parent}
    if Path(name).name != name or data.resolve().parent not in homes:
        raise BackboneError(f"{path} keeps weights outside its folder, in {name!r}: refused.")
    return _read(data)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size >= _LARGEST_FILE:
            raise BackboneError(f"{path} is larger than the 2 GiB that one ONNX graph can hold.")
        return path.read_bytes()
    except OSError as error:
        raise BackboneError(f"{path} can't be read: {error.strerror}.") from error
