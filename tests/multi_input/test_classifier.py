"""Learning, answering, missing inputs, saving: `MultiInputClassifier` from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgroup import MultiInputClassifier, load
from outgroup.embeddings import ProgressBar
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError, ModelFileError
from outgroup.multi_input import (
    Bands,
    Block,
    Categorical,
    Inputs,
    Numeric,
    Preset,
)

pytest.importorskip("torch")

SIDE = 12

#: Learns the chips in about a second, with every part of the larger preset.
TINY = Preset(
    blocks=(Block(4, stride=2, pool=False), Block(6)),
    join="pool",
    hidden=(8,),
    joint=True,
    norm=True,
    symmetries=8,
    members=2,
    epochs=12,
    batch=16,
    rate=1e-2,
    cosine=True,
    average=0.9,
    augment=True,
    input_dropout=0.1,
    made_others=0.25,
)

INPUTS = Inputs(
    [Bands("hh", units="dB"), Bands("hv", units="dB")], [Numeric("angle"), Categorical("sensor")]
)


def make_chips(n: int, seed: int = 0) -> dict[str, Any]:
    """Return n chips as columns; the label is "ice" or "ship"."""
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    found: dict[str, Any] = {"hh": [], "hv": [], "angle": [], "sensor": [], "label": [], "id": []}
    for i in range(n):
        ship = bool(draws.integers(2))
        blob = np.exp(-(x**2) / (1 if ship else 6) - y**2 / 6)
        for band, level in (("hh", 12.0), ("hv", 4.0 if ship else 9.0)):
            found[band].append((-20 + level * blob + draws.normal(0, 1, x.shape)).tolist())
        found["angle"].append(float(draws.uniform(30, 45)))
        found["sensor"].append(("A", "B")[draws.integers(2)])
        found["label"].append("ship" if ship else "ice")
        found["id"].append(f"chip {i}")
    return found


@pytest.fixture(scope="session")
def chips() -> dict[str, Any]:
    return make_chips(90)


@pytest.fixture
def with_threads() -> Iterator[Callable[[int], None]]:
    """Set how many threads torch takes, for one test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fitted(chips: dict[str, Any]) -> Any:
    return MultiInputClassifier(INPUTS, TINY, progress=False).fit(chips, "label", id="id")


