import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup._component import OTHER
from outgroup.heads.linear import LinearSigmoid, LinearSoftmax
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.model import fit_model
from outgroup.selection import (
    AUTO_LINEUP,
    LINEUP,
    Comparison,
    compare_strategies,
    lineup_for,
    select_strategy,
)
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES, SYNTHETIC
from outgroup.strategies import DEFAULT, LABEL_STRATEGIES, STRATEGIES, choose_strategy
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


def test_a_strategy_that_the_data_do_not_allow_has_a_problem_and_is_not_chosen() -> None:
    compared = compare_strategies(world(), ("other-class", "detector"))
    problem, able = compared.results
    assert "learns from negatives, and there are none" in str(problem.problem)
    assert (problem.known_rejected, problem.accepted, problem.sources) == (None, None, ())
    assert compared.choice.name == able.name == "detector"


def test_without_anything_unknown_the_default_is_chosen_with_the_reason() -> None:
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


def test_progress_is_reported_up_to_the_end() -> None:
    told: list[float] = []
    compare_strategies(world(n=10), ("detector", "sigmoid"), progress=told.append)
    assert told == sorted(told)
    assert (len(told), told[-1]) == (2 + 4, 1.0)  # strategies at first, then scenarios


def test_many_rows_are_thinned() -> None:
    compared = compare_strategies(world(n=100), ("detector",), max_rows=200)
    assert (compared.n_compared, compared.n_given) == (200, 400)


def test_auto_is_what_the_comparison_chooses() -> None:
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


def test_folds_that_only_the_comparison_uses_are_not_kept() -> None:
    """With two folders of negatives they are held out whole there, and not in training."""
    data = world(others=80)
    two = replace(data, origins=["a" if i % 2 else "b" for i in range(240)])
    assert select_strategy("auto", two)[2] is None
    assert select_strategy("auto", data)[2] is not None


def test_every_strategy_is_in_the_lineup() -> None:
    compared = {name.partition(":")[0] for name in LINEUP}
    assert {*STRATEGIES.names()} == compared
    assert set(AUTO_LINEUP) <= set(LINEUP)
    assert DEFAULT in AUTO_LINEUP
    labels = lineup_for(LabelSchema.multi_label("ab"))
    assert {*LABEL_STRATEGIES.names()} == {*labels}
    assert lineup_for(LabelSchema.single("ab")) == LINEUP


