from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup import Pool
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.pool.sampling import Chunk, Drawn, KindCounts, draw, shares

D = 16
SOURCES = ("big", "middle", "small", "tiny")
SIZES = (600, 250, 60, 5)


class World:
    """A pool of four sources, with some copies, and known rows."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        n = sum(SIZES)
        self.known = rng.normal(size=(20, D)) + 3 * np.eye(D)[0]
        self.features = rng.normal(size=(n, D)).astype(np.float16)
        self.features[100:140] = self.features[100]
        self.rows = rng.permutation(10 * n)[:n].astype(np.int64)
        self.sources = np.repeat(SOURCES, SIZES)

    def chunks(self, order: np.ndarray | None = None, size: int = 10_000) -> Iterator[Chunk]:
        order = np.arange(len(self.rows)) if order is None else order
        for start in range(0, len(order), size):
            part = order[start : start + size]
            yield Chunk(self.rows[part], self.features[part], self.sources[part].tolist())

    def source(self, rows: np.ndarray) -> list[str]:
        names = dict(zip(self.rows.tolist(), self.sources.tolist(), strict=True))
        return [names[row] for row in rows.tolist()]

    def nearness(self, rows: np.ndarray) -> np.ndarray:
        place = {row: i for i, row in enumerate(self.rows.tolist())}
        features = self.features[[place[row] for row in rows.tolist()]].astype(float)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        known = self.known / np.linalg.norm(self.known, axis=1, keepdims=True)
        return (features @ known.T).max(axis=1)


WORLD = World()


def of_kind(drawn: Drawn, kind: str) -> np.ndarray:
    return drawn.rows[np.array(drawn.why) == kind]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 1000),
    near=st.integers(0, 60),
    far=st.integers(0, 300),
    order=st.randoms(use_true_random=False),
)
def test_order_and_chunks_of_the_pool_do_not_matter(
    seed: int, size: int, near: int, far: int, order: object
) -> None:
    whole = draw(WORLD.chunks(), WORLD.known, near=near, far=far, seed=seed)
    places = list(range(len(WORLD.rows)))
    order.shuffle(places)  # type: ignore[attr-defined]
    chunks = WORLD.chunks(np.array(places), size)
    mixed = draw(chunks, WORLD.known[::-1], near=near, far=far, seed=seed)
    np.testing.assert_array_equal(mixed.rows, whole.rows)
    assert whole.why == ("near",) * near + ("far",) * far
    assert whole.missing == 0
    assert len({*whole.rows.tolist()}) == near + far


def test_another_seed_draws_others() -> None:
    first, second = (
        of_kind(draw(WORLD.chunks(), WORLD.known, near=0, far=50, seed=seed), "far")
        for seed in (0, 1)
    )
    assert len({*first.tolist()} & {*second.tolist()}) < 25


@pytest.mark.parametrize("far", [1, 2, 3, 4, 17, 20, 40, 100, 400])
def test_each_source_gives_equally_many_as_far_as_it_lasts(far: int) -> None:
    rows = draw(WORLD.chunks(size=7), near=0, far=far).rows
    counts = Counter(WORLD.source(rows))
    assert sum(counts.values()) == far
    most = max(counts.values())
    for name, there in zip(SOURCES, SIZES, strict=True):
        assert counts[name] in {most, most - 1} or counts[name] == there


def test_no_source_is_preferred_where_there_are_more_of_them_than_rows() -> None:
    chunk = Chunk(np.arange(400), np.ones((400, 2)), [f"s{i % 40}" for i in range(400)])
    counts: Counter[int] = Counter()
    for seed in range(200):
        rows = draw([chunk], near=0, far=10, seed=seed).rows
        assert len({*(rows % 40).tolist()}) == 10
        counts.update((rows % 40).tolist())
    # 2,000 draws over 40 sources: 50 each, with a standard deviation of 6
    assert min(counts.values()) > 25
    assert max(counts.values()) < 80


def test_rows_of_a_source_are_drawn_uniformly() -> None:
    chunk = Chunk(np.arange(50), np.ones((50, 2)), ["one"] * 50)
    counts = Counter(
        row for seed in range(400) for row in draw([chunk], near=0, far=10, seed=seed).rows.tolist()
    )
    # 4,000 draws over 50 rows: 80 each, with a standard deviation of 8
    assert len(counts) == 50
    assert min(counts.values()) > 45
    assert max(counts.values()) < 115


def test_near_rows_are_near_and_the_first_is_the_nearest() -> None:
    near = of_kind(draw(WORLD.chunks(), WORLD.known, near=30, far=0), "near")
    every = np.sort(WORLD.nearness(WORLD.rows))[::-1]
    nearness = WORLD.nearness(near)
    assert nearness[0] == pytest.approx(every[0], abs=1e-3)
    assert nearness.min() >= every[8 * 30] - 1e-3
    assert nearness.mean() > every[len(every) // 10]


def test_frames_of_one_scene_are_drawn_once() -> None:
    rng = np.random.default_rng(1)
    known = np.eye(D)[:1]
    sofa = np.eye(D)[0] * 3 + rng.normal(size=D)
    frames = sofa + rng.normal(0, 0.01, (40, D))
    others = np.eye(D)[0] * 2 + rng.normal(size=(60, D))
    features = np.vstack([frames, others])
    chunk = Chunk(np.arange(100), features, ["video"] * 40 + ["web"] * 60)
    drawn = draw([chunk], known, near=30, far=0)
    assert (drawn.rows < 40).sum() == 1
    cosine = features @ known[0] / np.linalg.norm(features, axis=1)
    assert (np.argsort(-cosine)[:30] < 40).sum() > 10  # which the nearest alone would be
    # where there is nothing else they are taken after all
    assert len(draw([chunk], known, near=90, far=0).rows) == 90


def test_near_rows_are_not_drawn_a_second_time_as_far_ones() -> None:
    n = len(WORLD.rows)
    drawn = draw(WORLD.chunks(size=50), WORLD.known, near=n // 2, far=n - n // 2)
    assert sorted(drawn.rows.tolist()) == sorted(WORLD.rows.tolist())


def test_excluded_sources_never_come() -> None:
    chunk = Chunk(WORLD.rows, WORLD.features, WORLD.sources.tolist())
    left = {*WORLD.rows[WORLD.sources != "big"].tolist()}
    options: dict[str, list[str]] = {"exclude": ["big", "no such source"]}
    with pytest.warns(DataWarning, match=f"The pool has {len(left)} rows that may be drawn"):
        drawn = draw([chunk], WORLD.known, near=100, far=1000, **options)
    assert {*drawn.rows.tolist()} == left
    few = draw([chunk], WORLD.known, near=20, far=20, **options)
    assert {*few.rows.tolist()} < left


def test_all_rows_are_drawn_with_a_warning_if_there_are_too_few() -> None:
    chunk = Chunk(np.arange(7), np.eye(7), ["a"] * 7)
    with pytest.warns(DataWarning, match="7 rows that may be drawn, 5 fewer than were asked"):
        drawn = draw([chunk], np.eye(7)[:2], near=4, far=8)
    assert sorted(drawn.rows.tolist()) == [*range(7)]
    assert drawn.missing == 5
    assert drawn.why == ("far",) * 7  # those are drawn first
    with pytest.warns(DataWarning, match="0 rows"):
        assert len(draw([], near=0, far=3).rows) == 0
    assert len(draw([], near=0, far=0).rows) == 0


def test_memory_does_not_grow_with_the_pool() -> None:
    def pool(n: int) -> Iterator[Chunk]:
        for start in range(0, n, 1000):
            rng = np.random.default_rng(start)
            features = rng.normal(size=(1000, D)).astype(np.float16)
            yield Chunk(np.arange(start, start + 1000), features, [str(start % 7)] * 1000)

    def peak(n: int) -> int:
        tracemalloc.start()
        try:
            draw(pool(n), WORLD.known, near=50, far=50)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2000)
    assert peak(80_000) < 1.2 * peak(20_000)


def test_length_of_embeddings_does_not_matter() -> None:
    chunks = [
        Chunk(chunk.rows, chunk.features.astype(np.float64) * 1e6, chunk.sources)
        for chunk in WORLD.chunks()
    ]
    scaled = draw(chunks, WORLD.known * 1e-6, near=30, far=0).rows
    np.testing.assert_array_equal(scaled, draw(WORLD.chunks(), WORLD.known, near=30, far=0).rows)


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (Chunk(np.arange(2), np.ones((2, D + 1)), ["a", "b"]), "rows of the same length"),
        (Chunk(np.arange(2), np.ones((3, D)), ["a", "b"]), "as many features"),
        (Chunk(np.arange(2), np.ones((2, D)), ["a"]), "as many features"),
        (Chunk(np.arange(2) / 2, np.ones((2, D)), ["a", "b"]), "whole numbers"),  # type: ignore
        (Chunk(np.arange(2), np.full((2, D), np.nan), ["a", "b"]), "finite"),
        (Chunk(np.zeros(2, np.int64), np.ones((2, D)), ["a", "b"]), "came twice"),
    ],
)
def test_chunk_that_does_not_fit_is_refused(chunk: Chunk, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        draw([chunk], WORLD.known, near=2, far=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"near": -1}, "Invalid `near`: must be a whole number from 0 up, got -1"),
        ({"far": 1.5}, "Invalid `far`: must be a whole number"),
        ({"seed": None}, "Invalid `seed`"),
        ({"known": None}, "Invalid `known`: must be embeddings .* got None"),
        ({"known": np.ones(3)}, "Invalid `known`: must be embeddings"),
        ({"known": np.empty((0, D))}, "Invalid `known`: must be embeddings"),
        ({"known": [["a"]]}, "Invalid `known`: must be embeddings"),
        ({"exclude": "big"}, "Invalid `exclude`: must be a list"),
        ({"exclude": [3]}, "Invalid `exclude`: must be a list"),
    ],
)
def test_invalid_parameter_is_named(options: dict[str, object], message: str) -> None:
    given = {"known": WORLD.known, "near": 1, "far": 1, **options}
    with pytest.raises(InvalidParameterError, match=message):
        draw(WORLD.chunks(), **given)  # type: ignore[arg-type]


@given(
    n=st.integers(0, 5000),
    parts=st.tuples(*[st.integers(0, 100)] * 3).filter(lambda parts: sum(parts) > 0),
)
def test_shares_make_up_the_number(n: int, parts: tuple[int, int, int]) -> None:
    given = [part / sum(parts) for part in parts]
    counts = shares(n, *given)
    assert sum(counts) == n
    assert all(abs(k - n * s) < 1 + 1e-5 for k, s in zip(counts, given, strict=True))
    assert all(k == 0 for k, s in zip(counts, given, strict=True) if s == 0)


def test_shares_are_rounded_by_the_largest_remainder() -> None:
    assert shares(10) == KindCounts(near=5, far=4, synthetic=1)
    assert shares(11, 0.5, 0.3, 0.2) == (6, 3, 2)
    assert shares(0) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "Invalid `n`"),
        ({"near": 1.2}, "Invalid `near`: must be a share from 0 to 1, got 1.2"),
        ({"far": float("nan")}, "Invalid `far`"),
        ({"synthetic": True}, "Invalid `synthetic`"),
        ({"near": 0.2}, "must add up to 1, got 0.2"),
    ],
)
def test_invalid_share_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        shares(**{"n": 10, **options})  # type: ignore[arg-type]


# samples of a pool


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


def test_small_pool_gives_all_it_has_with_a_warning(pool: Pool) -> None:
    with pytest.warns(DataWarning, match="fewer than were asked for"):
        sample = pool.sample(50, near=0.0, far=1.0, synthetic=0.0)
    assert (len(sample), sample.missing) == (30, 20)


def test_near_ones_need_known_images_and_shares_add_up(pool: Pool) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `known`"):
        pool.sample(10, near=0.5, far=0.5)
    with pytest.raises(InvalidParameterError, match="add up to 1"):
        pool.sample(10, far=0.5)
