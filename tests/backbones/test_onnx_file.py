from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from outgroup.backbones import get_backbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing

Network = Callable[..., onnx.ModelProto]
Saved = Callable[..., Path]

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
NORMALISED = (IMAGES / 255 - 0.5) / 0.25
DOUBLED_MEANS = 2 * NORMALISED.mean((1, 2))


def last(path: Path, **options: object) -> np.ndarray:
    return get_backbone(f"onnx:{path}", **options).run(IMAGES)["last"]  # type: ignore[arg-type]


@pytest.mark.parametrize("channels_last", [False, True])
def test_network_sees_normalised_images_in_its_own_layout(
    network: Network, saved: Saved, channels_last: bool
) -> None:
    found = last(saved(network(channels_last=channels_last)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, DOUBLED_MEANS, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [["n", "c", "h", "w"], [1, 3, 8, 8], ["n", 3, 8, 8], [-1, 3, -1, -1], [0, 3, 8, 8]]
)
def test_open_and_fixed_shapes_are_taken(network: Network, saved: Saved, shape: list[int]) -> None:
    np.testing.assert_allclose(last(saved(network(shape=shape))), DOUBLED_MEANS, atol=1e-5)


@pytest.mark.parametrize("rank", [2, 3, 4])
def test_old_network_is_taken(network: Network, saved: Saved, rank: int) -> None:
    model = network(opset=7, ir_version=3, outputs={"features": rank})
    for tensor in model.graph.initializer:
        shape = list(tensor.dims)
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, shape)
        )
    expected = DOUBLED_MEANS / 2 if rank == 4 else DOUBLED_MEANS
    np.testing.assert_allclose(last(saved(model)), expected, atol=1e-5)


@pytest.mark.parametrize("rank", [2, 3])
def test_half_precision_network_gives_float32(network: Network, saved: Saved, rank: int) -> None:
    found = last(saved(network(element=TensorProto.FLOAT16, outputs={"features": rank})))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, DOUBLED_MEANS, atol=1e-2)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("outputs", "factor"),
    [
        ({"features": 2}, 2),
        ({"tokens_of_any_name": 3}, 2),
        ({"feature_map": 4}, 1),
        ({"feature_map": 4, "pooler_output": 2}, 2),
        ({"last_hidden_state": 4, "pooler_output": 2}, 2),
        ({"pooler_output": 4, "image_embeds": 2}, 2),
        ({"a": 2, "last_hidden_state": 4}, 1),
        ({"logits": 2, "feature_map": 4}, 1),
        ({"last": 2, "images": 4}, 2),
    ],
)
def test_embedding_is_chosen_by_name_and_made_a_vector_by_rank(
    network: Network, saved: Saved, outputs: dict[str, int], factor: int, channels_last: bool
) -> None:
    found = last(saved(network(outputs=outputs, channels_last=channels_last)))
    np.testing.assert_allclose(found, DOUBLED_MEANS * factor / 2, atol=1e-5)


def test_output_called_logits_is_a_layer(network: Network, saved: Saved) -> None:
    path = saved(network(outputs={"logits": 2, "features": 4}))
    assert get_backbone(f"onnx:{path}").layers == {"last": 3, "logits": 3}
    only_logits = saved(network(outputs={"logits": 2}))
    assert get_backbone(f"onnx:{only_logits}").layers == {"last": 3, "logits": 3}


def test_output_may_be_chosen_by_argument_or_configuration(network: Network, saved: Saved) -> None:
    model = network(outputs={"pooler_output": 2, "map": 4})
    path = saved(model)
    usual = get_backbone(f"onnx:{path}")
    by_argument = get_backbone(f"onnx:{path}", output="map")
    config = json.loads((path.parent / "preprocessor_config.json").read_text())
    saved(model, {**config, "outgroup_output": "map"})
    by_config = get_backbone(f"onnx:{path}")
    np.testing.assert_array_equal(by_argument.run(IMAGES)["last"], by_config.run(IMAGES)["last"])
    assert by_argument.digest == by_config.digest != usual.digest


