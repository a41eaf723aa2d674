import pickle

import numpy as np
import pytest

from outgroup.reasons import References, as_directions
from outgroup.reasons.references import choose_references

CLASSES = ("cat", "dog")


def rows(n: int = 200, d: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(-1, 2, n)
    return rng.gamma(0.5, size=(n, d)) + 2 * np.eye(3, d)[y], y


def kept(n: int = 200, d: int = 64, limit: int = 10_000, seed: int = 0) -> References:
    X, y = rows(n, d, seed)
    return choose_references(CLASSES, X, y, [f"{i}.jpg" for i in range(n)], limit)[0]


def cosine_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    A, B = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (A, B))
    return 1 - A @ B.T


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_distances_are_one_less_the_cosine_but_for_some_thousandths(scale: float) -> None:
    X, _ = rows()
    new, _ = rows(n=50, seed=1)
    exact = cosine_distances(new, X)
    errors = []
    for one, few in zip(exact, kept().nearest(as_directions(scale * new), 5), strict=True):
        assert [near.distance for near in few] == sorted(near.distance for near in few)
        errors += [near.distance - one[int(str(near.path)[:-4])] for near in few]
        np.testing.assert_allclose([near.distance for near in few], np.sort(one)[:5], atol=6e-3)
    assert np.abs(errors).max() < 6e-3
    assert np.abs(errors).mean() < 2e-3


def test_a_training_image_is_nearest_to_itself() -> None:
    X, y = rows()
    for i, (near,) in enumerate(kept().nearest(as_directions(X), 1)):
        assert (near.path, near.distance) == (f"{i}.jpg", 0.0)
        assert near.label == ("cat", "dog", None)[y[i]]


def test_without_paths_rows_are_told() -> None:
    X, y = rows()
    references, positions = choose_references(CLASSES, X, y)
    found = references.nearest(as_directions(X), 1)
    assert [near.row for (near,) in found] == list(range(len(X)))
    assert {near.path for (near,) in found} == {None}
    np.testing.assert_array_equal(references.directions, as_directions(X)[positions])


def test_there_are_no_more_neighbours_than_references() -> None:
    new = as_directions(rows(n=3, seed=1)[0])
    references = kept(n=4)
    assert [len(set(few)) for few in references.nearest(new, 9)] == [4] * 3
    assert references.nearest(new, 0) == [()] * 3
    assert references.nearest(new[:0], 2) == []


def test_distance_to_each_class_is_that_to_its_nearest_reference() -> None:
    X, y = rows()
    new, _ = rows(n=50, seed=1)
    exact = cosine_distances(new, X)
    expected = np.stack([exact[:, y == k].min(axis=1) for k in (0, 1)], axis=1)
    np.testing.assert_allclose(kept().class_distances(as_directions(new)), expected, atol=6e-3)
    only_dogs = choose_references(CLASSES, X[y != 0], y[y != 0])[0]
    found = only_dogs.class_distances(as_directions(new))
    assert np.isinf(found[:, 0]).all()
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=6e-3)


def test_no_other_of_its_class_is_itself_or_of_its_group() -> None:
    X, y = rows()
    order = np.argsort(y, kind="stable")
    references = References(CLASSES, as_directions(X[order]), y[order].astype(np.int32), ())
    cats = X[y == 0]
    exact = cosine_distances(cats, cats)
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_allclose(references.distances_within(0), exact.min(axis=1), atol=6e-3)
    pairs = np.arange(len(cats)) // 2
    groups = np.r_[np.full((y < 0).sum(), -1), pairs, np.full((y == 1).sum(), -2)]
    exact[pairs[:, np.newaxis] == pairs] = np.inf
    found = references.distances_within(0, groups)
    np.testing.assert_allclose(found, exact.min(axis=1), atol=6e-3)
    assert len(references.distances_within(1, groups)) == 0  # all of one group


def test_the_same_direction_is_kept_once_a_class() -> None:
    X = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    references, positions = choose_references(CLASSES, X, np.array([0, 0, 1, -1, 0]), list("abcde"))
    assert positions[:1].tolist() == [3]
    assert set(positions.tolist()) == {0, 2, 3, 4}
    assert references.y.tolist() == [-1, 0, 0, 1]


def test_beyond_the_limit_every_class_keeps_its_share() -> None:
    rng = np.random.default_rng(0)
    y = np.r_[np.full(500, -1), np.zeros(300, int), np.ones(20, int)]
    X = rng.normal(size=(len(y), 8))
    references, positions = choose_references(CLASSES, X, y, limit=120)
    assert np.bincount(references.y + 1).tolist() == [50, 50, 20]
    np.testing.assert_array_equal(y[positions], references.y)
    # not the first ones, nor of one end: a choice as good as drawn
    assert 100 < positions[references.y == -1].mean() < 400
    assert len(choose_references(CLASSES, X, y, limit=1)[1]) == 3


def test_the_order_of_the_images_plays_no_part() -> None:
    X, y = rows(n=300)
    paths = [f"{i}.jpg" for i in range(300)]
    order = np.random.default_rng(2).permutation(300)
    for limit in (10_000, 40):
        one, _ = choose_references(CLASSES, X, y, paths, limit)
        two, _ = choose_references(CLASSES, X[order], y[order], [paths[i] for i in order], limit)
        assert one.paths == two.paths
        np.testing.assert_array_equal(one.directions, two.directions)
        np.testing.assert_array_equal(one.y, two.y)


def test_numbers_of_any_size_and_rows_of_zeros_do_no_harm() -> None:
    X = np.array([[0.0, 0.0], [1e300, 1e300], [5e-324, 0.0], [-1.0, 0.0]])
    directions = as_directions(X)
    assert directions.tolist() == [[0, 0], [127, 127], [127, 0], [-127, 0]]
    references, _ = choose_references(CLASSES, X, np.array([0, 0, 1, 1]))
    (of_zeros, *_) = references.nearest(directions, 4)
    assert {near.distance for near in of_zeros} == {1.0}
    assert np.isfinite(references.class_distances(directions)).all()


def test_the_size_of_the_batch_plays_no_part() -> None:
    references, new = kept(), as_directions(rows(n=1500, seed=1)[0])
    at_once = references.nearest(new, 3)
    for i in (0, 700, 1499):
        assert references.nearest(new[i : i + 1], 3) == [at_once[i]]
    np.testing.assert_allclose(
        references.class_distances(new[1400:]), references.class_distances(new)[1400:], atol=1e-6
    )


def test_what_is_computed_from_the_references_is_not_pickled_with_them() -> None:
    references, new = kept(), as_directions(rows(n=5, seed=1)[0])
    size = len(pickle.dumps(references))
    expected = references.nearest(new, 3)
    assert len(pickle.dumps(references)) == size
    assert pickle.loads(pickle.dumps(references)).nearest(new, 3) == expected
