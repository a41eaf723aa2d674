from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from outgroup import Pool
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.pool import Incoming


def test_a_sample_has_the_shares_asked_for(pool: Pool) -> None:
    known = pool.features([3])["last"]
    sample = pool.sample(10, known, near=0.5, far=0.4, synthetic=0.1)
    assert sample.counts == {"near": 5, "far": 4, "synthetic": 1}
    assert len(sample) == len(sample.images()) == len(sample.arrays()) == 10
    assert len({*sample.rows.tolist()}) == 9
    assert sample.images()[-1].size == (224, 224)


def test_known_images_may_be_given_as_they_are(pool: Pool, bag: SimpleNamespace) -> None:
    sample = pool.sample(1, [bag.picture(3)], near=1.0, far=0.0, synthetic=0.0)
    assert sample.rows.tolist() == [3]


def test_far_ones_are_uniform_by_source(pool: Pool) -> None:
    sample = pool.sample(10, near=0.0, far=1.0, synthetic=0.0)
    assert Counter(r.source for r in pool.records(sample.rows)) == {"left": 5, "right": 5}
    only = pool.sample(5, near=0.0, far=1.0, synthetic=0.0, exclude=["left"])
    assert {r.source for r in pool.records(only.rows)} == {"right"}


def test_the_nearest_is_drawn_unless_it_is_in_quarantine(pool: Pool) -> None:
    known = pool.features([3])["last"]
    assert 3 in pool.sample(2, known, near=1.0, far=0.0, synthetic=0.0).rows
    pool.quarantine([3], "looks like a cat")
    assert 3 not in pool.sample(29, known, near=1.0, far=0.0, synthetic=0.0).rows


def test_the_same_seed_draws_the_same(pool: Pool) -> None:
    first, again, other = (pool.sample(12, seed=seed) for seed in (1, 1, 2))
    assert first.rows.tolist() == again.rows.tolist()
    assert np.array_equal(first.synthetic, again.synthetic)
    assert first.rows.tolist() != other.rows.tolist()


def test_a_pool_that_is_too_small_gives_all_it_has_and_says_so(pool: Pool) -> None:
    with pytest.warns(DataWarning, match="fewer than were asked for"):
        sample = pool.sample(50, near=0.0, far=1.0, synthetic=0.0)
    assert (len(sample), sample.missing) == (30, 20)


def test_near_ones_need_known_images_and_shares_a_sum(pool: Pool) -> None:
    with pytest.raises(InvalidParameterError, match="'known' parameter"):
        pool.sample(10, near=0.5, far=0.5)
    with pytest.raises(InvalidParameterError, match="add up to 1"):
        pool.sample(10, far=0.5)


def test_batches_of_images_get_images_of_the_pool(pool: Pool) -> None:
    batches = [(np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 1, 0, 1]))] * 5
    added = []
    for x, y in pool.mix(batches, ratio=1.5, n_classes=2):
        assert x.shape == (10, 32, 32, 3)
        assert y.tolist() == [0, 1, 0, 1, 2, 2, 2, 2, 2, 2]
        added += [row.tobytes() for row in x[4:]]
    assert len({*added}) == 30  # each image of the pool had its turn before any had a second


def test_batches_of_embeddings_get_embeddings(pool: Pool) -> None:
    width = pool.layers["last"]
    batches = [(np.zeros((2, width), np.float32), ["cat", "dog"])]
    ((x, y),) = pool.mix(batches, rows=[7, 8], layer="last", target="none")
    assert y == ["cat", "dog", None, None]
    expected = pool.features([7, 8])["last"]
    assert np.array_equal(np.sort(x[2:], axis=0), np.sort(expected, axis=0))


def test_what_is_in_quarantine_is_not_mixed_in(
    new_pool: Callable[..., Pool], some: Callable[..., Iterator[Incoming]]
) -> None:
    pool = new_pool()
    pool.add(some(0, 2))
    batches = [(np.zeros((1, pool.layers["last"]), np.float32), np.zeros(1, np.int64))] * 4
    pool.quarantine([0], "looks like a cat")
    for x, _ in pool.mix(batches, layer="last", n_classes=1):
        assert np.array_equal(x[1], pool.features([1])["last"][0])
    pool.quarantine([1], "looks like a cat")
    with pytest.raises(InvalidDataError, match="no image to draw"):
        pool.mix(batches, layer="last", n_classes=1)
