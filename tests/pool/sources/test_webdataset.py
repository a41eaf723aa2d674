"""WebDataset: shards by pattern, and what is said beside an image."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from outgroup.errors import InvalidParameterError, PoolSourceError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def sample(key: str, png: bytes, **said: object) -> dict[str, bytes]:
    return {f"{key}.png": png, f"{key}.json": json.dumps(said).encode(), f"{key}.cls": b"7"}


def test_json_beside_an_image_tells_source_and_group(make_tar, png: PNG) -> None:
    path = make_tar(
        "shard.tar",
        {
            **sample("0001", png(1), source="sofas", group="film 3", url="x"),
            **sample("0002", png(2), group=4, source=None),
            "0003.png": png(3),
            "0003.txt": b"a caption",
        },
    )
    source = open_source(path)
    assert [(i.source, i.group) for i in source] == [
        ("sofas", "film 3"),
        ("shard", "4"),
        ("shard", None),
    ]
    assert source.n_skipped == 0


def test_json_counts_whether_it_comes_before_or_after(make_tar, png: PNG) -> None:
    early = {"1.json": b'{"group": "g"}', "1.jpg": png(1), "1.seg.png": png(2)}
    read = list(open_source(make_tar("a.tar", early)))
    assert [(i.origin.rpartition("!")[2], i.group) for i in read] == [
        ("1.jpg", "g"),
        ("1.seg.png", "g"),
    ]


def test_bad_json_costs_what_it_says_and_not_the_image(make_tar, png: PNG) -> None:
    source = open_source(
        make_tar(
            "a.tar",
            {
                "1.png": png(1),
                "1.json": b"{ not json",
                "2.png": png(2),
                "2.json": b"[" * 100_000,
                "3.png": png(3),
                "3.json": b'["a", "list"]',
                "4.json": b"{}",
            },
        )
    )
    assert [i.group for i in source] == [None, None, None]
    assert source.skipped_reasons == {
        "not JSON; what it says of its image is not known": 2,
        "no image, and beside none": 1,
    }


def test_frames_that_share_a_key_are_not_held_back_for_ever(make_tar, png: PNG) -> None:
    files = {f"film.{i:04}.png": png(i) for i in range(50)}
    stream = iter(open_source(make_tar("a.tar", files)))
    assert next(stream).image == png(0)
    assert [i.image for i in stream] == list(files.values())[1:]


def test_shards_are_one_collection_in_the_order_of_their_names(
    make_tar, png: PNG, tmp_path
) -> None:
    for shard in (2, 0, 1):
        make_tar(f"web-{shard:03}.tar", {f"{shard}{i}.png": png(10 * shard + i) for i in range(3)})
    source = open_source(f"{tmp_path}/web-{{000..002}}.tar")
    images = [png(10 * shard + i) for shard in range(3) for i in range(3)]
    assert [i.image for i in source] == images
    assert [i.image for i in source] == images
    assert {i.source for i in source} == {"web"}
    assert [i.image for i in open_source(f"{tmp_path}/web-*.tar")] == images
    assert len(list(open_source(f"{tmp_path}/web-{{000,002}}.tar"))) == 6


def test_missing_shard_is_named_before_anything_is_read(make_tar, png: PNG, tmp_path) -> None:
    make_tar("web-0.tar", {"1.png": png(1)})
    with pytest.raises(InvalidParameterError, match=r"2 of the 3 .* first '.*web-1\.tar'"):
        open_source(f"{tmp_path}/web-{{0..2}}.tar")


def test_broken_shard_costs_one_shard(make_tar, png: PNG, tmp_path) -> None:
    for shard in range(4):
        make_tar(f"web-{shard}.tar", {f"{shard}{i}.png": png(10 * shard + i) for i in range(3)})
    broken = tmp_path / "web-1.tar"
    broken.write_bytes(broken.read_bytes()[:700])
    source = open_source(f"{tmp_path}/web-{{0..3}}.tar")
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 9 images, and a part.*web-1\.tar"):
        read.extend(source)
    assert len(read) == 9
    assert {i.image for i in read} == {png(10 * s + i) for s in (0, 2, 3) for i in range(3)}


def test_when_all_is_gone_it_gives_up_early(tmp_path) -> None:
    for shard in range(200):
        (tmp_path / f"web-{shard:03}.tar").write_bytes(b"gone")
    with pytest.raises(PoolSourceError, match=r"20 parts.*Nothing more was tried after 20"):
        list(open_source(f"{tmp_path}/web-{{000..199}}.tar"))
