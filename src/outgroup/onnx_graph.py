"""Build ONNX graphs node by node, and open them in ONNX Runtime.

Values are tensors of the graph; arithmetic on them adds nodes, and numbers and arrays become
constants:

>>> graph = OnnxGraph()
>>> x = graph.input("x", np.float32, ["n", 2])
>>> scaled = ((x - [1.0, 2.0]) / 2.0).op("Relu")
>>> graph.output("largest", scaled.op("ReduceMax", axes=[1], keepdims=0), ["n"])
>>> session = open_session(graph.serialized())
>>> session.run(None, {"x": np.array([[3, 0], [2, 8]], np.float32)})
[array([1., 3.], dtype=float32)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

#: What ONNX Runtime 1.18, the oldest version supported, reads.
OPSET = 17
IR_VERSION = 8

#: An input of a node: a value, a constant, or None for an optional input that is left out.
Operand: TypeAlias = Union["Value", ArrayLike, None]

#: Sizes of the axes; a name such as "n" stands for any size.
Shape: TypeAlias = Sequence[int | str | None]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of a graph, by its name there."""

    graph: OnnxGraph = field(repr=False)
    name: str

    def op(self, kind: str, *others: Operand, name: str | None = None, **attributes: Any) -> Value:
        """Add a node whose first input is this value; see `OnnxGraph.node`."""
        return self.graph.node(kind, self, *others, name=name, **attributes)

    def cast(self, dtype: DTypeLike, name: str | None = None) -> Value:
        """Return the value as another dtype."""
        return self.op("Cast", name=name, to=_element_type(dtype))

    def __add__(self, other: Operand) -> Value:
        return self.op("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self.op("Sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.node("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self.op("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self.op("Div", other)

    def __matmul__(self, other: Operand) -> Value:
        return self.op("MatMul", other)


class OnnxGraph:
    """An ONNX graph that is being built; `opset` is the version of its operators."""

    def __init__(self, name: str = "outgroup", opset: int = OPSET) -> None:
        self._name = name
        self._opsets = {"": opset}
        self._ir_version = IR_VERSION
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._sparse_constants: list[Any] = []
        self._functions: list[Any] = []

    def input(self, name: str, dtype: DTypeLike, shape: Shape) -> Value:
        """Declare an input of the graph."""
        self._inputs.append(_value_info(name, dtype, shape))
        return Value(self, name)

    def constant(self, values: ArrayLike, name: str | None = None) -> Value:
        """Add a constant.

        NumPy arrays and scalars keep their dtype; Python floats become float32, integers int64.
        """
        from onnx import numpy_helper

        array = np.asarray(values)
        if not isinstance(values, (np.ndarray, np.generic)):
            array = array.astype(
                {"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype)
            )
        name = name or f"constant.{len(self._constants)}"
        # not np.ascontiguousarray, which makes a scalar an array of one
        self._constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return Value(self, name)

    def node(
        self, kind: str, *inputs: Operand, name: str | None = None, **attributes: Any
    ) -> Value:
        """Add a node with one output, e.g. ``node("Gemm", x, weights, transB=1)``.

        Arrays and numbers become constants; None leaves an optional input out. `name` is that of
        the output and of the node.
        """
        return self.nodes(kind, *inputs, names=[name or self._new_name(kind)], **attributes)[0]

    def nodes(
        self, kind: str, *inputs: Operand, names: int | Sequence[str], **attributes: Any
    ) -> list[Value]:
        """Add a node with several outputs, of which `names` gives the names or the number."""
        from onnx import helper

        if isinstance(names, int):
            names = [f"{self._new_name(kind)}.{i}" for i in range(names)]
        given = [self._input_name(value) for value in inputs]
        self._nodes.append(helper.make_node(kind, given, names, name=names[0], **attributes))
        return [Value(self, name) for name in names]

    def include(self, model: Any, prefix: str, inputs: Mapping[str, Value]) -> dict[str, Value]:
        """Add all nodes of a model of the same opset, and return its outputs by their names in it.

        `prefix` is put before every name, to keep the model's names apart from those of this graph;
        `inputs` says what the model's inputs are. Another opset is a `ValueError`.
        """
        from onnx import compose

        opsets = {e.domain.removesuffix("ai.onnx"): e.version for e in model.opset_import}
        if opsets.get("") != self._opsets[""]:
            raise ValueError(f"The model has opset {opsets.get('')}, the graph {self._opsets['']}.")
        outputs = {info.name: Value(self, prefix + info.name) for info in model.graph.output}
        for name, value in inputs.items():
            value.op("Identity", name=prefix + name)
        model = compose.add_prefix(model, prefix)
        self._opsets = {**opsets, **self._opsets}
        self._ir_version = max(self._ir_version, model.ir_version)
        self._nodes += model.graph.node
        self._constants += model.graph.initializer
        self._sparse_constants += model.graph.sparse_initializer
        self._functions += model.functions
        return outputs

    def output(self, name: str, value: Value, shape: Shape, dtype: DTypeLike = np.float32) -> None:
        """Declare an output of the graph."""
        if value.name != name:
            value.op("Identity", name=name)
        self._outputs.append(_value_info(name, dtype, shape))

    def serialized(self) -> bytes:
        """Return the model: the same bytes for the same calls."""
        from onnx import helper

        graph = helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            self._constants,
            sparse_initializer=self._sparse_constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*entry) for entry in self._opsets.items()],
            ir_version=self._ir_version,
            functions=self._functions,
            producer_name="outgroup",
        )
        return bytes(model.SerializeToString(deterministic=True))

    def _new_name(self, kind: str) -> str:
        return f"{kind}.{len(self._nodes)}"

    def _input_name(self, value: Operand) -> str:
        if value is None:
            return ""
        return value.name if isinstance(value, Value) else self.constant(value).name


def open_session(model: bytes, threads: int = 1) -> Any:
    """Return an ONNX Runtime session on the CPU; 0 threads means one for each core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # threads that spin while they wait take the cores from other work
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # no warnings, e.g. about weights that an exporter left unused
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _element_type(dtype: DTypeLike) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _value_info(name: str, dtype: DTypeLike, shape: Shape) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _element_type(dtype), shape)
