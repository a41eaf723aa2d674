import numpy as np
import pytest
from scipy.special import logsumexp

from outgroup._component import OTHER, UNSEEN
from outgroup.detectors import FeatureDetector, FittedLogitDetector
from outgroup.detectors.answers import AnswerProfile
from outgroup.detectors.gaussian import Mahalanobis, RelativeMahalanobis
from outgroup.detectors.logits import Energy, KLMatching, MaxLogit, OpenMax
from outgroup.detectors.neighbours import KNearestNeighbours
from outgroup.errors import InvalidParameterError
from outgroup.heads.linear import LinearSigmoid, LinearSoftmax
from outgroup.strategies import STRATEGIES, FoldedRows, head_input
from outgroup.strategies.blend import DISTANCES, Blend, TwoVotes
from outgroup.strategies.distance import DetectorStrategy
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.strategies.softmax import OtherClass, Softmax

RNG = np.random.default_rng(0)
Y = np.r_[np.repeat([0, 1], 30), np.full(20, -1)]
X = RNG.normal(size=(80, 6)) + 3 * np.eye(3, 6)[Y]
FRESH = RNG.normal(size=(50, 6)) + 2
FOLDS = RNG.permutation(np.arange(80) % 4)
KNOWN = Y >= 0
NAMES = [name for name, cls in STRATEGIES if {*cls.needs_layers} <= {"last", "logits"}]


def layers_of(rows: np.ndarray, name: str) -> dict[str, np.ndarray]:
    return dict.fromkeys({"last", *STRATEGIES.get(name).needs_layers}, rows)


def test_the_strategies_that_people_ask_about_are_there() -> None:
    assert {
        "softmax", "other-class", "sigmoid", "detector", "blend", "one-class", "imagenet"
    } <= set(STRATEGIES.names())  # fmt: skip


def test_softmax_scores_the_logits_by_the_detector_it_is_given() -> None:
    strategy = Softmax(LinearSoftmax(0.1), Energy()).fit({"last": X}, Y)
    head = LinearSoftmax(0.1).fit(X[KNOWN], Y[KNOWN])
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(scores.other_score, Energy().other_score(head.logits(FRESH)))
    np.testing.assert_array_equal(scores.class_scores, head.probabilities(head.logits(FRESH)))


def test_the_default_softmax_orders_as_one_minus_the_largest_probability() -> None:
    scores = Softmax(LinearSoftmax(0.1)).fit({"last": X}, Y).score({"last": FRESH})
    by_confidence = np.argsort(-scores.class_scores.max(axis=1))
    np.testing.assert_array_equal(np.argsort(scores.other_score), by_confidence)


def test_sigmoid_orders_as_one_minus_the_largest_sigmoid() -> None:
    strategy = Sigmoid(LinearSigmoid(0.1)).fit({"last": X}, Y)
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(
        np.argsort(scores.other_score), np.argsort(-scores.class_scores.max(axis=1))
    )
    np.testing.assert_allclose(
        1 / (1 + np.exp(scores.other_score)), scores.class_scores.max(axis=1), rtol=1e-9
    )


def test_other_class_scores_the_odds_of_the_last_class() -> None:
    scores = OtherClass(LinearSoftmax(0.1)).fit({"last": X}, Y).score({"last": FRESH})
    head = LinearSoftmax(0.1).fit(X, np.where(Y < 0, 2, Y))
    logits = head.logits(FRESH)
    np.testing.assert_allclose(
        scores.other_score, logits[:, 2] - logsumexp(logits[:, :2], axis=1), atol=1e-12
    )
    other = 1 - scores.class_scores.sum(axis=1)
    np.testing.assert_allclose(scores.other_score, np.log(other / (1 - other)), rtol=1e-6)


def test_the_detector_decides_and_the_head_only_names() -> None:
    strategy = DetectorStrategy(LinearSoftmax(0.1), KNearestNeighbours(3)).fit({"last": X}, Y)
    knn = KNearestNeighbours(3).fit(X[KNOWN], Y[KNOWN])
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(scores.other_score, knn.other_score(FRESH))


LAYERS = {"last": X, "second_last": X[:, :4] ** 2, "logits": X @ np.diag(np.arange(1.0, 7.0))}


