"""Images from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup.errors import InvalidDataError, InvalidParameterError, PoolSourceError
from outgroup.pool import Incoming
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def test_everything_an_image_can_be(png: PNG) -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    pillow = Image.new("RGB", (3, 3))
    whole = Incoming("x", source="s", origin="o", group="g")
    items = ["web/1.jpg", Path("web/2.jpg"), png(1), array, pillow, (png(2), "sofas"), whole]
    source = open_source(items)
    read = list(source)
    assert [i.image for i in read[2:5]] == [png(1), array, pillow]
    assert [i.source for i in read] == ["web", "web", "memory", "memory", "memory", "sofas", "s"]
    assert [i.origin for i in read[:2]] == ["web/1.jpg", "web/2.jpg"]
    assert read[6] is whole
    assert source.length() == 7
    assert source.restartable
    assert [i.origin for i in source] == [i.origin for i in read]


def test_name_is_the_source_of_all() -> None:
    items = ["a/1.jpg", (b"x", "s"), Incoming("x", source="s", origin="o", group="g")]
    read = list(open_source(items, name="mine"))
    assert [i.source for i in read] == ["mine"] * 3
    assert read[2].group == "g"


def test_images_in_memory_are_called_by_what_they_look_like(png: PNG) -> None:
    first = [i.origin for i in open_source([png(1), png(2)])]
    again = [i.origin for i in open_source([png(0), png(2), png(1)])]
    assert len(set(first)) == 2
    assert set(first) < set(again)


def test_rows_of_one_array_are_images() -> None:
    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    source = open_source(images)
    assert source.length() == 5
    read = list(source)
    assert np.array_equal(read[3].image, images[3])
    assert len({i.origin for i in read}) == 5


def test_generator_is_read_as_it_goes_and_once(png: PNG) -> None:
    made = []

    def images() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield png(number)

    source = open_source(images())
    assert source.length() is None
    assert not source.restartable
    assert made == []
    stream = iter(source)
    assert next(stream).image == png(0)
    assert made == [0]
    with pytest.raises(InvalidParameterError, match="iterator instead, which was read already"):
        list(source)


def test_exception_of_the_users_code_is_told_with_what_was_read(png: PNG) -> None:
    def images() -> Iterator[bytes]:
        yield png(1)
        yield png(2)
        raise KeyError("camera 3")

    read = []
    with pytest.raises(PoolSourceError, match="after 2 images with KeyError: 'camera 3'") as caught:
        read.extend(open_source(images()))
    assert len(read) == 2
    assert isinstance(caught.value.__cause__, KeyError)


def test_interrupt_is_not_caught(png: PNG) -> None:
    def images() -> Iterator[bytes]:
        yield png(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(open_source(images()))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"image": b"x"}, r"Item 1 is a dict.*such as \(item\['image'\] for"),
        (7, "Item 1 is a int"),
        ((b"x", 3), r"Item 1 is a tuple.*such as \(image for image, _ in"),
        (None, "Item 1 is a NoneType"),
    ],
)
def test_what_is_no_image_is_an_error(item: object, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        list(open_source([b"an image", item]))


def test_url_is_left_out_and_says_why() -> None:
    source = open_source(["https://a.example/1.jpg", "2.jpg"])
    assert [i.origin for i in source] == ["2.jpg"]
    assert "not downloaded" in source.skipped[0].reason


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match="There is no image in the iterable"):
        list(open_source([]))


def test_damaged_image_in_memory_has_an_origin_too() -> None:
    broken = Image.new("P", (2, 2))
    broken.load = lambda: (_ for _ in ()).throw(OSError("broken"))  # type: ignore[method-assign]
    assert [i.origin for i in open_source([broken])] == ["memory!image 0"]
