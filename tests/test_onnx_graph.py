from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from outgroup.onnx_graph import OnnxGraph, open_session

X = np.array([[3.0, -1.0, 2.0], [0.0, 5.0, 4.0]], np.float32)


def run(graph: OnnxGraph, **inputs: np.ndarray) -> list[Any]:
    model = graph.serialized()
    onnx.checker.check_model(model, full_check=True)
    result: list[Any] = open_session(model).run(None, inputs)
    return result


def test_arithmetic_on_values_is_that_of_numpy() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3])
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    graph.output("y", (((x + 1.0) * [1.0, 2.0, 3.0] - x) / 2.0) @ weights, ["n", 2])
    graph.output("z", 1.0 - x, ["n", 3])
    y, z = run(graph, x=X)
    np.testing.assert_allclose(y, (((X + 1) * [1, 2, 3] - X) / 2) @ weights)
    np.testing.assert_array_equal(z, 1 - X)


def test_several_inputs_and_outputs_of_any_number_of_rows() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3])
    offset = graph.input("offset", np.float32, ["n", 1])
    values, indices = graph.nodes("TopK", x + offset, [2], names=["values", "indices"], axis=1)
    graph.output("values", values, ["n", 2])
    graph.output("indices", indices, ["n", 2], np.int64)
    for n in (1, 2):
        top, places = run(graph, x=X[:n], offset=np.ones((n, 1), np.float32))
        np.testing.assert_array_equal(top, np.sort(X[:n] + 1)[:, :0:-1])
        np.testing.assert_array_equal(places, np.argsort(X[:n])[:, :0:-1])


def test_outputs_of_a_node_may_be_counted_instead_of_named() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3])
    first, second = graph.nodes("Split", x, [1, 2], names=2, axis=1)
    graph.output("first", first, ["n", 1])
    graph.output("second", second, ["n", 2])
    a, b = run(graph, x=X)
    np.testing.assert_array_equal(np.concatenate([a, b], axis=1), X)


def test_an_optional_input_is_left_out_by_none() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3])
    graph.output("y", x.op("Clip", None, 1.0), ["n", 3])
    np.testing.assert_array_equal(run(graph, x=X)[0], np.minimum(X, 1))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (1.5, np.float32),
        ([1, 2], np.int64),
        ([True, False], bool),
        (np.float64(1.5), np.float64),
        (np.arange(6, dtype=np.int32).reshape(2, 3).T, np.int32),
    ],
)
def test_constants_keep_numpys_dtype_or_take_onnxs_usual_one(values: Any, dtype: Any) -> None:
    graph = OnnxGraph()
    graph.output("y", graph.constant(values), np.shape(values), dtype)
    (found,) = run(graph)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)


def test_a_cast_takes_a_dtype_of_numpy() -> None:
    graph = OnnxGraph()
    graph.output("y", graph.input("x", np.float32, ["n", 3]).cast(np.int64), ["n", 3], np.int64)
    np.testing.assert_array_equal(run(graph, x=X)[0], X.astype(np.int64))


def doubling(opset: int = 17) -> onnx.ModelProto:
    graph = OnnxGraph(opset=opset)
    graph.output("y", graph.input("x", np.float32, ["n", 3]) * 2.0, ["n", 3])
    return onnx.load_model_from_string(graph.serialized())


def test_another_model_is_included_under_its_own_names() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3]) + 1.0
    once = graph.include(doubling(), "once/", {"x": x})["y"]
    graph.output("y", graph.include(doubling(), "twice/", {"x": once})["y"], ["n", 3])
    np.testing.assert_array_equal(run(graph, x=X)[0], 4 * (X + 1))


def test_a_model_of_another_opset_is_refused() -> None:
    graph = OnnxGraph()
    x = graph.input("x", np.float32, ["n", 3])
    with pytest.raises(ValueError, match="The model has opset 13, the graph 17"):
        graph.include(doubling(13), "other/", {"x": x})


def test_the_same_calls_give_the_same_bytes() -> None:
    first, second = doubling(), doubling()
    assert first.SerializeToString() == second.SerializeToString()
    assert [(o.domain, o.version) for o in first.opset_import] == [("", 17)]
