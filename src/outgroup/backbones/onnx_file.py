"""The user's own ONNX network: read with all its weights and adapted to `OnnxBackbone`.

Normalisation becomes part of the graph, as nodes before the network: pixels then cross to ONNX
Runtime as bytes, a quarter of the memory of floats, and an exported or embedded model is complete.

The embedding ("last") is the first of these outputs that the network has:

========================  ==========================================================
output                    meaning
========================  ==========================================================
``image_embeds``          CLIP's projected image embedding
``pooler_output``         the pooled token or map of a Hugging Face model
``last_hidden_state``     tokens or a feature map, pooled as below
any but ``logits``        a classifier without its head, a feature extractor
``logits``                a classifier that has no other output
========================  ==========================================================

An output of rank 2 is a vector already; of rank 3 (n, tokens, d) the first token is used (the class
token of a vision transformer); a feature map of rank 4 is averaged. An output named ``logits`` is
also the layer "logits".

External data is read here and not by ``onnx``: a model file could name any file of the disk, so it
must name a file in its own folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from outgroup.errors import BackboneError
from outgroup.images import Preprocessing
from outgroup.onnx_graph import OnnxGraph, Value

#: To be raised whenever `adapt` gives another graph for the same network.
ADAPTER_VERSION = 1

_EMBEDDING_OUTPUTS = ("image_embeds", "pooler_output", "last_hidden_state")
_LOGITS = "logits"
_FIRST_OPSET_THAT_BROADCASTS = 7


def read_onnx(path: Path) -> tuple[Any, str]:
    """Return the model in a file, complete, and the SHA-256 of everything that was read.

    A `BackboneError` if the file is missing or not an ONNX model, or its external data is missing,
    too short, or outside its folder.
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
    # The hub's cache is a folder of links into a folder of files: there too, the data lies beside
    # the file that the model's link points to.
    homes = {path.parent.resolve(), path.resolve().parent}
    if Path(name).name != name or data.resolve().parent not in homes:
        raise BackboneError(f"{path} keeps weights outside its folder, in {name!r}: refused.")
    return _read(data)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size >= 2**31:
            raise BackboneError(f"{path} is larger than the 2 GiB that one ONNX graph can hold.")
        return path.read_bytes()
    except OSError as error:
        raise BackboneError(f"{path} can't be read: {error.strerror}.") from error


def adapt(model: Any, preprocessing: Preprocessing, output: str | None) -> bytes:
    """Return a network as a graph from "images" (uint8, NHWC) to "last" and perhaps "logits".

    `model` is an ``onnx.ModelProto`` with one float input of shape (n, 3, h, w) or (n, h, w, 3).
    Mean and standard deviation become nodes; the crop must be the network's size. `output` is the
    one that is the embedding; None chooses the first of the table above.
    """
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < _FIRST_OPSET_THAT_BROADCASTS:
        raise BackboneError(
            f"The network is of ONNX opset {opset}; {_FIRST_OPSET_THAT_BROADCASTS} or newer is "
            f"needed. onnx.version_converter can convert it."
        )
    pixels, dtype = _image_input(model)
    channels_last = _is_channels_last(pixels, preprocessing.crop)
    layers = {"last": _choose_output(model, output)}
    if any(value.name == _LOGITS for value in model.graph.output):
        layers[_LOGITS] = _output(model, _LOGITS)

    graph, size = OnnxGraph("backbone", opset), preprocessing.crop
    x = graph.input("images", np.uint8, ["n", size, size, 3]).cast(np.float32)
    mean, std = (np.array(three, np.float32) for three in (preprocessing.mean, preprocessing.std))
    x = (x - mean) / std
    if not channels_last:
        x = x.op("Transpose", perm=[0, 3, 1, 2])
    outputs = graph.include(model, "network/", {pixels.name: x.cast(dtype)})
    for layer, value in layers.items():
        vector = _pooled(outputs[value.name].cast(np.float32), value, channels_last)
        graph.output(layer, vector, ["n", None])
    return graph.serialized()


def _image_input(model: Any) -> tuple[Any, np.dtype[Any]]:
    """Return the network's input and its dtype."""
    from onnx import TensorProto, helper

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise BackboneError(f"The network must have one input, the image. It has: {names}.")
    kind = inputs[0].type.tensor_type
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.FLOAT16) or len(kind.shape.dim) != 4:
        raise BackboneError(
            f"The network's input {inputs[0].name!r} must be a batch of images: rank 4, float or "
            f"float16. It has rank {len(kind.shape.dim)} and ONNX element type {kind.elem_type}."
        )
    return inputs[0], helper.tensor_dtype_to_np_dtype(kind.elem_type)


def _is_channels_last(pixels: Any, crop: int) -> bool:
    """Tell by where the dimension 3 is; channels first if no dimension says so."""
    dims = pixels.type.tensor_type.shape.dim
    # An open dimension has a name, or nothing, or with some exporters a number below 1.
    n, *sizes = [dim.dim_value if dim.dim_value > 0 else None for dim in dims]
    channels_last = sizes[0] != 3 and sizes[2] == 3
    channels, *edges = [sizes[2], *sizes[:2]] if channels_last else sizes
    if n not in (None, 1) or channels not in (None, 3) or set(edges) - {None, crop}:
        raise BackboneError(
            f"The network takes images of shape {[n, *sizes]}, the preprocessing makes "
            f"[n, 3, {crop}, {crop}]. Batches must be of any size or of 1, and of RGB."
        )
    return channels_last


def _output(model: Any, name: str) -> Any:
    for value in model.graph.output:
        if value.name == name:
            return value
    names = ", ".join(value.name for value in model.graph.output) or "none"
    raise BackboneError(f"The network has no output {name!r}. It has: {names}.")


def _choose_output(model: Any, output: str | None) -> Any:
    names = [value.name for value in model.graph.output]
    if output is None:
        candidates = [*_EMBEDDING_OUTPUTS, *(n for n in names if n != _LOGITS), *names]
        output = next((name for name in candidates if name in names), "")
    return _output(model, output)


def _pooled(x: Value, described: Any, channels_last: bool) -> Value:
    """Return an output of the network as one vector per image."""
    kind = described.type
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        raise BackboneError(f"The network's output {described.name!r} must state its shape.")
    rank = len(kind.tensor_type.shape.dim)
    if rank == 2:
        return x
    if rank == 3:
        return x.op("Gather", 0, axis=1)
    if rank == 4:
        if channels_last:
            x = x.op("Transpose", perm=[0, 3, 1, 2])
        return x.op("GlobalAveragePool").op("Flatten")
    raise BackboneError(
        f"The network's output {described.name!r} must be of rank 2, 3 or 4 to become a vector. "
        f"It has rank {rank}. Choose another with output=."
    )