def test_preprocessing_may_be_given_instead_of_a_configuration(
    network: Network, saved: Saved
) -> None:
    path = saved(network(), None)
    with pytest.raises(BackboneError, match=r"Put the model's preprocessor_config\.json at"):
        last(path)
    given = Preprocessing(resize=8, crop=8, mean=(0, 0, 0), std=(255, 255, 255))
    np.testing.assert_allclose(
        last(path, preprocessing=given), 2 * IMAGES.mean((1, 2)) / 255, atol=1e-5
    )


def test_normalisation_is_part_of_the_digest(network: Network, saved: Saved) -> None:
    path = saved(network())
    other = Preprocessing(resize=8, crop=8)
    spec = f"onnx:{path}"
    assert get_backbone(spec).digest == get_backbone(spec).digest
    assert get_backbone(spec).digest != get_backbone(spec, preprocessing=other).digest


def test_embedded_model_computes_the_same(network: Network, saved: Saved) -> None:
    import onnxruntime

    backbone = get_backbone(f"onnx:{saved(network())}")
    session = onnxruntime.InferenceSession(backbone.model_bytes())
    np.testing.assert_array_equal(
        session.run(["last"], {"images": IMAGES})[0], backbone.run(IMAGES)["last"]
    )


BROKEN = {
    "must have one input": {"extra input": True},
    "must be a batch of images: rank 4": {"shape": ["n", 3]},
    r"preprocessing makes \[n, 3, 8, 8\]": {"shape": ["n", 3, 16, 16]},
    r"takes images of shape \[None, 1, 8, 8\]": {"shape": ["n", 1, 8, 8]},
    r"takes images of shape \[4, 3, 8, 8\]": {"shape": [4, 3, 8, 8]},
    "must be of rank 2, 3 or 4": {"outputs": {"scores": 1}},
    "opset 6": {"opset": 6},
}


@pytest.mark.parametrize(("reason", "options"), BROKEN.items(), ids=BROKEN)
def test_network_of_another_kind_is_refused_with_the_reason(
    network: Network, saved: Saved, reason: str, options: dict[str, object]
) -> None:
    extra = options.pop("extra input", False) if "extra input" in options else False
    model = network(**options)
    if extra:
        model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n"]))
    with pytest.raises(BackboneError, match=reason):
        last(saved(model))


def test_missing_output_lists_those_there_are(network: Network, saved: Saved) -> None:
    path = saved(network(outputs={"a": 2, "b": 2}))
    with pytest.raises(BackboneError, match=r"no output 'c'\. It has: a, b"):
        last(path, output="c")


def test_output_must_state_its_shape(network: Network, saved: Saved) -> None:
    model = network()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BackboneError, match="'features' must state its shape"):
        last(saved(model))


def test_network_that_fails_when_run_is_a_backbone_error(network: Network, saved: Saved) -> None:
    model = network(shape=["n", 3, "h", "w"])
    model.graph.node[-1].op_type = "Reshape"
    model.graph.node[-1].input.append("two by two")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 2]), "two by two"))
    with pytest.raises(BackboneError, match="can't run the network"):
        last(saved(model))


def test_network_that_gives_no_row_an_image_is_refused(network: Network, saved: Saved) -> None:
    model = network(shape=["n", 3, "h", "w"])
    model.graph.node[-1].op_type = "Reshape"
    model.graph.node[-1].input.append("three rows")
    model.graph.initializer.append(numpy_helper.from_array(np.array([3, 1]), "three rows"))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    for name in ("a", "b"):
        model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = name
    with pytest.raises(BackboneError, match="must give one vector for each image"):
        last(saved(model))


@pytest.mark.parametrize("content", [b"", b"\x89PNG not a network", b"cos\nsystem\n."])
def test_file_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "network.onnx").write_bytes(content)
    with pytest.raises(BackboneError, match="is not an ONNX model"):
        last(tmp_path / "network.onnx")


def test_missing_file_and_missing_path_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="can't be read: No such file"):
        last(tmp_path / "network.onnx")
    with pytest.raises(InvalidParameterError, match="'onnx:PATH'"):
        get_backbone("onnx:")


