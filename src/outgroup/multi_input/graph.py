"""The ONNX graph of trained networks, written node by node, and running it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.encoding import Rows
from outgroup.multi_input.plans import Plan

#: The set of operators that the graph is written in.
OPSET = 17


class Answer(NamedTuple):
    """What one network says of n rows.

    `logits` is (n, outputs), `fused` the last hidden layer (n, d), and `branches` holds the pooled
    maps (n, 2 c) of each branch; all float32.
    """

    logits: NDArray[np.float32]
    fused: NDArray[np.float32]
    branches: tuple[NDArray[np.float32], ...]

    def take(self, rows: NDArray[np.int64]) -> Answer:
        """Return what is said of some of the rows."""
        return Answer(self.logits[rows], self.fused[rows], tuple(b[rows] for b in self.branches))


class Networks:
    """Trained networks of one plan in one ONNX graph.

    Parameters
    ----------
    model : bytes
        The graph, as `write_graph` makes it.
    plan : Plan
        The shape of each.
    members : int
        How many there are.
    """

    def __init__(self, model: bytes, plan: Plan, members: int) -> None:
        self.model = model
        self.plan = plan
        self.members = members

    def run(self, rows: Rows, members: Sequence[int] | None = None) -> list[Answer]:
        """Return what each network says, or some of them, of one row at least.

        Every row is computed by itself, so that no answer depends on the rows beside it.
        """
        wanted = range(self.members) if members is None else members
        names = [name for member in wanted for name in _output_names(self.plan, member)]
        each = len(names) // len(wanted)
        parts = [  # in a batch, rounding would depend on the rows beside it
            self._session.run(names, self._feed(rows.take(slice(row, row + 1))))
            for row in range(len(rows))
        ]
        whole = [np.concatenate(one) for one in zip(*parts, strict=True)]
        return [
            Answer(whole[i], whole[i + 1], tuple(whole[i + 2 : i + each]))
            for i in range(0, len(whole), each)
        ]

    def _feed(self, rows: Rows) -> dict[str, NDArray[np.float32]]:
        feed = {f"image.{i}": images for i, images in enumerate(rows.images)}
        feed["present"] = rows.present
        feed["table"] = rows.table
        return {node.name: feed[node.name] for node in self._session.get_inputs()}

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # threads that spin while they wait keep others from working, of this process or another
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "plan": self.plan, "members": self.members}


def write_graph(plan: Plan, weights: Sequence[dict[str, NDArray[np.float32]]]) -> bytes:
    """Write the ONNX graph of networks of one plan.

    Images are flipped and turned as the plan says, all are computed, and outputs are averaged.

    Parameters
    ----------
    plan : Plan
        Their shape.
    weights : sequence of dict
        What `outgroup.multi_input.learning.train_network` returned, one for each.

    Returns
    -------
    bytes
        The same for the same weights.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    kind = TensorProto.FLOAT
    declared = [
        helper.make_tensor_value_info(f"image.{i}", kind, ["n", channels, *size])
        for i, (channels, size) in enumerate(plan.images)
    ]
    declared += [helper.make_tensor_value_info("present", kind, ["n", plan.n_images])]
    declared += [helper.make_tensor_value_info("table", kind, ["n", plan.table])]
    ways = plan.symmetries
    present, table = graph.repeated("present", ways), graph.repeated("table", ways)
    images = [
        graph.masked(graph.all_ways(f"image.{i}", ways), present, i) for i in range(plan.n_images)
    ]
    outputs = []
    for member, own in enumerate(weights):
        found = _network(graph, plan, own, f"{member}", images, present, table)
        for name, value in zip(_output_names(plan, member), found, strict=True):
            graph.averaged(value, ways, name)
            outputs.append(helper.make_tensor_value_info(name, kind, ["n", None]))
    if not plan.n_images or not plan.table:  # an input of no columns says nothing, but must be used
        declared = [one for one in declared if one.name in graph.used]
    made = helper.make_graph(graph.nodes, "outgroup", declared, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes and constants, with names given as they come."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.used: set[str] = set()

    def node(self, kind: str, inputs: list[str], output: str | None = None, **options: Any) -> str:
        from onnx import helper

        name = output or f"{kind}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **options))
        self.used.update(inputs)
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        name = f"constant.{len(self.constants)}"
        array = np.ascontiguousarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def repeated(self, value: str, times: int) -> str:
        return value if times == 1 else self.node("Concat", [value] * times, axis=0)

    def all_ways(self, image: str, ways: int) -> str:
        if ways == 1:
            return image
        found = [image]
        for axes in ([2], [3], [2, 3]):
            n = len(axes)
            bounds = [[-1] * n, [np.iinfo(np.int64).min] * n, axes, [-1] * n]
            found.append(self.node("Slice", [image, *(self.constant(b, np.int64) for b in bounds)]))
        if ways == 8:
            found += [self.node("Transpose", [one], perm=[0, 1, 3, 2]) for one in list(found)]
        return self.node("Concat", found, axis=0)

    def column(self, value: str, index: int) -> str:
        """Return one column of a matrix, as a matrix."""
        bounds = [[index], [index + 1], [1]]
        return self.node("Slice", [value, *(self.constant(b, np.int64) for b in bounds)])

    def masked(self, image: str, present: str, index: int) -> str:
        there = self.node(
            "Unsqueeze", [self.column(present, index), self.constant([2, 3], np.int64)]
        )
        return self.node("Mul", [image, there])

    def averaged(self, value: str, ways: int, output: str) -> None:
        if ways == 1:
            self.node("Identity", [value], output)
            return
        shape = self.node("Shape", [value], start=1)
        whole = self.node("Concat", [self.constant([ways, -1], np.int64), shape], axis=0)
        apart = self.node("Reshape", [value, whole])
        self.node("ReduceMean", [apart], output, axes=[0], keepdims=0)


def _network(
    graph: _Graph,
    plan: Plan,
    own: dict[str, NDArray[np.float32]],
    member: str,
    images: list[str],
    present: str,
    table: str,
) -> list[str]:
    """Add one network, and return the names of logits, last hidden layer and pooled maps."""
    features, weights, pooled = [], [], []
    for b, branch in enumerate(plan.branches):
        value = images[branch.sources[0]]
        if len(branch.sources) > 1:
            value = graph.node("Concat", [images[i] for i in branch.sources], axis=1)
        for i, block in enumerate(plan.preset.blocks):
            parts = [graph.constant(own[f"branch.{b}.{i}.{part}"]) for part in ("weight", "bias")]
            strides = [block.stride] * 2
            value = graph.node("Conv", [value, *parts], pads=[1] * 4, strides=strides)
            value = graph.node("Relu", [value])
            if block.pool:
                value = graph.node("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])
        means = graph.node("ReduceMean", [value], axes=[2, 3], keepdims=0)
        largest = graph.node("ReduceMax", [value], axes=[2, 3], keepdims=0)
        both = graph.node("Concat", [means, largest], axis=1)
        pooled.append(both)
        features.append(both if plan.preset.join == "pool" else graph.node("Flatten", [value]))
        there = graph.column(present, branch.sources[0])
        for i in branch.sources[1:]:
            there = graph.node("Mul", [there, graph.column(present, i)])
        weights.append(there)
    joined = [_merged(graph, plan.fusion, features, weights)] if features else []
    joined += [table] if plan.table else []
    if plan.n_images:
        joined.append(graph.node("Sub", [graph.constant([1.0]), present]))
    hidden = graph.node("Concat", joined, axis=1)
    for j in range(len(plan.dense)):
        if j:
            hidden = graph.node("Relu", [value])
        parts = [graph.constant(own[f"dense.{j}.{part}"]) for part in ("weight", "bias")]
        value = graph.node("Gemm", [hidden, *parts], transB=1)
    return [value, hidden, *pooled]


def _merged(graph: _Graph, fusion: str, features: list[str], weights: list[str]) -> str:
    if len(features) == 1:
        return features[0]
    weighted = [graph.node("Mul", pair) for pair in map(list, zip(features, weights, strict=True))]
    if fusion == "concat":
        return graph.node("Concat", weighted, axis=1)
    count = graph.node("Max", [graph.node("Sum", weights), graph.constant([1.0])])
    return graph.node("Div", [graph.node("Sum", weighted), count])


def _output_names(plan: Plan, member: int) -> list[str]:
    branches = [f"branch.{b}" for b in range(len(plan.branches))]
    return [f"{member}.{name}" for name in ("logits", "fused", *branches)]