@pytest.fixture(scope="session")
def model_file(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fitted.save(tmp_path_factory.mktemp("inputs") / "chips.outgroup")


CONTRACT = [
    *("path", "label", "labels", "other", "reason", "other_score", "threshold"),
    *("probabilities", "error", "input_scores", "odd_inputs"),
]


def first(columns: dict[str, Any], n: int) -> dict[str, Any]:
    return {name: list(cells[:n]) for name, cells in columns.items()}


def test_it_learns_what_new_rows_are(fitted: Any) -> None:
    new = make_chips(60, seed=7)
    answers = fitted.predict(new)
    right = [a.label == label for a, label in zip(answers, new["label"], strict=True)]
    assert np.mean(right) > 0.8
    assert [a.path for a in answers] == new["id"]


def test_the_json_line_is_the_contract_and_then_the_inputs(fitted: Any, chips: Any) -> None:
    line = json.loads(fitted.predict(first(chips, 1))[0].to_json())
    assert list(line) == CONTRACT
    assert set(line["probabilities"]) == {"ice", "ship"}
    assert set(line["input_scores"]) == {"hh", "hv", "angle", "sensor"}


def test_what_is_no_chip_is_other(fitted: Any) -> None:
    new = make_chips(20, seed=8)
    for odd, sentence in (
        ([np.full((12, 12), 5.0)] * 20, "nothing stands out in hh"),
        ([np.array(one) + 8.0 for one in new["hh"]], "hh is unlike the images of training"),
    ):
        answers = fitted.predict({**new, "hh": odd})
        assert all(a.other and a.reason == "unknown" for a in answers)
        assert all(a.odd_inputs["hh"].startswith(sentence) for a in answers)


def test_images_in_which_nothing_stands_out_are_other_and_say_so(fitted: Any) -> None:
    new, draws = make_chips(30, seed=8), np.random.default_rng(3)
    for band in ("hh", "hv"):
        new[band] = [draws.normal(-20, 1, (SIDE, SIDE)) for _ in range(30)]
    answers = fitted.predict(new)
    assert np.mean([a.other for a in answers]) > 0.8
    sentence = "nothing stands out in hh as it does in 99 % of known ones"
    assert sentence in {a.odd_inputs.get("hh") for a in answers}


def test_an_angle_that_never_occurred_is_a_reason(fitted: Any) -> None:
    new = first(make_chips(8, seed=9), 8)
    new["angle"] = [80.0] * 8
    for answer in fitted.predict(new):
        assert "angle 80 never occurred in training, which had 30" in answer.odd_inputs["angle"]
        assert answer.other
        assert answer.input_scores["angle"] > 4.6


def test_a_category_that_never_occurred_is_a_reason(fitted: Any) -> None:
    new = first(make_chips(2, seed=9), 2)
    new["sensor"] = ["A", "C"]
    known, strange = fitted.predict(new)
    assert "sensor" not in known.odd_inputs
    assert strange.odd_inputs["sensor"] == "sensor 'C' never occurred in training"


@pytest.mark.parametrize("missing", ["hh", "hv", "angle", "sensor"])
def test_an_input_that_is_wholly_missing_costs_no_answers(fitted: Any, missing: str) -> None:
    new = make_chips(60, seed=10)
    del new[missing]
    answers = fitted.predict(new)
    assert np.mean([a.other for a in answers]) < 0.3
    right = [a.label == label for a, label in zip(answers, new["label"], strict=True) if a.label]
    assert np.mean(right) > 0.6
    assert all(a.input_scores[missing] is None for a in answers)
    assert all("never was in training" in a.odd_inputs[missing] for a in answers)


def test_a_cell_that_is_missing_is_as_if_its_column_were(fitted: Any) -> None:
    new = first(make_chips(2, seed=11), 2)
    cells = {**new, "angle": ["na", new["angle"][1]], "hv": [None, new["hv"][1]]}
    columns = {name: new[name][:1] for name in ("hh", "sensor", "id")}
    a, b = fitted.predict(cells)[0], fitted.predict(columns)[0]
    assert a.input_scores == pytest.approx(b.input_scores)
    assert a.other_score == pytest.approx(b.other_score)
    assert a.probabilities == pytest.approx(b.probabilities)


def test_rows_that_cannot_be_read_are_lines_too(fitted: Any) -> None:
    new = first(make_chips(5, seed=12), 5)
    new["hh"][0] = [[1.0, 2.0], [3.0]]
    new["hh"][1] = np.zeros((3, 3))
    new["hv"][2] = np.full((12, 12), np.nan)
    new["angle"][3] = "steep"
    errors = [a.error for a in fitted.predict(new)]
    assert errors[0] == "hh: its rows differ in length"
    assert errors[1] == "hh: its shape is (1, 3, 3), not (1, 12, 12)"
    assert errors[2] == "hv: 144 of its 144 pixels are NaN or infinite"
    assert errors[3] == "angle: 'steep' is no number"
    assert errors[4] is None
    assert json.loads(fitted.predict(new)[0].to_json())["reason"] == "unreadable"
    nothing = {name: [None] for name in ("hh", "hv", "angle", "sensor")}
    assert fitted.predict(nothing)[0].error == "all inputs are missing"


def test_a_saved_model_says_the_same_without_torch(
    fitted: Any, model_file: Path, chips: Any, tmp_path: Path
) -> None:
    few = first(chips, 6)
    rows = [{name: cells[i] for name, cells in few.items()} for i in range(6)]
    rows[0]["angle"] = 77.0
    table = tmp_path / "few.json"
    table.write_text(json.dumps(rows))
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "import outgroup\n"
        f"model = outgroup.load({str(model_file)!r})\n"
        f"for answer in model.predict({str(table)!r}): print(answer.to_json(explain=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = [a.to_json(explain=True) for a in fitted.predict(table)]
    assert done.stdout.splitlines() == expected


def test_loading_keeps_what_training_was_told(fitted: Any, model_file: Path) -> None:
    loaded = load(model_file)
    assert isinstance(loaded, MultiInputClassifier)
    assert loaded.inputs.names == INPUTS.names
    assert loaded.preset == TINY
    assert loaded.model.certificate == fitted.model.certificate
    assert loaded.contents.training == fitted.contents.training
    assert loaded.contents.training.class_counts == {"ice": 47, "ship": 43}
    assert (loaded.budget, loaded.seed) == (fitted.budget, 0)
    options = loaded.contents.training.options
    assert (options["id"], options["label"]) == ("id", "label")


def test_a_damaged_file_is_refused(model_file: Path, tmp_path: Path) -> None:
    data = bytearray(model_file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "damaged.outgroup"
    path.write_bytes(bytes(data))
    with pytest.raises(ModelFileError, match="damaged"):
        MultiInputClassifier.load(path)


def test_another_classifier_says_how_to_open_it(model_file: Path) -> None:
    from outgroup import ImageClassifier

    with pytest.raises(ModelFileError, match=r"several inputs. Open it with outgroup\.load"):
        ImageClassifier.load(model_file)


@pytest.mark.parametrize("option", [{"cache": True}, {"cache": False}, {"threads": 2}])
def test_options_of_images_are_refused_when_a_file_is_opened(
    model_file: Path, option: dict[str, Any]
) -> None:
    name = next(iter(option))
    with pytest.raises(InvalidParameterError, match=f"`{name}`: must be None .* several inputs"):
        load(model_file, **option)
    assert isinstance(load(model_file, progress=False), MultiInputClassifier)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_order_of_rows_is_no_matter(
    tmp_path: Path, with_threads: Callable[[int], None], threads: int
) -> None:
    with_threads(threads)
    chips, preset = make_chips(40), replace(TINY, members=1, epochs=2)
    order = np.random.default_rng(0).permutation(40)
    shuffled = {name: [cells[i] for i in order] for name, cells in chips.items()}
    files = []
    for i, data in enumerate((chips, shuffled)):
        made = MultiInputClassifier(INPUTS, preset).fit(data, "label")
        files.append(made.save(tmp_path / f"{i}.outgroup").read_bytes())
    assert files[0] == files[1]


def test_groups_are_held_out_whole_and_counted(chips: Any) -> None:
    groups = [f"scene {i // 3}" for i in range(90)]
    made = MultiInputClassifier(INPUTS, replace(TINY, members=1, epochs=1))
    made.fit(chips, "label", groups=groups)
    kept = made.held_out_.calibration()
    guarantee = made.model.certificate.guarantees[0]
    assert (guarantee.unit, guarantee.n) == ("groups", len(set(made.report.units[kept.rows])))
    assert made.model.certificate.method == "held-out"
    outside = np.delete(made.report.units, kept.rows)
    assert not set(made.report.units[kept.rows]) & set(outside)


def test_negatives_are_learned_from_and_have_a_guarantee() -> None:
    chips, strange = make_chips(60), make_chips(40, seed=3)
    strange["hv"] = strange["hh"]  # as bright in both bands
    made = MultiInputClassifier(INPUTS, replace(TINY, epochs=10)).fit(
        chips, "label", other={name: strange[name] for name in INPUTS.names}
    )
    populations = [p.population for p in made.model.certificate.guarantees]
    assert populations == ["rows like your known ones", "rows like your negatives"]
    new = make_chips(40, seed=5)
    new["hv"] = new["hh"]
    assert np.mean([a.other for a in made.predict(new)]) > 0.5


def test_several_classes(chips: Any) -> None:
    labels = [("rock" if i % 3 == 0 else label) for i, label in enumerate(chips["label"])]
    bands = zip(chips["hh"], chips["hv"], strict=True)
    rocky = [hh if i % 3 == 0 else hv for i, (hh, hv) in enumerate(bands)]
    made = MultiInputClassifier(INPUTS, TINY, "multi-class").fit({**chips, "hv": rocky}, labels)
    answers = made.predict({**chips, "hv": rocky})
    assert answers.class_scores.shape == (90, 3)
    np.testing.assert_allclose(answers.class_scores.sum(axis=1), 1.0)
    assert np.mean([a == b for a, b in zip(answers.labels, labels, strict=True)]) > 0.6


def test_several_labels(chips: Any, tmp_path: Path) -> None:
    labels = [
        [label, "steep"] if angle > 37 else [label]
        for label, angle in zip(chips["label"], chips["angle"], strict=True)
    ]
    made = MultiInputClassifier(INPUTS, TINY, "multi-label").fit(chips, labels)
    answers = made.predict(chips)
    assert answers.classes == ("ice", "ship", "steep")
    missed = [not set(b) <= set(a.labels) for a, b in zip(answers, labels, strict=True)]
    assert np.mean(missed) < 0.3
    both = [{"ice", "ship"} <= set(a.labels) for a in answers]
    assert np.mean(both) < 0.5
    line = json.loads(answers[0].to_json())
    assert {"other_scores", "thresholds", "input_scores", "odd_inputs"} <= set(line)
    loaded = MultiInputClassifier.load(made.save(tmp_path / "labels.outgroup"))
    assert loaded.predict(chips)[3].to_json() == answers[3].to_json()


def test_the_ablation_compares_on_the_same_rows_and_shows_how_far_it_is(
    fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: dict[str, list[int]] = {}

    class Bar(ProgressBar):
        def __init__(self, total: int, shown: bool | None, what: str) -> None:
            assert shown is False
            super().__init__(total, shown, what=what)
            self.epochs = bars[what] = [total, 0]

        def advance(self) -> None:
            self.epochs[1] += 1

    monkeypatch.setattr("outgroup.multi_input.row_encoder.ProgressBar", Bar)
    found = fitted.ablation()
    assert [row.inputs for row in found.rows] == ["both", "images", "table"]
    both, images, table = found.rows
    assert both.worse.value == 0.0
    assert table.worse.low > 0.0  # angle and sensor say nothing of the class
    assert images.log_loss.value < table.log_loss.value
    assert "log loss" in str(found)
    assert str(found).endswith(f"{found.n} held-out rows")
    epochs = TINY.members * TINY.epochs
    assert bars == {f"{one} alone, epochs": [epochs, epochs] for one in ("images", "table")}


def test_a_network_of_columns_alone() -> None:
    draws = np.random.default_rng(0)
    x = draws.normal(size=60)
    data = {"x": [None if i % 9 == 0 else v for i, v in enumerate(x)]}
    preset = Preset((), "pool", (6,), epochs=40, rate=2e-2)
    made = MultiInputClassifier(Inputs(table=[Numeric("x")]), preset)
    with pytest.warns(DataWarning, match="'x' alone predicts the class of 9"):
        made.fit(data, (x > 0).astype(int))
    answers = made.predict({"x": [2.0, -2.0]})
    assert answers.class_scores.argmax(axis=1).tolist() == [1, 0]
    found, unreadable = made.evaluate({"x": [2.0, -2.0]}, ["1", "0"], {"far": {"x": [90.0]}})
    assert (found.overall.recall.k, found.unknown[0].accepted.n, unreadable) == (2, 1, ())
    assert found.unknown[0].auroc == 1.0
    with pytest.raises(InvalidParameterError, match="Invalid `y`: must be a column or labels"):
        made.evaluate({"x": [2.0, -2.0]})  # it was fitted with labels, not with a column


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 90, "must have two classes. Got a"),
        (["a", "b", "c"] * 30, "must have two classes"),
        (["a"] * 89 + ["b"], "At least 3 are needed"),
        (["a"] * 3, "There must be labels for 90 rows"),
    ],
)
def test_labels_nothing_can_be_learned_from(chips: Any, labels: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        MultiInputClassifier(INPUTS, TINY).fit(chips, labels)


def test_wrong_parameters() -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `preset`: must be one of"):
        MultiInputClassifier(INPUTS, "three-branch")
    with pytest.raises(InvalidParameterError, match="Invalid `target`: must be one of"):
        MultiInputClassifier(INPUTS, target="ordinal")
    with pytest.raises(InvalidParameterError, match="Invalid `inputs`: must be Inputs"):
        MultiInputClassifier(["band_1"])  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match="not fitted yet"):
        MultiInputClassifier(INPUTS).predict({"hh": []})
