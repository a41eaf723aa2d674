import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.model import fit_model
from outgroup.selection import (
    LINEUP,
    Comparison,
    choose_strategy,
    compare_strategies,
    select_strategy,
)
from outgroup.selection.lineup import AUTO_LINEUP, DEFAULT
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES
from outgroup.strategies import STRATEGIES
from outgroup.training_set import TrainingSet

NAMES = ("softmax", "detector", "sigmoid")


def world(
    n: int = 40, others: int = 0, spread: float = 1.0, seed: int = 0, **more: Any
) -> TrainingSet:
    """Four classes on the corners of a simplex; negatives of eight kinds on other axes."""
    rng = np.random.default_rng(seed)
    kind = np.r_[np.repeat(np.arange(4), n), 4 + np.arange(others) % 8]
    X = spread * rng.normal(size=(len(kind), 16)) + 6 * np.eye(12, 16)[kind]
    labels = [f"class {k}" if k < 4 else None for k in kind]
    origins = [f"kind {k}" for k in kind]
    return TrainingSet.from_labels({"last": X}, labels, origins=origins, **more)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare_strategies(world(others=80), NAMES)


def test_every_strategy_meets_every_unknown(compared: Comparison) -> None:
    assert [result.name for result in compared.results] == list(NAMES)
    assert (compared.n_compared, compared.n_given, compared.n_unknown) == (240, 240, 240)
    for result in compared.results:
        counts = {(s.kind, s.source): s.accepted.n for s in result.sources}
        assert counts == {
            (NEGATIVES, "negatives"): 80,
            **{(LEFT_OUT, f"class {k}"): 40 for k in range(4)},
        }
        assert result.known_rejected is not None
        assert result.known_rejected.n == 160
        assert result.ms_per_image > 0  # type: ignore[operator]


def test_all_are_held_to_the_same_share_of_known_images() -> None:
    for share in (0.05, 0.2):
        rejected = [
            compare_strategies(world(seed=seed), ("detector",), share=share).results[0]
            for seed in range(8)
        ]
        rates = [result.known_rejected for result in rejected]
        n, k = sum(r.n for r in rates if r), sum(r.k for r in rates if r)
        assert n == 8 * 160
        assert abs(k / n - share) < 3 * np.sqrt(share * (1 - share) / n)


def test_the_mean_is_over_kinds_and_sources(compared: Comparison) -> None:
    for result in compared.results:
        values = {
            kind: [s.accepted.value for s in result.sources if s.kind == kind]
            for kind in (LEFT_OUT, NEGATIVES)
        }
        expected = np.mean([np.mean(values[kind]) for kind in values])  # type: ignore[arg-type]
        assert result.accepted == pytest.approx(expected)


def test_the_choice_is_explained_in_a_sentence(compared: Comparison) -> None:
    choice = compared.choice
    accepted = {r.name: r.accepted for r in compared.results}
    assert choice.name in ("detector", "sigmoid")  # a softmax takes a fourth class for one of three
    assert choice.reason.startswith(f"{choice.name}: {accepted[choice.name]:.1%} of unknown images")
    assert "softmax" in choice.reason
    assert choice.accepted is not None


def test_the_reason_names_each_kind_and_what_is_accepted_most() -> None:
    compared = compare_strategies(world(others=80, spread=2.5), ("detector",))
    found = compared.chosen
    assert found is not None
    left_out = {one.source: one.accepted.value for one in found.sources if one.kind == LEFT_OUT}
    most = max(left_out, key=lambda source: left_out[source] or 0.0)
    assert left_out[most]
    assert compared.choice.reason.endswith(
        f"detector by kind: {NEGATIVES} {found.of_kind(NEGATIVES):.1%}, "
        f"{LEFT_OUT} {found.of_kind(LEFT_OUT):.1%} (most: {most} {left_out[most]:.1%})."
    )


def test_a_comparison_is_json(compared: Comparison) -> None:
    found = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert found["chosen"]["name"] == compared.choice.name
    assert [row["name"] for row in found["strategies"]] == list(NAMES)