def with_external_data(
    model: onnx.ModelProto, location: str, length: object = 4
) -> onnx.ModelProto:
    """Say that the factor two is in another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "8", "length": str(length)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return model


def data(factor: float) -> bytes:
    return bytes(8) + np.float32(factor).tobytes()


def test_external_data_is_taken_in_and_hashed(network: Network, saved: Saved) -> None:
    path = saved(with_external_data(network(), "network.onnx_data"))
    external = path.parent / "network.onnx_data"
    external.write_bytes(data(2))
    doubled = get_backbone(f"onnx:{path}")
    np.testing.assert_allclose(doubled.run(IMAGES)["last"], DOUBLED_MEANS, atol=1e-5)
    external.write_bytes(data(3))
    tripled = get_backbone(f"onnx:{path}")
    np.testing.assert_allclose(tripled.run(IMAGES)["last"], DOUBLED_MEANS * 1.5, atol=1e-5)
    assert doubled.digest != tripled.digest


def test_external_data_of_inner_graphs_is_taken_in(network: Network, saved: Saved) -> None:
    inner = with_external_data(network(), "network.onnx_data").graph.initializer[0]
    branch = helper.make_graph(
        [helper.make_node("Mul", ["means", inner.name], ["product"])],
        "branch",
        [],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", 3])],
        [inner],
    )
    model = network()
    nodes = [node for node in model.graph.node if node.op_type not in ("Mul", "Reshape")]
    nodes.insert(-1, helper.make_node("Constant", [], ["yes"], value_int=1))
    nodes.insert(-1, helper.make_node("Cast", ["yes"], ["condition"], to=TensorProto.BOOL))
    nodes.insert(
        -1,
        helper.make_node("If", ["condition"], ["doubled"], then_branch=branch, else_branch=branch),
    )
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    path = saved(model)
    (path.parent / "network.onnx_data").write_bytes(data(2))
    np.testing.assert_allclose(last(path), DOUBLED_MEANS, atol=1e-5)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "", "folder/data"])
def test_external_data_outside_the_folder_is_refused(
    network: Network, saved: Saved, location: str
) -> None:
    path = saved(with_external_data(network(), location))
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / "data").write_bytes(data(2))
    with pytest.raises(BackboneError, match="outside its folder"):
        last(path)


def test_link_out_of_the_folder_is_refused(network: Network, saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_bytes(data(2))
    path = saved(with_external_data(network(), "network.onnx_data"))
    os.symlink(tmp_path / "elsewhere" / "secret", tmp_path / "network.onnx_data")
    with pytest.raises(BackboneError, match="outside its folder"):
        last(path)


def test_links_of_the_hubs_cache_are_followed(network: Network, saved: Saved) -> None:
    path = saved(with_external_data(network(), "model.onnx_data"))
    (path.parent / "1f2e").write_bytes(data(2))
    snapshot = path.parent / "snapshot"
    snapshot.mkdir()
    os.symlink(path, snapshot / "model.onnx")
    os.symlink(path.parent / "1f2e", snapshot / "model.onnx_data")
    os.symlink(path.parent / "preprocessor_config.json", snapshot / "preprocessor_config.json")
    np.testing.assert_allclose(last(snapshot / "model.onnx"), DOUBLED_MEANS, atol=1e-5)


def test_short_or_missing_external_data_is_refused(network: Network, saved: Saved) -> None:
    path = saved(with_external_data(network(), "network.onnx_data", length=2**40))
    with pytest.raises(BackboneError, match="can't be read"):
        last(path)
    (path.parent / "network.onnx_data").write_bytes(data(2))
    with pytest.raises(BackboneError, match="is too short"):
        last(path)


def test_external_data_at_no_place_is_refused(network: Network, saved: Saved) -> None:
    path = saved(with_external_data(network(), "network.onnx_data", length="all"))
    (path.parent / "network.onnx_data").write_bytes(data(2))
    with pytest.raises(BackboneError, match="does not say where"):
        last(path)


def test_file_too_large_for_a_graph_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "network.onnx").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(BackboneError, match="larger than the 2 GiB"):
        last(tmp_path / "network.onnx")
