from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from outgroup import Pool
from outgroup.errors import InvalidDataError, InvalidParameterError, PoolSourceError
from outgroup.pool import Counts, Incoming

Some = Callable[..., Iterator[Incoming]]


def test_exact_copies_are_counted_and_not_added(
    new_pool: Callable[..., Pool], bag: SimpleNamespace, tmp_path: Path
) -> None:
    bag.picture(1).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    pool = new_pool()
    given = [
        Incoming(tmp_path / "a.png", "files", "a.png"),
        Incoming(data, "bytes", "b"),
        Incoming(data, "bytes", "c"),
        Incoming(bag.picture(2), "bytes", "d"),
    ]
    added = pool.add(given)
    assert (added.images, added.duplicates, added.seen) == (2, 2, 4)
    assert pool.counts() == {
        "bytes": Counts(kept=1, duplicates=2),
        "files": Counts(kept=1),
    }
    again = pool.add([Incoming(data, "later", "e")])
    assert (again.images, again.duplicates) == (0, 1)


def test_adding_again_changes_nothing_and_computes_nothing(
    bag: SimpleNamespace, tmp_path: Path
) -> None:
    bag.mixed_bag(tmp_path / "images", 60)
    network = bag.QuickNetwork()
    pool = Pool.create(tmp_path / "pool", network)
    first = pool.add(bag.incoming(tmp_path / "images"))
    before = list(pool), pool.counts(), network.images
    second = pool.add(bag.incoming(tmp_path / "images"))
    assert (list(pool), pool.counts(), network.images) == before
    assert (second.images, second.duplicates) == (0, 0)
    assert second.there == first.images + first.duplicates
    assert second.n_unreadable == first.n_unreadable == 6


def test_file_that_changed_is_added_and_one_that_was_touched_is_not(
    new_pool: Callable[..., Pool], bag: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    bag.picture(1).save(path)
    pool = new_pool()
    given = [Incoming(path, "files", "a.png")]
    pool.add(given)
    os.utime(path, ns=(1, 1))
    assert pool.add(given).there == 1
    bag.picture(2).save(path)
    assert pool.add(given).images == 1
    assert [record.origin for record in pool] == ["a.png", "a.png"]
    assert pool.counts() == {"files": Counts(kept=2)}


def test_files_that_are_no_images_are_counted_with_reasons(
    new_pool: Callable[..., Pool], some: Some, bag: SimpleNamespace, tmp_path: Path
) -> None:
    pool = new_pool()
    bad = [Incoming(b"text", "web", "a.txt"), Incoming(tmp_path / "none.jpg", "web", "none.jpg")]
    added = pool.add([*bad, *some(0, 2)])
    assert (added.images, added.n_unreadable) == (2, 2)
    found = [(u.origin, u.reason) for u in pool.unreadable()]
    assert found == [("a.txt", "not a supported image format"), ("none.jpg", "no such file")]
    assert [u.origin for u in added.unreadable] == ["a.txt", "none.jpg"]
    assert pool.counts()["web"] == Counts(unreadable=2)
    bag.picture(5).save(tmp_path / "none.jpg")
    assert pool.add(bad).images == 1
    assert pool.counts()["web"] == Counts(kept=1, unreadable=1)


def test_near_copies_share_a_group_and_others_do_not(
    new_pool: Callable[..., Pool], bag: SimpleNamespace
) -> None:
    big = bag.picture(1, 400, 300)
    given = [
        Incoming(big, "a", "original"),
        Incoming(bag.picture(2, 400, 300), "a", "another"),
        Incoming(big.resize((200, 150)), "b", "smaller"),
        Incoming(big.point(lambda v: int(v * 0.9)), "b", "darker"),
    ]
    pool = new_pool()
    added = pool.add(given)
    assert (added.images, added.near_duplicates) == (4, 2)
    groups = [record.group for record in pool]
    assert groups[0] == groups[2] == groups[3] is not None
    assert groups[1] is None
    assert [record.near for record in pool] == [None, None, 0, 0]
    assert pool.counts()["b"] == Counts(kept=2, near_duplicates=2)


def test_near_copies_join_their_groups(new_pool: Callable[..., Pool], bag: SimpleNamespace) -> None:
    def small(number: int) -> Image.Image:
        return bag.picture(number, 400, 300).resize((200, 150))

    given = [
        Incoming(bag.picture(1, 400, 300), "a", "1", group="x"),
        Incoming(bag.picture(2), "a", "2", group="x"),
        Incoming(bag.picture(3, 400, 300), "b", "3", group="y"),
        Incoming(bag.picture(4), "b", "4", group="x"),
        Incoming(small(1), "b", "5", group="y"),
        Incoming(small(3), "c", "6"),
    ]
    pool = new_pool()
    pool.add(given, batch=2)
    groups = [record.group for record in pool]
    assert groups == ["a/x", "a/x", "a/x", "b/x", "a/x", "a/x"]


def test_blank_frames_are_not_near_duplicates(new_pool: Callable[..., Pool]) -> None:
    pool = new_pool()
    frames = [Image.new("RGB", (60 + i, 50), (i, 255 - i, 90)) for i in range(40)]
    added = pool.add(Incoming(frame, "blank", str(i)) for i, frame in enumerate(frames))
    assert (added.images, added.near_duplicates) == (40, 0)
    assert {record.fingerprint for record in pool} == {None}


def test_same_hash_with_another_embedding_is_no_near_duplicate(
    new_pool: Callable[..., Pool],
) -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    red, cyan = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)
    red[..., 0], red[..., 1:] = ramp, 255 - ramp[..., None] // 4
    cyan[..., 1:], cyan[..., 0] = ramp[..., None], 255 - ramp // 4
    pool = new_pool()
    pool.add([Incoming(red, "a", "1"), Incoming(cyan, "a", "2")])
    one, other = pool[0].fingerprint, pool[1].fingerprint
    assert one is not None
    assert other is not None
    assert bin(one ^ other).count("1") <= 3
    assert pool[1].near is None