def test_the_same_data_give_the_same_comparison_in_any_order_of_strategies() -> None:
    one = compare_strategies(world(others=80), ("detector", "sigmoid"))
    two = compare_strategies(world(others=80), ("sigmoid", "detector"))
    assert one.choice.accepted == two.choice.accepted or one.choice.name != two.choice.name
    assert {r.name: r.sources for r in one.results} == {r.name: r.sources for r in two.results}


def test_what_the_data_do_not_allow_has_a_problem_and_is_not_chosen() -> None:
    compared = compare_strategies(world(), ("other-class", "detector"))
    problem, able = compared.results
    assert "learns from negatives, and there are none" in str(problem.problem)
    assert (problem.known_rejected, problem.accepted, problem.sources) == (None, None, ())
    assert compared.choice.name == able.name == "detector"


def test_without_anything_unknown_the_default_is_taken_and_says_so() -> None:
    two = TrainingSet.from_labels(
        {"last": np.random.default_rng(0).normal(size=(40, 4))}, ["a", "b"] * 20
    )
    choice = compare_strategies(two, ("softmax", "blend")).choice
    assert (choice.name, choice.accepted) == (DEFAULT, None)
    assert "nothing unknown to choose by" in choice.reason


def test_new_groups_are_measured_by_the_threshold_of_known_ones() -> None:
    """Groups that lie apart are rejected far more often than the share; alike ones are not."""
    rng = np.random.default_rng(0)
    shift = 3.0 * rng.normal(size=(24, 16))
    for size, low, high in ((0.0, 0.0, 0.15), (1.0, 0.3, 1.0)):
        data = world(n=60)
        group = np.arange(240) // 10
        moved = {"last": data.features["last"] + size * shift[group]}
        grouped = TrainingSet(moved, data.y, data.classes, [f"site {g}" for g in group])
        (result,) = compare_strategies(grouped, ("detector",)).results
        assert result.shifted_rejected is not None
        assert result.shifted_rejected.n == 24
        assert low <= result.shifted_rejected.value <= high  # type: ignore[operator]
        assert result.known_rejected.n == 24  # type: ignore[union-attr]
    assert compare_strategies(world(), ("detector",)).results[0].shifted_rejected is None


def test_progress_is_told_up_to_the_end() -> None:
    told: list[float] = []
    compare_strategies(world(n=10), ("detector", "sigmoid"), progress=told.append)
    assert told == sorted(told)
    assert (len(told), told[-1]) == (2 + 4, 1.0)  # strategies at first, then scenarios


def test_many_rows_are_thinned() -> None:
    compared = compare_strategies(world(n=100), ("detector",), max_rows=200)
    assert (compared.n_compared, compared.n_given) == (200, 400)


def test_auto_takes_what_the_comparison_chooses() -> None:
    data = world(others=80)
    strategy, comparison, _ = select_strategy("auto", data)
    assert comparison is not None
    assert [result.name for result in comparison.results] == list(AUTO_LINEUP)
    assert strategy.name == comparison.choice.name.partition(":")[0]
    named, *nothing = select_strategy("detector:knn", data)
    assert (named.name, nothing) == ("detector", [None, None])


def test_what_the_comparison_has_cross_fitted_need_not_be_done_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = world(others=80)
    strategy, comparison, rows = select_strategy("auto", data)
    assert comparison is not None
    alone = fit_model(data, choose_strategy(comparison.choice.name))
    monkeypatch.setattr(LinearSigmoid, "cross_fit", None)  # it would fail if it were called
    monkeypatch.setattr(LinearSoftmax, "cross_fit", None)
    model = fit_model(data, strategy, rows=rows)
    assert model.threshold == pytest.approx(alone.threshold, rel=0.02)
    assert len(model.known_scores) == 160
    assert len(model.other_scores) == 80


def test_folds_that_only_a_comparison_deals_are_not_kept() -> None:
    """With two folders of negatives they are held out whole there, and not in training."""
    data = world(others=80)
    two = replace(data, origins=["a" if i % 2 else "b" for i in range(240)])
    assert select_strategy("auto", two)[2] is None
    assert select_strategy("auto", data)[2] is not None


def test_every_strategy_is_in_the_lineup() -> None:
    compared = {name.partition(":")[0] for name in LINEUP}
    assert set(STRATEGIES.names()) == compared
    assert set(AUTO_LINEUP) <= set(LINEUP)
    assert DEFAULT in AUTO_LINEUP