def blend(scaling: dict[str, list[float]] | None = None) -> Blend:
    shape = Mahalanobis(0.5)
    return Blend(LinearSigmoid(0.1), shape, None, Mahalanobis(0.5), scaling=scaling)


def distances(names: tuple[str, ...], others: bool) -> list[tuple[FeatureDetector, str]]:
    """Every distance of the blend above that counts, given these layers and negatives or none."""
    every: list[tuple[FeatureDetector, str]] = [
        (Mahalanobis(0.5), "last"),
        (KNearestNeighbours(), "last"),
        (Mahalanobis(0.5), "second_last"),
        (KNearestNeighbours(), "logits"),
        *([(RelativeMahalanobis(), "last")] if others else []),
    ]
    return [(detector, layer) for detector, layer in every if layer in names]


def z_by_class(scores: np.ndarray, y: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Scores less the centre over the scale of the likeliest class, drawn to those of all."""

    def centre_and_spread(values: np.ndarray) -> np.ndarray:
        centre = np.median(values)
        deviation = np.median(np.abs(values - centre))
        return np.array([centre, max(deviation, (np.quantile(values, 0.9) - centre) / 1.9)])

    of_all, z = centre_and_spread(scores[y >= 0]), np.empty(len(scores))
    for k in range(logits.shape[1]):
        n = (y == k).sum()
        share = np.array([n / (n + 60), n / (n + 200)])
        centre, spread = share * centre_and_spread(scores[y == k]) + (1 - share) * of_all
        given = logits.argmax(axis=1) == k
        z[given] = (scores[given] - centre) / spread
    return z


@pytest.mark.parametrize("rows", [KNOWN, np.ones_like(KNOWN)], ids=["known", "with negatives"])
@pytest.mark.parametrize("names", [("last",), ("last", "logits"), tuple(LAYERS)])
def test_blend_adds_its_scores_each_on_its_own_held_out_scale(
    names: tuple[str, ...], rows: np.ndarray
) -> None:
    features = {name: LAYERS[name][rows] for name in names}
    y, folds = Y[rows], FOLDS[rows]
    held_out = blend().cross_fit(FoldedRows(features, y, folds)).other_score
    logits = LinearSigmoid(0.1).cross_fit(head_input(features), y, folds)
    members = [MaxLogit().other_score(logits)]
    others = bool((y < 0).any())
    members += [d.cross_fit(features[layer], y, folds) for d, layer in distances(names, others)]
    votes = [1.5 if others else 1.0, *np.ones(len(members) - 1)]
    expected = 0.0
    for vote, part in zip(votes, members, strict=True):
        expected = expected + vote * np.log1p(np.exp(z_by_class(part, y, logits)))
    np.testing.assert_allclose(held_out, expected, rtol=1e-9, atol=1e-9)


def test_two_votes_gives_the_head_as_much_as_all_distances() -> None:
    rows = FoldedRows(LAYERS, Y, FOLDS)
    one, two = (cls(LinearSigmoid(0.1)).cross_fit(rows).other_score for cls in (Blend, TwoVotes))
    logits = LinearSigmoid(0.1).cross_fit(head_input(LAYERS), Y, FOLDS)
    confidence = MaxLogit().other_score(logits)
    loud = np.log1p(np.exp(z_by_class(confidence, Y, logits)))
    np.testing.assert_allclose(two - one, (5.0 - 1.5) * loud, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_two_votes_rejects_negatives_that_distances_find_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(150) % 3, np.full(150, -1)]
    # negatives lie among the classes, and differ from them in one direction of forty
    X = rng.normal(size=(300, 40)) * np.exp(0.2 * rng.normal(size=(300, 1)))
    X += 4 * np.eye(3, 40)[np.arange(300) % 3]
    X[y < 0, 5] += 4.0
    layers = dict.fromkeys(("last", "second_last", "logits"), X)
    accepted = []
    for strategy in (Blend(), TwoVotes()):
        scores = strategy.cross_fit(FoldedRows(layers, y, np.arange(300) % 5)).other_score
        accepted.append((scores[y < 0] <= np.quantile(scores[y >= 0], 0.95)).mean())
    assert accepted[1] < 0.9 * accepted[0]


def test_no_member_of_blend_can_outvote_the_others() -> None:
    fitted = blend({name: [0.0, 1.0] for name in ("confidence", *DISTANCES)}).fit(LAYERS, Y)
    loud = {name: 1000.0 * np.vstack([X, -X])[:, : LAYERS[name].shape[1]] for name in LAYERS}
    score = fitted.score(loud).other_score  # logits without bounds, on either side
    for name, layer in DISTANCES.items():
        assert (score >= getattr(fitted, name).other_score(loud[layer])).all()
    assert (score >= -fitted.head.logits(head_input(loud)).max(axis=1)).all()


def test_blend_given_its_scaling_keeps_it() -> None:
    scaling = {"confidence": [0.0, 2.0], "last_shape": [0.0, 1.0]}
    given = blend(scaling)
    scores = given.fit({"last": X}, Y).score({"last": FRESH})
    distance = Mahalanobis(0.5).fit(X[KNOWN], Y[KNOWN]).other_score(FRESH)
    logits = LinearSigmoid(0.1).fit(X, Y).logits(FRESH)
    expected = np.log1p(np.exp(distance)) + np.log1p(np.exp(-logits.max(axis=1) / 2))
    np.testing.assert_allclose(scores.other_score, expected, rtol=1e-9)
    given.cross_fit(FoldedRows({"last": X}, Y, FOLDS))
    assert given.scaling_ == scaling


@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize("n_each", [39, 40])
def test_blend_keeps_the_distances_that_count_and_no_others(n_each: int, others: bool) -> None:
    n_known = 2 * n_each
    y = np.r_[np.arange(n_known) % 2, np.full(30 if others else 0, -1)]
    some = np.random.default_rng(0).normal(size=(len(y), 6)) + 4 * np.eye(3, 6)[y]
    fitted = Blend()
    fitted.cross_fit(FoldedRows({"last": some}, y, np.arange(len(y)) % 5))
    parts = fitted.fit({"last": some}, y).state().parts
    relative = {"relative"} if others and n_each < 40 else set()
    assert set(parts) == {"head", "last_shape", "last_neighbours"} | relative


@pytest.mark.parametrize("name", [name for name in NAMES if not STRATEGIES.get(name).uses_others])
def test_negatives_that_are_not_learned_from_are_scored_as_the_final_model_does(name: str) -> None:
    strategy = STRATEGIES.get(name)()
    held_out = strategy.cross_fit(FoldedRows(layers_of(X, name), Y, FOLDS))
    scored = strategy.fit(layers_of(X, name), Y).score(layers_of(X[~KNOWN], name))
    # the folds' heads are fitted to a looser tolerance than the final one, which is all there is
    difference = held_out.other_score[~KNOWN] - scored.other_score
    assert np.abs(difference).max() < 0.01 * scored.other_score.std()


@pytest.mark.parametrize("name", NAMES)
def test_unseen_rows_are_scored_and_change_nothing_for_the_others(name: str) -> None:
    without = STRATEGIES.get(name)().cross_fit(FoldedRows(layers_of(X, name), Y, FOLDS))
    both = layers_of(np.vstack([X, FRESH]), name)
    y = np.r_[Y, np.full(len(FRESH), UNSEEN)]
    folds = np.r_[FOLDS, np.zeros(len(FRESH), dtype=np.int64)]
    strategy = STRATEGIES.get(name)()
    held_out = strategy.cross_fit(FoldedRows(both, y, folds)).other_score
    spread = without.other_score.std()
    assert np.abs(held_out[: len(Y)] - without.other_score).max() < 0.05 * spread
    final = strategy.fit(layers_of(X, name), Y).score(layers_of(FRESH, name)).other_score
    assert np.abs(held_out[len(Y) :] - final).max() < 0.05 * final.std()


def test_strategies_share_the_cross_fit_of_a_part_they_both_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, calls = FoldedRows({"last": X}, Y, FOLDS), []
    cross_fit = LinearSoftmax.cross_fit

    def counted(self: LinearSoftmax, *args: np.ndarray) -> np.ndarray:
        calls.append(self)
        return cross_fit(self, *args)

    monkeypatch.setattr(LinearSoftmax, "cross_fit", counted)
    first, second, other = Softmax(), DetectorStrategy(), OtherClass()
    first.cross_fit(rows)
    second.cross_fit(rows)
    assert len(calls) == 1
    assert second.head.chosen() == first.head.chosen() != {"strength": None}
    other.cross_fit(rows)  # the same head on other targets
    assert len(calls) == 2


def test_a_head_reads_the_layers_that_were_chosen() -> None:
    features = {"last": X, "second_last": X[:, :2], "logits": X[:, 2:]}
    scores = Sigmoid(LinearSigmoid(0.1), layers=("second_last",)).fit(features, Y).score(features)
    alone = Sigmoid(LinearSigmoid(0.1)).fit({"last": X[:, :2]}, Y).score({"last": X[:, :2]})
    np.testing.assert_array_equal(scores.other_score, alone.other_score)


def test_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `layers`: must"):
        Sigmoid(layers=("second_last",)).fit({"last": X}, Y)
    for wrong in ((), "last", ("first",)):
        with pytest.raises(InvalidParameterError, match="Invalid `layers`: must be a sequence"):
            Sigmoid(layers=wrong)  # type: ignore[arg-type]


def test_a_detector_reads_the_layer_that_it_names() -> None:
    logits = RNG.normal(size=(80, 10)) + 3 * np.eye(3, 10)[Y]
    fresh = RNG.normal(size=(50, 10))
    strategy = DetectorStrategy(LinearSoftmax(0.1), AnswerProfile(3))
    both = {"last": X, "logits": logits}
    held_out = strategy.cross_fit(FoldedRows(both, Y, FOLDS)).other_score
    np.testing.assert_array_equal(held_out, AnswerProfile(3).cross_fit(logits, Y, FOLDS))
    found = strategy.fit(both, Y).score({"last": FRESH, "logits": fresh}).other_score
    alone = AnswerProfile(3)
    alone.tune(logits[KNOWN], Y[KNOWN])
    alone.fit(logits[KNOWN], Y[KNOWN])
    np.testing.assert_array_equal(found, alone.other_score(fresh))


def test_a_layer_that_is_not_there_is_named() -> None:
    strategy = DetectorStrategy(LinearSoftmax(0.1), AnswerProfile())
    with pytest.raises(InvalidParameterError, match="'answer-profile' looks at the layer 'logits'"):
        strategy.cross_fit(FoldedRows({"last": X}, Y, FOLDS))


@pytest.mark.parametrize("detector", [KLMatching, OpenMax])
def test_a_detector_that_learns_from_logits_learns_from_held_out_ones(
    detector: type[FittedLogitDetector],
) -> None:
    strategy = Softmax(LinearSoftmax(0.1), detector())
    scores = strategy.cross_fit(FoldedRows({"last": X}, Y, FOLDS)).other_score
    rows = FoldedRows({"last": X}, Y, FOLDS)
    held_out = rows.logits(LinearSoftmax(0.1), None, np.where(Y == OTHER, UNSEEN, Y))[KNOWN]
    for fold in range(4):
        train, test = FOLDS[KNOWN] != fold, FOLDS[KNOWN] == fold
        alone = detector().fit(held_out[train], Y[KNOWN][train])
        np.testing.assert_array_equal(scores[KNOWN][test], alone.other_score(held_out[test]))
    final = detector().fit(held_out, Y[KNOWN])
    found = strategy.fit({"last": X}, Y).score({"last": FRESH})
    logits = LinearSoftmax(0.1).fit(X[KNOWN], Y[KNOWN]).logits(FRESH)
    np.testing.assert_array_equal(found.other_score, final.other_score(logits))
    # the label is the head's, for images that are other too
    np.testing.assert_array_equal(found.class_scores, strategy.head.probabilities(logits))


def test_without_a_cross_fit_before_it_fit_makes_held_out_logits_itself() -> None:
    one, two = (Softmax(LinearSoftmax(0.1), KLMatching()).fit({"last": X}, Y) for _ in range(2))
    scores = one.score({"last": FRESH}).other_score
    np.testing.assert_array_equal(scores, two.score({"last": FRESH}).other_score)
    seen = KLMatching().fit(one.head.logits(X[KNOWN]), Y[KNOWN])
    assert np.abs(scores - seen.other_score(one.head.logits(FRESH))).max() > 1e-3
