"""Turn a foreign ONNX image network into the graph that `OnnxBackbone` runs.

Normalisation goes into the graph, as nodes before the network: pixels then cross to ONNX Runtime as
bytes, a quarter of the memory of floats, and an exported or embedded model is complete in itself.

What becomes the embedding ("last"), the first of these outputs that there is:

========================  ==========================================================
output                    meaning
========================  ==========================================================
``image_embeds``          CLIP's projected image embedding
``pooler_output``         the pooled token or map of a Hugging Face model
``last_hidden_state``     tokens or a feature map, pooled as below
any but ``logits``        a classifier without its head, a feature extractor
``logits``                a classifier that gives nothing else
========================  ==========================================================

and how it is made a vector: of rank 2 it is one, of rank 3 (n, tokens, d) the first token is taken
(the class token of a vision transformer), of rank 4 the feature map is averaged. An output named
``logits`` is also the layer "logits".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from outgroup.errors import BackboneError
from outgroup.images import Preprocessing

ADAPTER_VERSION = 1
"""To be raised whenever `adapt` gives another graph for the same network."""

_EMBEDDING_OUTPUTS = ("image_embeds", "pooler_output", "last_hidden_state")
_LOGITS = "logits"
_PREFIX = "network/"  # keeps the network's names apart from ours
_FIRST_OPSET_THAT_BROADCASTS = 7


def adapt(model: Any, preprocessing: Preprocessing, output: str | None) -> bytes:
    """Return a network as a graph from "images" (uint8, NHWC) to "last" and perhaps "logits".

    Parameters
    ----------
    model : onnx.ModelProto
        A network with one float input of shape (n, 3, h, w) or (n, h, w, 3), its weights inside.
    preprocessing : Preprocessing
        Its mean and standard deviation become nodes; its crop must be the network's size.
    output : str or None
        The output that is the embedding; None takes the first of the table above.

    Returns
    -------
    bytes

    Raises
    ------
    BackboneError
        If the network's input or outputs are of another kind.
    """
    from onnx import TensorProto, compose, helper

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < _FIRST_OPSET_THAT_BROADCASTS:
        raise BackboneError(
            f"The network is of ONNX opset {opset}; {_FIRST_OPSET_THAT_BROADCASTS} or newer is "
            f"needed. onnx.version_converter can convert it."
        )
    pixels = _image_input(model)
    channels_last = _is_channels_last(pixels, preprocessing.crop)
    layers = {"last": _choose_output(model, output)}
    if any(value.name == _LOGITS for value in model.graph.output):
        layers[_LOGITS] = _output(model, _LOGITS)

    adapted = compose.add_prefix(model, _PREFIX)
    graph = adapted.graph
    head, constants = _input_nodes(pixels, preprocessing, channels_last)
    tail = [
        node
        for layer, value in layers.items()
        for node in _pooling_nodes(value, layer, channels_last)
    ]
    nodes = [*head, *graph.node, *tail]
    size = preprocessing.crop
    new = helper.make_graph(
        nodes,
        "backbone",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", size, size, 3])],
        [helper.make_tensor_value_info(layer, TensorProto.FLOAT, None) for layer in layers],
        [*constants, *graph.initializer],
        sparse_initializer=graph.sparse_initializer,
    )
    graph.CopyFrom(new)
    # Before version 4 every weight was an input, too.
    adapted.ir_version = max(adapted.ir_version, 4)
    return bytes(adapted.SerializeToString())


def _image_input(model: Any) -> Any:
    from onnx import TensorProto

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
    return inputs[0]


def _is_channels_last(pixels: Any, crop: int) -> bool:
    """Tell by where the dimension 3 is; a network that doesn't say is taken as channels first."""
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


def _input_nodes(
    pixels: Any, preprocessing: Preprocessing, channels_last: bool
) -> tuple[list[Any], list[Any]]:
    """Return the nodes from "images" to the network's input, and the constants of all nodes."""
    from onnx import TensorProto, helper, numpy_helper

    shape = (1, 1, 1, 3) if channels_last else (1, 3, 1, 1)
    constants = [
        numpy_helper.from_array(np.asarray(value, np.float32).reshape(shape), name)
        for name, value in (("mean", preprocessing.mean), ("std", preprocessing.std))
    ]
    constants.append(numpy_helper.from_array(np.array(0, np.int64), "first"))
    perm = [0, 1, 2, 3] if channels_last else [0, 3, 1, 2]
    target = _PREFIX + pixels.name
    nodes = [
        helper.make_node("Transpose", ["images"], ["arranged"], perm=perm),
        helper.make_node("Cast", ["arranged"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["as_float", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normalised"]),
        helper.make_node("Cast", ["normalised"], [target], to=pixels.type.tensor_type.elem_type),
    ]
    return nodes, constants


def _pooling_nodes(value: Any, layer: str, channels_last: bool) -> Iterator[Any]:
    """Yield the nodes from one of the network's outputs to the layer, a float32 vector an image."""
    from onnx import TensorProto, helper

    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        raise BackboneError(f"The network's output {value.name!r} must state its shape.")
    rank, x = len(value.type.tensor_type.shape.dim), f"{layer}/float"
    yield helper.make_node("Cast", [_PREFIX + value.name], [x], to=TensorProto.FLOAT)
    if rank == 3:
        yield helper.make_node("Gather", [x, "first"], [x := f"{layer}/token"], axis=1)
    elif rank == 4:
        if channels_last:
            perm = [0, 3, 1, 2]
            yield helper.make_node("Transpose", [x], [x := f"{layer}/channels_first"], perm=perm)
        yield helper.make_node("GlobalAveragePool", [x], [x := f"{layer}/average"])
        yield helper.make_node("Flatten", [x], [x := f"{layer}/vector"])
    elif rank != 2:
        raise BackboneError(
            f"The network's output {value.name!r} must be of rank 2, 3 or 4 to become a vector. "
            f"It has rank {rank}. Choose another with output=."
        )
    yield helper.make_node("Identity", [x], [layer])
