from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
CONFIG = {"size": {"height": 8, "width": 8}, "resample": 2, **HALVES}


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache; most share one, so that the graph is built once."""
    monkeypatch.setenv("OUTGROUP_CACHE", str(shared_cache))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own cache"
    monkeypatch.setenv("OUTGROUP_CACHE", str(folder))
    return folder


def means_network(
    *,
    channels_last: bool = False,
    shape: list[int | str] | None = None,
    outputs: dict[str, int] | None = None,
    element: int = TensorProto.FLOAT,
    opset: int = 17,
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A network whose outputs, of given names and ranks, all hold the channels' values or means."""
    shape = shape or (["n", 8, 8, 3] if channels_last else ["n", 3, 8, 8])
    nodes, values = [], []
    first = "image"
    if channels_last:
        nodes.append(helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]))
        first = "planes"
    nodes += [
        helper.make_node("GlobalAveragePool", [first], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("Mul", ["means", "two"], ["doubled"]),
        helper.make_node("Reshape", ["doubled", "one token"], ["tokens"]),
    ]
    by_rank = {
        2: ("doubled", ["n", 3]),
        3: ("tokens", ["n", 1, 3]),
        4: ("image", shape),
        1: ("doubled", ["n"]),
    }
    for name, rank in (outputs or {"features": 2}).items():
        origin, dims = by_rank[rank]
        nodes.append(helper.make_node("Identity", [origin], [name]))
        values.append(helper.make_tensor_value_info(name, element, dims))
    kind = helper.tensor_dtype_to_np_dtype(element)
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", element, shape)],
        values,
        [
            numpy_helper.from_array(np.array([2.0], kind), "two"),
            numpy_helper.from_array(np.array([-1, 1, 3], np.int64), "one token"),
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


@pytest.fixture
def network() -> Callable[..., onnx.ModelProto]:
    return means_network


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Write a network to a file with a configuration beside it, and return its path."""

    def save(model: onnx.ModelProto, config: dict[str, object] | None = CONFIG) -> Path:
        path = tmp_path / "network.onnx"
        path.write_bytes(model.SerializeToString())
        if config is not None:
            (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
        return path

    return save