def test_names_that_are_not_unicode_are_stored_as_escapes(
    new_pool: Callable[..., Pool], bag: SimpleNamespace
) -> None:
    pool = new_pool()
    pool.add([Incoming(bag.picture(1), "caf\udce9", "caf\udce9\n.jpg", group="\udcff")])
    assert pool[0].source == "caf\\udce9"
    assert pool[0].origin == "caf\\udce9\n.jpg"


def test_empty_source_is_an_error(new_pool: Callable[..., Pool]) -> None:
    with pytest.raises(InvalidDataError, match="There is no image in the iterable"):
        new_pool().add([])


def test_what_a_source_gave_before_it_failed_is_kept(
    new_pool: Callable[..., Pool], some: Some
) -> None:
    def dying() -> Iterator[Incoming]:
        yield from some(0, 50)
        raise ConnectionError("the line is dead")

    pool = new_pool()
    with pytest.raises(PoolSourceError, match="broke off after 50 images with ConnectionError: th"):
        pool.add(dying())
    assert len(pool) == 50
    assert pool.add(some(0, 60)).images == 10
    assert pool.verify().sound


def test_items_that_are_no_images_are_refused_and_the_rest_is_kept(
    new_pool: Callable[..., Pool], some: Some
) -> None:
    pool = new_pool()
    with pytest.raises(InvalidDataError, match="Item 3 is a float"):
        pool.add([*some(0, 3), 4.0])
    assert len(pool) == 3
    with pytest.raises(InvalidParameterError, match="must be a path, bytes"):
        pool.add([*some(3, 6), Incoming(7, "made", "7")])  # type: ignore[arg-type]
    assert pool.verify().sound


def test_thousands_of_copies_between_two_images_are_counted(
    new_pool: Callable[..., Pool], bag: SimpleNamespace, tmp_path: Path
) -> None:
    bag.picture(1).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()

    def copies() -> Iterator[Incoming]:
        yield Incoming(bag.picture(2), "a", "first")
        for i in range(5000):
            yield Incoming(data, "a", f"copy {i}")
        yield Incoming(bag.picture(3), "a", "last")

    pool = new_pool()
    added = pool.add(copies())
    assert (added.images, added.duplicates) == (3, 4999)
    assert [record.origin for record in pool] == ["first", "copy 0", "last"]


def test_source_is_read_only_a_little_ahead(new_pool: Callable[..., Pool], some: Some) -> None:
    given = 0

    def counted() -> Iterator[Incoming]:
        nonlocal given
        for incoming in some(0, 2000):
            given += 1
            if given == 200:
                raise KeyboardInterrupt
            yield incoming

    pool = new_pool()
    with pytest.raises(KeyboardInterrupt):
        pool.add(counted(), batch=10)
    assert 0 < len(pool) < 200
    n = len(pool)
    assert pool.add(some(0, 200)).images == 200 - n