def labels_world(n: int = 300, none: int = 0, seed: int = 0, **more: Any) -> TrainingSet:
    """Four labels that add up, and images of none of them of eight kinds."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 4)) < 0.3).astype(np.int64)
    bare = np.flatnonzero(Y.sum(axis=1) == 0)
    Y[bare, rng.integers(0, 4, len(bare))] = 1
    Y = np.vstack([Y, np.zeros((none, 4), dtype=np.int64)])
    X = rng.normal(size=(n + none, 16)) + 6 * Y @ np.eye(4, 16)
    kind = 4 + np.arange(none) % 8
    X[n:] += 6 * np.eye(16)[kind]
    origins = ["photos"] * n + [f"kind {k}" for k in kind]
    names = [f"label {k}" for k in range(4)]
    return TrainingSet(
        {"last": X}, label_targets(Y), LabelSchema.multi_label(names), origins=origins, **more
    )


@pytest.fixture(scope="module")
def compared_labels() -> Comparison:
    probes = {"noise": {"last": 30 * np.random.default_rng(1).normal(size=(20, 16))}}
    return compare_strategies(labels_world(none=80, probes=probes))


def test_strategies_for_labels_meet_negatives_garbage_and_images_of_left_out_labels_alone(
    compared_labels: Comparison,
) -> None:
    assert [result.name for result in compared_labels.results] == [
        "sigmoid-0.95",
        "sigmoid",
        "blend",
    ]
    targets = labels_world(none=80).targets
    alone = ((targets == 0).sum(axis=1) == 1).sum()
    for result in compared_labels.results:
        counts = {(s.kind, s.source): s.accepted.n for s in result.sources}
        assert counts[NEGATIVES, "negatives"] == 80
        assert counts[SYNTHETIC, "noise"] == 20
        left_out = {source: n for (kind, source), n in counts.items() if kind == LEFT_OUT}
        assert {*left_out} == {f"label {k}" for k in range(4)}
        assert sum(left_out.values()) == alone
        assert result.known_rejected is not None
        assert result.known_rejected.n == (targets == 0).sum()  # a label of an image counts once
        assert result.known_right == replace(
            result.known_rejected, k=result.known_rejected.n - result.known_rejected.k
        )
        assert result.ms_per_image is not None
    assert compared_labels.n_unknown == 80 + 20 + alone


def test_labels_are_missed_at_the_share_that_was_asked_for() -> None:
    for share in (0.05, 0.2):
        rates = [
            compare_strategies(labels_world(seed=seed), ["blend"], share=share).results[0]
            for seed in range(4)
        ]
        n = sum(r.known_rejected.n for r in rates if r.known_rejected)
        k = sum(r.known_rejected.k for r in rates if r.known_rejected)
        assert abs(k / n - share) < 3 * np.sqrt(share * (1 - share) / n)


def test_a_trade_off_of_labels_falls_with_the_share(compared_labels: Comparison) -> None:
    fixed, *others = compared_labels.results
    assert fixed.trade_off == ()
    for result in others:
        accepted = [row.accepted for row in result.trade_off]
        assert accepted == sorted(accepted, reverse=True)
        at = [row for row in result.trade_off if row.known_rejected == compared_labels.share]
        assert at[0].accepted == pytest.approx(result.accepted)


def test_blend_is_chosen_for_labels_where_sigmoids_accept_what_is_far(
    compared_labels: Comparison,
) -> None:
    accepted = {r.name: r.of_kind(SYNTHETIC) for r in compared_labels.results}
    assert accepted["blend"] < 0.5 * accepted["sigmoid"]  # type: ignore[operator]
    assert compared_labels.choice.name == "blend"
    assert "of unknown images accepted" in compared_labels.choice.reason
    assert compared_labels.choice.accepted is not None


def test_two_labels_without_negatives_leave_nothing_unknown() -> None:
    data = labels_world()
    two = data.part((0, 1))[0]
    rows = np.flatnonzero(two.known)
    compared = compare_strategies(two.subset(rows), ["sigmoid", "blend"])
    assert (compared.n_unknown, compared.choice.name, compared.choice.accepted) == (
        0,
        "blend",
        None,
    )
    assert {result.accepted for result in compared.results} == {None}
    assert compared.results[0].known_rejected is not None


@pytest.mark.parametrize("burst", [False, True])
def test_a_label_is_left_out_only_where_the_others_can_still_be_held_out(burst: bool) -> None:
    """Without the first label, four images are left of the second: of one burst, or each alone."""
    rng = np.random.default_rng(0)
    Y = np.zeros((140, 3), dtype=np.int64)
    Y[:60, :2] = Y[60:80, 0] = Y[80:84, 1] = Y[84:120, 2] = 1
    X = rng.normal(size=(140, 12)) + 6 * Y @ np.eye(3, 12)
    groups = [None] * 80 + ["burst" if burst else None] * 4 + [None] * 56
    schema = LabelSchema.multi_label("abc")
    compared = compare_strategies(TrainingSet({"last": X}, label_targets(Y), schema, groups))
    for result in compared.results:
        assert result.problem is None
        left_out = {source.source for source in result.sources if source.kind == LEFT_OUT}
        assert left_out == {"b", "c"} if burst else {"a", "b", "c"}


def test_labels_of_new_groups_are_measured_by_thresholds_of_known_ones() -> None:
    data = labels_world(groups=[f"site {i // 25}" for i in range(300)])
    shift = np.random.default_rng(0).normal(size=(12, 16))[np.arange(300) // 25]
    shares = []
    for size in (0.0, 4.0):
        moved = replace(data, features={"last": data.features["last"] + size * shift})
        (result,) = compare_strategies(moved, ["sigmoid"]).results
        assert result.known_rejected is not None
        assert result.shifted_rejected is not None
        assert result.known_rejected.n == result.shifted_rejected.n == 4 * 12  # a site, a label
        shares.append(result.shifted_rejected.value)
    assert shares[0] < 0.1 < 0.15 < shares[1]


def test_comparing_labels_is_the_same_in_any_order_of_strategies() -> None:
    data = labels_world(none=40)
    one, two = (
        compare_strategies(data, names) for names in (["sigmoid", "blend"], ["blend", "sigmoid"])
    )
    assert {r.name: r.sources for r in one.results} == {r.name: r.sources for r in two.results}
    assert json.loads(json.dumps(one.to_dict(), allow_nan=False))["n_unknown"] == one.n_unknown


def test_many_rows_of_labels_are_thinned_and_rare_ones_are_kept() -> None:
    data = labels_world(n=600)
    compared = compare_strategies(data, ["sigmoid"], max_rows=200)
    assert compared.n_given == 600
    assert 150 <= compared.n_compared <= 250


def test_what_a_strategy_for_labels_needs_is_a_problem_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LABEL_STRATEGIES.get("sigmoid"), "needs_others", True)
    monkeypatch.setattr(LABEL_STRATEGIES.get("blend"), "needs_others", False)
    sigmoid, blend = compare_strategies(labels_world(), ["sigmoid", "blend"]).results
    assert "learns from negatives, and there are none" in str(sigmoid.problem)
    assert (sigmoid.accepted, blend.problem) == (None, None)


def test_auto_is_the_default_for_labels_and_for_columns() -> None:
    for schema, labels in ((LabelSchema.multi_label("ab"), True),
                           (LabelSchema.columns({"size": ["L", "S"]}), False)):  # fmt: skip
        targets = np.array([[0, OTHER], [OTHER, 0]] * 4)[:, : len(schema.outputs)]
        if not labels:
            targets = np.arange(8)[:, np.newaxis] % 2
        data = TrainingSet({"last": np.eye(8)}, targets, schema)
        strategy, comparison, rows = select_strategy("auto", data)
        assert (strategy.name, strategy.for_labels) == (DEFAULT, labels)
        assert comparison is rows is None
    headed, *_ = select_strategy("sigmoid", data, head="focal-sigmoid")
    assert headed.head.name == "focal-sigmoid"  # type: ignore[attr-defined]
