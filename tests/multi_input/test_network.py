"""The torch network, the ONNX graph, and what is computed by hand agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.multi_input.encoding import NetworkInputs
from outgroup.multi_input.image_statistics import make_others
from outgroup.multi_input.inputs import Bands, Inputs
from outgroup.multi_input.network_graph import Networks, write_graph
from outgroup.multi_input.network_plan import PRESETS, Block, OutputLayer, Plan, Preset, make_plan

torch = pytest.importorskip("torch")

from outgroup.multi_input.row_learning import build, folded, loss_of, merge, train_network  # noqa: E402

TARGET = OutputLayer("binary", ("ice", "ship"))


def plan_of(fusion: str, preset: Preset, table: int = 3, sizes: Any = ((12, 12), (12, 12))) -> Plan:
    bands = [Bands(f"b{i}", channels=i + 1, size=size) for i, size in enumerate(sizes)]
    return make_plan(Inputs(bands, (), fusion), preset, table, 2)


def rows_of(plan: Plan, n: int = 5) -> NetworkInputs:
    draws = np.random.default_rng(1)
    images = tuple(
        draws.normal(size=(n, channels, *size)).astype(np.float32) for channels, size in plan.images
    )
    present = np.ones((n, len(plan.images)), dtype=np.float32)
    if len(plan.images):
        present[1, 0] = 0.0
        present[2, -1] = 0.0
    return NetworkInputs(images, present, draws.normal(size=(n, plan.table)).astype(np.float32))


def ways(image: Any, symmetries: int) -> list[Any]:
    """All flips, and those of the transposed image, written down anew."""
    flips = [image, image[:, :, ::-1], image[:, :, :, ::-1], image[:, :, ::-1, ::-1]]
    return flips[:symmetries] if symmetries < 8 else flips + [f.swapaxes(2, 3) for f in flips]


@pytest.mark.parametrize("fusion", ["mean", "concat", "early"])
@pytest.mark.parametrize("join", ["flatten", "pool"])
@pytest.mark.parametrize("symmetries", [1, 8])
def test_onnx_says_what_torch_says(fusion: str, join: str, symmetries: int) -> None:
    blocks = (Block(3, stride=2, pool=False), Block(4))
    preset = Preset(blocks, join, (6, 5), joint=True, norm=True, symmetries=symmetries)
    plan = plan_of(fusion, preset)
    rows = rows_of(plan)
    torch.manual_seed(0)
    network = build(plan)
    for layer in network.modules():  # running statistics that are not those of the first day
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(layer.weight, 0.5, 2.0)
    network.eval()
    answer = Networks(write_graph(plan, [folded(network, plan)]), plan, 1).run(rows)[0]
    present, table = torch.from_numpy(rows.present), torch.from_numpy(rows.table)
    with torch.no_grad():
        said = [
            network.embed([torch.from_numpy(one.copy()) for one in turned], present, table)
            for turned in zip(*(ways(image, symmetries) for image in rows.images), strict=True)
        ]
    for got, at in ((answer["logits"], 0), (answer["hidden"], 1)):
        expected = torch.stack([one[at] for one in said]).mean(0).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    for b, branch in enumerate(plan.branches):
        got = answer[f"branch:{branch.name}"]
        expected = torch.stack([one[2][b] for one in said]).mean(0).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_table_alone_makes_a_network() -> None:
    plan = make_plan(Inputs([Bands("x", size=(12, 12))]), PRESETS["two-branch"], 2, 1)
    plan = replace(plan, branches=(), images=())
    network = build(plan).eval()
    rows = NetworkInputs((), np.ones((3, 0), np.float32), np.eye(3, 2, dtype=np.float32))
    got = Networks(write_graph(plan, [folded(network, plan)]), plan, 1).run(rows)[0]["logits"]
    with torch.no_grad():
        expected = network([], torch.ones(3, 0), torch.from_numpy(rows.table)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    plan = plan_of("mean", PRESETS["two-branch"], sizes=((12, 12), (12, 12)))
    plan = replace(plan, preset=replace(plan.preset, symmetries=4))
    networks = Networks(write_graph(plan, [folded(build(plan), plan)]), plan, 1)
    rows = rows_of(plan, 5)
    whole, alone = networks.run(rows)[0], networks.run(rows.take(slice(4, 5)))[0]
    np.testing.assert_array_equal(whole["logits"][4:], alone["logits"])


def test_merging_by_hand() -> None:
    features = [torch.tensor([[2.0, 4.0]]), torch.tensor([[6.0, 0.0]])]
    there, gone = torch.ones(1, 1), torch.zeros(1, 1)
    assert merge("mean", features, [there, there]).tolist() == [[4.0, 2.0]]
    assert merge("mean", features, [there, gone]).tolist() == [[2.0, 4.0]]  # not halved
    assert merge("mean", features, [gone, gone]).tolist() == [[0.0, 0.0]]
    assert merge("concat", features, [there, gone]).tolist() == [[2.0, 4.0, 0.0, 0.0]]


def test_binary_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[2.0], [-1.0], [0.5]], dtype=torch.float64)
    wanted = torch.tensor([[1.0], [1.0], [float("nan")]], dtype=torch.float64)
    expected = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2
    assert float(loss_of(TARGET)(logits, wanted)) == pytest.approx(expected, rel=1e-12)


def test_softmax_and_gate_by_hand() -> None:
    target = OutputLayer("multi-class", ("a", "b", "c"), gate=True)
    logits = torch.tensor([[1.0, 2.0, 0.0, 3.0], [9.0, 9.0, 9.0, -2.0]], dtype=torch.float64)
    wanted = torch.from_numpy(target.encode(np.array([[1], [-1]])).astype(np.float64))
    softmax = -np.log(np.exp(2.0) / (np.exp(1.0) + np.exp(2.0) + 1.0))  # the negative has no part
    gate = (np.log1p(np.exp(-3.0)) + np.log1p(np.exp(-2.0))) / 2
    assert float(loss_of(target)(logits, wanted)) == pytest.approx(softmax + gate, rel=1e-12)


def test_several_labels_by_hand() -> None:
    target = OutputLayer("multi-label", ("a", "b"))
    wanted = target.encode(np.array([[0, -2], [-1, -1]]))
    np.testing.assert_array_equal(wanted, [[1, np.nan], [0, 0]])
    logits = torch.tensor([[0.0, 7.0], [1.0, -1.0]], dtype=torch.float64)
    expected = (np.log(2) + np.log1p(np.exp(1.0)) + np.log1p(np.exp(-1.0))) / 3
    loss = loss_of(target)(logits, torch.from_numpy(wanted.astype(np.float64)))
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_the_forums_network_is_what_it_is_said_to_be() -> None:
    plan = make_plan(
        Inputs([Bands("b1", size=(75, 75)), Bands("b2", size=(75, 75))]),
        PRESETS["two-branch"],
        table=2,
        outputs=1,
    )
    network = build(plan)
    assert [branch.sources for branch in plan.branches] == [(0,), (1,)]
    assert plan.fusion == "mean"
    assert [(layer.in_features, layer.out_features) for layer in network.dense] == [
        (16 * 9 * 9 + 2 + 2, 10),
        (10, 1),
    ]
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.modules())
    assert (plan.preset.members, plan.preset.average, plan.preset.made_others) == (1, 0.0, 0.0)


def test_a_tiny_run_learns_by_heart() -> None:
    preset = Preset((Block(8), Block(8)), "flatten", (10,), epochs=60, batch=8, rate=5e-3)
    plan = replace(plan_of("mean", preset, sizes=((12, 12),)), outputs=1)
    rows = rows_of(plan, 24)
    rows = replace(rows, present=np.ones_like(rows.present))
    y = np.random.default_rng(0).integers(2, size=(24, 1)).astype(np.float32)
    weights = train_network(plan, rows, y, TARGET, np.zeros(3, np.float32), 0)
    logits = Networks(write_graph(plan, [weights]), plan, 1).run(rows)[0]["logits"]
    assert ((logits > 0) == (y == 1)).all()


def test_the_same_seed_gives_the_same_bytes_and_leaves_the_callers_generator() -> None:
    preset = Preset((Block(3),), "pool", (4,), epochs=1, augment=True, input_dropout=0.2)
    plan = replace(plan_of("mean", preset), outputs=1)
    rows, y = rows_of(plan, 20), np.ones((20, 1), np.float32)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    made = [
        write_graph(plan, [train_network(plan, rows, y, TARGET, np.zeros(3, np.float32), seed)])
        for seed in (3, 3, 4)
    ]
    assert made[0] == made[1] != made[2]
    assert torch.equal(before, torch.random.get_rng_state())


def test_made_negatives_hold_nothing_new_and_no_middle() -> None:
    image = np.zeros((40, 1, 9, 9), dtype=np.float32)
    image[:, :, 3:6, 3:6] = 1.0  # something in the middle
    image[:, :, 0, 0] = 0.5
    made = make_others([image, 2 * image], np.random.default_rng(0))
    np.testing.assert_array_equal(made[1], 2 * made[0])  # bands stay together
    kept = made[0].reshape(40, -1).max(axis=1) == 1.0
    assert 0 < kept.sum() < 40
    assert np.isin(made[0], [0.0, 0.5, 1.0]).all()
    assert not made[0][~kept][:, :, 3:6, 3:6].any() or (made[0][~kept] <= 0.5).all()


def test_images_of_different_sizes_need_pooling_or_concatenation() -> None:
    sizes = ((12, 12), (24, 24))
    preset = Preset((Block(3),), "flatten", (4,))
    with pytest.raises(InvalidParameterError, match="must be 'concat'"):
        plan_of("mean", preset, sizes=sizes)
    with pytest.raises(InvalidParameterError, match="different sizes"):
        plan_of("early", preset, sizes=sizes)
    assert plan_of("concat", preset, sizes=sizes).merged == 3 * 6 * 6 + 3 * 12 * 12
    with pytest.raises(InvalidParameterError, match="too small"):
        plan_of("mean", PRESETS["two-branch"], sizes=((4, 4),))
