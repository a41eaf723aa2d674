"""Trained networks as one ONNX graph, and running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.encoding import NetworkInputs
from outgroup.multi_input.network_plan import Plan
from outgroup.onnx_graph import OnnxGraph, Value, open_session

#: Weights by name; batch normalisation is folded in.
Weights = dict[str, NDArray[np.float32]]

#: Outputs of one network for n rows: "logits" (n, outputs), the last "hidden" layer (n, d), and the
#: pooled maps "branch:..." (n, 2 c) of each branch.
Outputs = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks of one plan, `members` of them, in the ONNX graph of `write_graph`."""

    model: bytes
    plan: Plan
    members: int

    def run(self, rows: NetworkInputs) -> list[Outputs]:
        """Return the outputs of each network, for one row or more."""
        names = [name for i in range(self.members) for name in _output_names(self.plan, i)]
        parts = [  # one row at a time: in a batch, rounding would depend on the other rows
            self._session.run(names, self._feed(rows.take(slice(row, row + 1))))
            for row in range(len(rows))
        ]
        whole = [np.concatenate(values) for values in zip(*parts, strict=True)]
        if whole[0].shape[1] != self.plan.outputs:
            raise ValueError(f"the network must have {self.plan.outputs} outputs")
        keys = ["logits", "hidden", *(f"branch:{branch.name}" for branch in self.plan.branches)]
        each = len(keys)
        return [
            dict(zip(keys, whole[i * each : (i + 1) * each], strict=True))
            for i in range(self.members)
        ]

    def _feed(self, rows: NetworkInputs) -> dict[str, NDArray[np.float32]]:
        feed = {f"image.{i}": images for i, images in enumerate(rows.images)}
        feed |= {"present": rows.present, "table": rows.table}
        return {node.name: feed[node.name] for node in self._session.get_inputs()}

    @cached_property
    def _session(self) -> Any:
        return open_session(self.model, threads=0)

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "plan": self.plan, "members": self.members}


def write_graph(plan: Plan, weights: Sequence[Weights]) -> bytes:
    """Write networks of one plan as one ONNX graph; the same weights give the same bytes."""
    graph, copies = OnnxGraph(), plan.symmetries
    images = [
        _flipped(graph.input(f"image.{i}", np.float32, ["n", channels, *size]), copies)
        for i, (channels, size) in enumerate(plan.images)
    ]
    vectors = {
        name: _joined([graph.input(name, np.float32, ["n", columns])] * copies, axis=0)
        for name, columns in (("present", len(plan.images)), ("table", plan.table))
        if columns
    }
    for i, image in enumerate(images):
        images[i] = image * _column(vectors["present"], i).op("Unsqueeze", [2, 3])
    for member, own in enumerate(weights):
        outputs = _network(plan, own, images, vectors)
        for name, value in zip(_output_names(plan, member), outputs, strict=True):
            graph.output(name, _averaged(value, copies), ["n", None])
    return graph.serialized()


def _output_names(plan: Plan, member: int) -> list[str]:
    branches = [f"branch.{b}" for b in range(len(plan.branches))]
    return [f"{member}.{name}" for name in ("logits", "fused", *branches)]


def _network(
    plan: Plan, own: Weights, images: list[Value], vectors: dict[str, Value]
) -> list[Value]:
    """Add one network and return logits, last hidden layer and the pooled maps of each branch."""
    features, present, pooled = [], [], []
    for b, branch in enumerate(plan.branches):
        maps = _joined([images[i] for i in branch.sources])
        for i, block in enumerate(plan.preset.blocks):
            weight, bias = (own[f"branch.{b}.{i}.{part}"] for part in ("weight", "bias"))
            maps = maps.op("Conv", weight, bias, pads=[1] * 4, strides=[block.stride] * 2)
            maps = maps.op("Relu")
            if block.pool:
                maps = maps.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        kinds = ("ReduceMean", "ReduceMax")
        pooled.append(_joined([maps.op(kind, axes=[2, 3], keepdims=0) for kind in kinds]))
        features.append(pooled[-1] if plan.preset.join == "pool" else maps.op("Flatten"))
        columns = [_column(vectors["present"], i) for i in branch.sources]
        present.append(reduce(mul, columns))
    parts = [_merged(plan.fusion, features, present)] if features else []
    if plan.table:
        parts.append(vectors["table"])
    if len(plan.images):
        parts.append(1.0 - vectors["present"])
    hidden = value = _joined(parts)
    for j in range(len(plan.dense)):
        hidden = value.op("Relu") if j else value
        value = hidden.op("Gemm", own[f"dense.{j}.weight"], own[f"dense.{j}.bias"], transB=1)
    return [value, hidden, *pooled]


def _merged(fusion: str, features: list[Value], present: list[Value]) -> Value:
    """Return the features of all branches as one; `present` is 0 for those without an image."""
    if len(features) == 1:
        return features[0]
    weighted = [feature * there for feature, there in zip(features, present, strict=True)]
    if fusion == "concat":
        return _joined(weighted)
    count = present[0].op("Sum", *present[1:]).op("Max", [1.0])
    return weighted[0].op("Sum", *weighted[1:]) / count


def _joined(values: list[Value], axis: int = 1) -> Value:
    return values[0] if len(values) == 1 else values[0].op("Concat", *values[1:], axis=axis)


def _column(matrix: Value, index: int) -> Value:
    """Return one column of a matrix, as a matrix."""
    return matrix.op("Slice", [index], [index + 1], [1])


def _flipped(images: Value, copies: int) -> Value:
    """Return 1, 4 or 8 copies of images, one after the other: flips, and transposed flips."""
    found = [images]
    if copies > 1:
        whole = [np.iinfo(np.int64).min]  # a slice that goes back to the start
        for axes in ([2], [3], [2, 3]):
            back = [-1] * len(axes)
            found.append(images.op("Slice", back, whole * len(axes), axes, back))
    if copies == 8:
        found += [one.op("Transpose", perm=[0, 1, 3, 2]) for one in list(found)]
    return _joined(found, axis=0)


def _averaged(value: Value, copies: int) -> Value:
    """Return the mean over the copies of each row."""
    if copies == 1:
        return value
    rest = value.op("Shape", start=1)
    shape = rest.graph.node("Concat", [copies, -1], rest, axis=0)
    return value.op("Reshape", shape).op("ReduceMean", axes=[0], keepdims=0)
