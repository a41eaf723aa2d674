"""Embeddings of a second backbone in one pool."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from outgroup import Pool
from outgroup.backbones import get_backbone
from outgroup.embeddings import Embedder
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.pool import Incoming, building

Some = Callable[..., Iterator[Incoming]]


@pytest.fixture
def second(bag: SimpleNamespace) -> Any:
    """A network that sees more, and has another digest."""
    return bag.QuickNetwork(digest="second", resize=40)


def expected(pool: Pool, network: Any) -> np.ndarray:
    images = pool.encoded(range(len(pool)))
    embedded = Embedder(network, progress=False).embed(images).layers["last"]
    return embedded.astype(np.float16).astype(np.float32)


def test_pool_has_embeddings_of_another_backbone(pool: Pool, second: Any) -> None:
    before = pool.features(range(30))["last"]
    assert pool.embed(second) == 30
    assert pool.embedded_by(second) == 30
    seen = pool.seen_by(second)
    np.testing.assert_array_equal(seen.features(range(30))["last"], expected(pool, second))
    np.testing.assert_array_equal(pool.features(range(30))["last"], before)
    assert seen.mapped("last").shape == (30, 48)
    assert sum(len(rows) for rows, _ in seen.chunks()) == 30
    assert seen.network() is second
    assert seen.encoded([3]) == pool.encoded([3])
    assert pool.verify().sound
    assert seen.verify().sound
    assert pool.embed(second) == 0


def test_own_backbone_needs_no_embedding(pool: Pool) -> None:
    assert pool.embed(pool.network()) == 0
    assert pool.seen_by(pool.network()) is pool


@pytest.mark.parametrize("backbone", [None, 7, "no-such-network"])
def test_anything_but_a_backbone_is_refused(pool: Pool, backbone: Any) -> None:
    for action in (pool.embed, pool.seen_by):
        with pytest.raises(InvalidParameterError, match="backbone"):
            action(backbone)


def test_later_images_are_embedded_by_another_run(pool: Pool, second: Any, some: Some) -> None:
    pool.embed(second)
    pool.add(some(40, 45, "more"))
    with pytest.raises(PoolError, match=r"30 of 35 images have embeddings of quick.*pool embed"):
        pool.seen_by(second)
    assert pool.embed(second) == 5
    seen = pool.seen_by(second)
    np.testing.assert_array_equal(seen.features(range(35))["last"], expected(pool, second))


def test_images_are_not_added_by_a_second_backbone(pool: Pool, second: Any, some: Some) -> None:
    pool.embed(second)
    with pytest.raises(PoolError, match="added with the backbone that the pool was made with"):
        pool.seen_by(second).add(some(40, 45))


def test_pool_with_another_backbone_can_be_pickled(pool: Pool, quick: str) -> None:
    network = get_backbone(quick)
    pool.embed(network)
    seen = pool.seen_by(network)
    again = pickle.loads(pickle.dumps(seen))
    np.testing.assert_array_equal(again.features([1])["last"], seen.features([1])["last"])
    assert pool.other_backbones() == {quick: 30}


@pytest.mark.parametrize("moment", range(1, 8))
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_kill_loses_nothing(
    pool: Pool, second: Any, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at the write to the disk of this number; SQLite's own come besides."""
    monkeypatch.setattr(building, "BATCH", 4)
    child = os.fork()
    if child == 0:
        fsync, calls = os.fsync, 0

        def dying(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls == 2 * moment:
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        os.fsync = dying
        Pool(pool.path).embed(second, progress=False)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    begun = pool.embedded_by(second)
    assert begun % 4 == 0
    assert pool.embed(second) == 30 - begun
    seen = pool.seen_by(second)
    np.testing.assert_array_equal(seen.features(range(30))["last"], expected(pool, second))
    assert pool.verify().n_problems == 0


def test_numbers_that_have_changed_are_found(pool: Pool, second: Any) -> None:
    pool.embed(second)
    path = pool.seen_by(second)._embeddings.files["last"].path
    with open(path, "r+b") as file:
        file.seek(128 + 4 * 48 * 2)
        file.write(np.float16(77).tobytes())
    found = pool.verify()
    assert [(p.row, Path(p.where)) for p in found.problems] == [(4, path.parent)]


def test_a_damaged_image_is_refused_until_it_is_in_quarantine(pool: Pool, second: Any) -> None:
    place = pool._index.places([7])[0]
    with open(pool._shards.path(place.shard), "r+b") as file:
        file.seek(place.start)
        file.write(bytes(place.length))
    with pytest.raises(PoolError, match="Image 7 of the pool is damaged"):
        pool.embed(second)
    pool.verify(repair=True)
    assert pool.embed(second) == 30
    assert not pool.seen_by(second).features([7])["last"].any()


def test_embedding_while_another_process_adds_is_refused(
    pool: Pool, second: Any, some: Some
) -> None:
    def meanwhile() -> Iterator[Incoming]:
        yield from some(40, 42)
        with pytest.raises(PoolError, match="another process is writing"):
            Pool(pool.path).embed(second)
        yield from some(42, 44)

    assert pool.add(meanwhile()).images == 4
