"""What is kept of a stream: the smallest ranks, a uniform sample, and what was seen."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.mining.memory import Seen, Smallest, StreamRows, keys_of, uniform_ranks


def ranked(n: int, seed: int = 0) -> tuple[np.ndarray, StreamRows]:
    rng = np.random.default_rng(seed)
    ranks = rng.integers(0, n // 2, n).astype(float)  # with ties
    keys = rng.permutation(10 * n)[:n].astype(np.uint64)
    names = np.array([f"{key}" for key in keys], dtype=object)
    return ranks, StreamRows(keys, names, {"last": rng.normal(size=(n, 3))})


def added(into: Smallest, of: tuple[np.ndarray, StreamRows], at: np.ndarray) -> Smallest:
    into.add(of[0][at], of[1].take(at))
    return into


def same(one: Smallest, other: Smallest) -> bool:
    return (
        (one.ranks == other.ranks).all()
        and (one.keys == other.keys).all()
        and (one.rows.names == other.rows.names).all()
        and (one.rows.features["last"] == other.rows.features["last"]).all()
    )


def random_keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)


def test_the_smallest_ranks_are_kept_with_their_rows() -> None:
    ranks, rows = ranked(200)
    kept = added(Smallest(30), (ranks, rows), np.arange(200))
    expected = rows.take(np.lexsort((rows.keys, ranks))[:30])
    assert (kept.keys == expected.keys).all()
    assert (kept.rows.names == expected.names).all()
    assert (kept.rows.features["last"] == expected.features["last"]).all()


@pytest.mark.parametrize("seed", range(5))
def test_order_batches_and_workers_do_not_matter(seed: int) -> None:
    of = ranked(200)
    at_once = added(Smallest(30), of, np.arange(200))
    order = np.random.default_rng(seed).permutation(200)
    workers = [Smallest(30) for _ in range(3)]
    for i, part in enumerate(np.array_split(order, 12)):
        added(workers[i % 3], of, part)
    merged = Smallest(30)
    for worker in workers[::-1]:
        merged.merge(worker)
    assert same(at_once, merged)


def test_a_key_is_kept_once() -> None:
    of = ranked(20)
    kept = added(added(Smallest(30), of, np.arange(20)), of, np.arange(5, 15))
    assert len(kept) == 20 == len({*kept.keys.tolist()})
    assert same(kept, added(Smallest(30), of, np.arange(20)))


def test_a_capacity_of_zero_keeps_nothing() -> None:
    kept = added(Smallest(0), ranked(10), np.arange(10))
    kept.merge(added(Smallest(3), ranked(10), np.arange(10)))
    assert len(kept) == 0


def test_dropped_rows_make_room_for_others() -> None:
    of = ranked(20)
    kept = added(Smallest(10), of, np.arange(20))
    first = kept.keys[:4].copy()
    kept.drop(first)
    assert len(kept) == 6
    assert not np.isin(first, kept.keys).any()
    assert len(added(kept, of, np.arange(20))) == 10


def test_the_sample_is_uniform_over_the_stream() -> None:
    n, capacity, runs = 1000, 100, 200
    counts = np.zeros(n)
    keys = np.arange(n, dtype=np.uint64) * np.uint64(977)
    rows = StreamRows(keys, np.full(n, None), {"i": np.arange(n)[:, None]})
    for seed in range(runs):
        kept = Smallest(capacity)
        for part in np.array_split(np.arange(n), 7):
            kept.add(uniform_ranks(keys[part], seed), rows.take(part))
        counts[kept.rows.features["i"][:, 0]] += 1
    expected = runs * capacity / n
    chi_square = ((counts - expected) ** 2 / expected).sum() / (1 - capacity / n)
    assert abs(chi_square - (n - 1)) < 4 * np.sqrt(2 * n)


def test_the_uniform_ranks_of_a_seed_stay_the_same() -> None:
    ranks = uniform_ranks(np.array([1, 2], np.uint64), 0)
    assert ranks.round(3).tolist() == [0.567, 0.591]


def test_an_old_key_is_never_taken_for_a_new_one() -> None:
    seen, keys = Seen(20_000), random_keys(10_000)
    assert seen.add(np.array([5, 7, 5], np.uint64)).tolist() == [True, True, False]
    seen.add(keys)
    assert not seen.add(keys[::-1]).any()


def test_few_new_keys_are_taken_for_old_ones() -> None:
    seen, keys = Seen(20_000), random_keys(20_000)
    new = np.concatenate([seen.add(part) for part in np.split(keys[:19_000], 19)])
    assert new.mean() > 1 - 1 / 120


def test_the_generation_before_the_present_one_is_remembered() -> None:
    seen, keys = Seen(1000), random_keys(1900)
    for part in np.split(keys, 19):
        seen.add(part)
    assert not seen.add(keys[-1000:]).any()


def test_memory_does_not_grow_with_the_stream() -> None:
    seen = Seen(1000)
    before = seen.present.nbytes + seen.previous.nbytes
    for seed in range(50):
        seen.add(random_keys(500, seed))
    assert seen.present.nbytes + seen.previous.nbytes == before == 2 * 1251


def test_copies_have_one_key_and_no_other_image_has_it() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    keys = keys_of({"last": rows})
    assert len(np.unique(keys)) == 50
    assert (keys_of({"last": rows[::-1]}) == keys[::-1]).all()
    assert (keys_of({"last": rows.astype(np.float64)}) == keys).all()
    rows[0] = 0.0
    assert keys_of({"last": rows[:1]}) == keys_of({"last": -rows[:1]})


def test_no_rows_have_no_keys() -> None:
    keys = keys_of({"last": np.empty((0, 4), np.float32)})
    assert keys.shape == (0,)
    assert Seen(10).add(keys).shape == (0,)
