import numpy as np
import pytest

from outgroup.mining.smallest import Smallest, uniform_ranks


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, dict, list]:
    rng = np.random.default_rng(seed)
    ranks = rng.integers(0, n // 2, n).astype(float)  # with ties
    keys = rng.permutation(10 * n)[:n].astype(np.uint64)
    return ranks, keys, {"last": rng.normal(size=(n, 3))}, [f"{k}" for k in keys]


def added(into: Smallest, of: tuple, at: np.ndarray) -> Smallest:
    ranks, keys, features, names = of
    into.add(ranks[at], keys[at], {"last": features["last"][at]}, [names[i] for i in at])
    return into


def same(one: Smallest, other: Smallest) -> bool:
    return (
        (one.ranks == other.ranks).all()
        and (one.keys == other.keys).all()
        and one.names == other.names
        and (one.features["last"] == other.features["last"]).all()
    )


def test_the_smallest_are_kept_with_their_rows() -> None:
    of = rows(200)
    kept = added(Smallest(30), of, np.arange(200))
    expected = np.lexsort((of[1], of[0]))[:30]
    assert (kept.keys == of[1][expected]).all()
    assert (kept.features["last"] == of[2]["last"][expected]).all()
    assert kept.names == [of[3][i] for i in expected]


@pytest.mark.parametrize("seed", range(5))
def test_order_batches_and_workers_do_not_matter(seed: int) -> None:
    of = rows(200)
    at_once = added(Smallest(30), of, np.arange(200))
    order = np.random.default_rng(seed).permutation(200)
    workers = [Smallest(30) for _ in range(3)]
    for i, part in enumerate(np.array_split(order, 12)):
        added(workers[i % 3], of, part)
    merged = Smallest(30)
    for worker in workers[::-1]:
        merged.merge(worker)
    assert same(at_once, merged)


def test_one_key_is_kept_once() -> None:
    of = rows(20)
    kept = added(added(Smallest(30), of, np.arange(20)), of, np.arange(5, 15))
    assert len(kept) == 20 == len({*kept.keys.tolist()})
    assert same(kept, added(Smallest(30), of, np.arange(20)))


def test_none_may_be_kept() -> None:
    kept = added(Smallest(0), rows(10), np.arange(10))
    kept.merge(added(Smallest(3), rows(10), np.arange(10)))
    assert len(kept) == 0


def test_the_sample_is_uniform_over_the_stream() -> None:
    n, capacity, runs = 1000, 100, 200
    counts = np.zeros(n)
    keys = np.arange(n, dtype=np.uint64) * np.uint64(977)
    for seed in range(runs):
        kept = Smallest(capacity)
        for part in np.array_split(np.arange(n), 7):
            kept.add(uniform_ranks(keys[part], seed), keys[part], {"i": part[:, None]}, [""] * n)
        counts[kept.features["i"][:, 0]] += 1
    expected = runs * capacity / n
    chi_square = ((counts - expected) ** 2 / expected).sum() / (1 - capacity / n)
    assert abs(chi_square - (n - 1)) < 4 * np.sqrt(2 * n)
