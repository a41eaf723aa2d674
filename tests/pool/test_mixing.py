from __future__ import annotations

import itertools
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from outgroup import Pool
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool import Incoming
from outgroup.pool.mixing import Mixer, mix

RNG = np.random.default_rng(0)
#: Rows that tell which negative they are: all their numbers are its place, from 1000.
NEGATIVES = np.repeat(np.arange(1000.0, 1030.0)[:, np.newaxis], 5, axis=1)


def embeddings(*sizes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (RNG.normal(size=(n, 5)).astype(np.float32), np.arange(n, dtype=np.int16) % 3)
        for n in sizes
    ]


def images(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def added(batches: Any, sizes: Any) -> list[list[int]]:
    """Return which negatives came behind the rows of each batch."""
    return [
        (x[n:, 0] - 1000).astype(int).tolist() for (x, *_), n in zip(batches, sizes, strict=True)
    ]


def test_rows_stay_and_negatives_come_after_them() -> None:
    batches = embeddings(8, 4, 3)
    for (x, y), (mixed, labels) in zip(batches, mix(batches, NEGATIVES, n_classes=3), strict=True):
        n = len(x)
        np.testing.assert_array_equal(mixed[:n], x)
        np.testing.assert_array_equal(labels[:n], y)
        assert mixed.dtype == np.float32
        assert labels.dtype == np.int16
        assert set(mixed[n:, 0]) <= set(NEGATIVES[:, 0])
        assert labels[n:].tolist() == [3] * n


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0, 1.5, 3.0])
def test_ratio_holds_over_the_batches(ratio: float) -> None:
    sizes = [7, 1, 3, 10, 1, 1, 5]
    seen = total = 0
    for n, (x, _) in zip(
        sizes, mix(embeddings(*sizes), NEGATIVES, ratio, n_classes=3), strict=True
    ):
        seen, total = seen + n, total + len(x) - n
        assert abs(total - ratio * seen) <= 0.5


def test_fresh_negatives_repeat_only_when_all_have_been_drawn() -> None:
    sizes = [8] * 30
    mixed = mix(embeddings(*sizes), NEGATIVES, n_classes=3)
    drawn = added(mixed, sizes)
    assert all(len({*batch}) == 8 for batch in drawn)
    stream = list(itertools.chain(*drawn))
    for start in range(0, 240, 30):
        assert sorted(stream[start : start + 30]) == [*range(30)]
    assert stream[:30] != stream[30:60]
    # the next epoch goes on, with other negatives in the same places
    assert added(mixed, sizes) != drawn


def test_negatives_repeat_equally_often_if_there_are_too_few() -> None:
    ((x, _),) = mix(embeddings(8), NEGATIVES[:3], ratio=2.0, n_classes=3)
    assert sorted(Counter(x[8:, 0].tolist()).values()) == [5, 5, 6]


def test_fixed_negatives_are_the_same_in_every_batch() -> None:
    sizes = [8, 8, 3, 12]
    mixed = mix(embeddings(*sizes), NEGATIVES, fresh=False, n_classes=3)
    first, second, few, many = added(mixed, sizes)
    assert first == second
    assert few == first[:3]
    assert many[:8] == first
    assert len({*many}) == 12
    assert added(mixed, sizes) == [first, second, few, many]


def test_seed_decides_which_negatives_are_added() -> None:
    sizes = [8, 8]
    batches = embeddings(*sizes)
    one, again, two = (
        added(mix(batches, NEGATIVES, n_classes=3, seed=seed), sizes) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != two


def test_iterators_are_read_once_and_not_ahead() -> None:
    pulled = []

    def forever() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in itertools.count():
            pulled.append(i)
            yield embeddings(4)[0]

    mixed = mix(forever(), NEGATIVES, n_classes=3)
    assert [len(x) for x, _ in itertools.islice(mixed, 5)] == [8] * 5
    assert pulled == [*range(5)]
    with pytest.raises(TypeError, match="len"):
        len(mixed)


def test_length_is_that_of_the_batches() -> None:
    mixed = mix(embeddings(4, 4, 2), NEGATIVES, n_classes=3)
    assert len(mixed) == 3
    assert len(list(mixed)) == len(list(mixed)) == 3


def test_batch_comes_in_the_types_it_was_in() -> None:
    x, y = embeddings(2)[0]
    weights = np.array([0.5, 2.0], dtype=np.float32)
    mixer = Mixer(NEGATIVES, n_classes=3)
    assert isinstance(mixer((x, y)), tuple)
    assert isinstance(mixer([x, y]), list)
    _, _, weighted = mixer((x, y, weights))
    assert weighted.dtype == np.float32
    assert weighted.tolist() == [0.5, 2.0, 1.0, 1.0]
    assert mixer((x, y, [0.5, 2.0]))[2] == [0.5, 2.0, 1.0, 1.0]
    batch = (x, y)
    assert Mixer(NEGATIVES, ratio=0, n_classes=3)(batch) is batch


# labels


def labels_of(y: Any, n: int = 2, **options: Any) -> Any:
    return Mixer(NEGATIVES, ratio=n / len(y), **options)((np.zeros((len(y), 5)), y))[1]


def test_names_are_neither_cut_off_nor_turned_into_numbers() -> None:
    names = labels_of(np.array(["cat", "dog"]), target="none")
    assert names.tolist() == ["cat", "dog", None, None]
    assert names.dtype == object
    assert labels_of(["cat", "giraffe"], target="none") == ["cat", "giraffe", None, None]
    assert labels_of(("cat",), target="none") == ("cat", None, None)
    assert labels_of(np.array([4, 7]), target="none").tolist() == [4, 7, None, None]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_rows_of_zeros_keep_the_type_of_one_hot_rows(dtype: type) -> None:
    rows = labels_of(np.eye(3, dtype=dtype)[[2, 0]], target="zeros")
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_one_hot_rows_with_a_column_for_others_get_a_one_there() -> None:
    rows = labels_of(np.eye(4, dtype=np.float32)[[2, 0]], n_classes=3)
    assert rows.dtype == np.float32
    assert rows.argmax(axis=1).tolist() == [2, 0, 3, 3]
    assert rows.sum() == 4


def test_index_is_one_after_the_last_class() -> None:
    assert labels_of([0, 2], n_classes=3) == [0, 2, 3, 3]
    floats = labels_of(np.array([0.0, 2.0]), n_classes=3)
    assert (floats.tolist(), floats.dtype) == ([0, 2, 3, 3], np.float64)
    assert labels_of(np.array([-100, 1]), n_classes=3).tolist() == [-100, 1, 3, 3]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.array([0, 3]), {"n_classes": 3}, "go up to 3, and with n_classes=3 the last .* is 2"),
        ([0, 5], {"n_classes": 3}, "go up to 5"),
        (np.array([0, 1], np.int8), {"n_classes": 200}, "int8 can't hold 200"),
        (np.array(["a", "b"]), {"n_classes": 3}, "whole numbers .* Got <U1. Give target='none'"),
        (["a", "b"], {"n_classes": 3}, "whole numbers"),
        (np.array([True, False]), {"n_classes": 3}, "whole numbers"),
        (np.eye(3)[:2], {"n_classes": 3}, "must have 4 columns.* Got 3"),
        (np.array([0, 1]), {"target": "zeros"}, r"one-hot or multi-hot.*shape \(2,\)"),
        (np.eye(4)[:2], {"target": "zeros", "n_classes": 3}, "3 columns, one a class"),
        ("ab", {"target": "none"}, "Labels must be a list"),
    ],
)
def test_labels_that_do_not_fit_the_target_are_refused(
    y: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        labels_of(y, **options)


# images


def test_images_are_resized_and_cropped_at_the_centre() -> None:
    """A quarter is cut off at both sides of a wide negative; what is left is resized."""
    wide = np.zeros((60, 120, 3), np.uint8)
    wide[:, 30:60] = (200, 10, 10)
    wide[:, 60:90] = (10, 10, 200)
    x, _ = Mixer([wide], n_classes=1)((images(1, 20, 20, 3), np.array([0])))
    negative = x[1].astype(int)
    # the filter blurs a pixel or so around each edge
    assert np.abs(negative[:, 2:8] - (200, 10, 10)).max() <= 1
    assert np.abs(negative[:, 12:18] - (10, 10, 200)).max() <= 1


def test_images_of_the_right_size_stay_as_they_are() -> None:
    negatives = images(4, 16, 16, 3)
    x, _ = Mixer(negatives, ratio=4, n_classes=1)((images(1, 16, 16, 3), np.array([0])))
    assert {image.tobytes() for image in x[1:]} == {image.tobytes() for image in negatives}


@pytest.mark.parametrize("shape", [(3, 12, 16), (12, 16, 3), (1, 12, 16), (12, 16, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.float16])
def test_layout_and_scale_are_those_of_the_batch(shape: tuple[int, ...], dtype: type) -> None:
    red = np.zeros((5, 30, 30, 3), np.uint8)
    red[..., 0] = 255
    full = 255 if dtype == np.uint8 else 1
    batch = np.full((2, *shape), full, dtype)
    x, _ = Mixer(red, n_classes=1)((batch, np.array([0, 0])))
    assert x.shape == (4, *shape)
    assert x.dtype == dtype
    negative = x[2] if shape[-1] in (1, 3) else x[2].transpose(1, 2, 0)
    if negative.shape[2] == 3:
        expected = np.broadcast_to([full, 0, 0], (12, 16, 3))
    else:  # the brightness of red, by ITU-R 601
        expected = np.full((12, 16, 1), 0.299 * full)
    np.testing.assert_allclose(negative.astype(float), expected, atol=0.005 * full)


def test_layout_can_be_given_if_the_shape_leaves_it_open() -> None:
    blue = np.zeros((1, 3, 3, 3), np.uint8)
    blue[..., 2] = 200
    batch = (np.ones((1, 3, 5, 3), np.float32), np.array([0]))
    last, _ = Mixer(blue, n_classes=1)(batch)
    first, _ = Mixer(blue, n_classes=1, layout="NCHW")(batch)
    assert last[1, 0, 0].tolist() == pytest.approx([0, 0, 200 / 255])
    assert first[1, :, 0, 0].tolist() == pytest.approx([0, 0, 200 / 255])


def test_grey_and_transparent_negatives_are_taken() -> None:
    grey = np.full((9, 7), 100, np.uint8)
    clear = np.concatenate([np.full((5, 5, 3), 50), np.zeros((5, 5, 1))], axis=2).astype(np.uint8)
    x, _ = Mixer([grey, clear], ratio=2, n_classes=1)((images(1, 8, 8, 3), np.array([0])))
    assert {int(value) for value in x[1:, 4, 4, 0]} == {100, 50}


MEAN, STD = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])


def test_normalised_batches_need_the_transform_and_get_it() -> None:
    negatives = images(6, 10, 10, 3)
    batch = (((images(2, 10, 10, 3) / 255 - MEAN) / STD).astype(np.float32), np.array([0, 0]))
    with pytest.raises(InvalidDataError, match=r"values from -.* Give the same as 'transform'"):
        Mixer(negatives, n_classes=1)(batch)
    wanted = {((image / 255 - MEAN) / STD).astype(np.float32).tobytes() for image in negatives}
    mixer = Mixer(negatives, n_classes=1, transform=lambda images: (images / 255 - MEAN) / STD)
    x, _ = mixer(batch)
    assert {image.tobytes() for image in x[2:]} <= wanted
    first = (batch[0].transpose(0, 3, 1, 2), batch[1])
    x, _ = mixer(first)
    assert {image.transpose(1, 2, 0).tobytes() for image in x[2:]} <= wanted


def test_bytes_in_floats_are_no_floats_from_0_to_1() -> None:
    batch = (images(2, 10, 10, 3).astype(np.float32), np.array([0, 0]))
    with pytest.raises(InvalidDataError, match="neither bytes nor floats from 0 to 1"):
        Mixer(images(3, 10, 10, 3), n_classes=1)(batch)


def test_transform_that_returns_something_else_is_refused() -> None:
    mixer = Mixer(images(3, 9, 9, 3), n_classes=1, transform=lambda images: images[:, :4])
    with pytest.raises(InvalidDataError, match=r"'transform' must return .* Got \(2, 4, 9, 3\)"):
        mixer((np.zeros((2, 9, 9, 3)), np.array([0, 0])))


@pytest.mark.parametrize(
    ("x", "negatives", "message"),
    [
        (np.zeros((2, 5)), np.zeros((3, 6)), r"same row shape \(5,\). Got float64 of shape"),
        (np.zeros((2, 5)), images(3, 9, 9, 3), "give embeddings by the same backbone"),
        (np.zeros((2, 9, 9, 3)), np.zeros((3, 5)), "must be uint8 images"),
        (np.zeros((2, 9, 9, 3)), np.zeros((3, 8, 8, 3)), "must be uint8 images"),
        (np.zeros((2, 9, 9, 4)), images(3, 8, 8, 3), "one or three channels"),
    ],
)
def test_negatives_that_cannot_be_made_to_fit_are_refused(
    x: np.ndarray, negatives: np.ndarray, message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        Mixer(negatives, n_classes=1)((x, np.array([0, 0])))


# what negatives can be, and what batches


class Source:
    """Anything with a method `draw`, as a pool has it."""

    def __init__(self, sizes: tuple[int, ...] = (20, 30)) -> None:
        self.sizes = sizes
        self.asked: list[int] = []

    def draw(self, n: int, rng: np.random.Generator) -> list[np.ndarray]:
        self.asked.append(n)
        return [images(1, side, side, 3)[0] for side in rng.choice(self.sizes, n)]


def test_negatives_may_be_drawn_from_anything() -> None:
    source = Source()
    batches = [(images(4, 16, 16, 3), np.zeros(4, int))] * 3
    mixed = list(mix(batches, source, 0.5, n_classes=1))
    assert [x.shape for x, _ in mixed] == [(6, 16, 16, 3)] * 3
    assert source.asked == [2, 2, 2]
    fixed = list(mix(batches, source, 0.5, fresh=False, n_classes=1))
    assert source.asked == [2, 2, 2, 2]
    np.testing.assert_array_equal(fixed[0][0][4:], fixed[2][0][4:])


def test_source_that_gives_another_number_is_refused() -> None:
    class Short(Source):
        def draw(self, n: int, rng: np.random.Generator) -> list[np.ndarray]:
            return super().draw(n - 1, rng)

    with pytest.raises(InvalidDataError, match="4 negatives were asked for, and 3 came"):
        Mixer(Short(), n_classes=1)((images(4, 16, 16, 3), np.zeros(4, int)))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((3, 5)), "Got ndarray of 3"),
        ({"x": 1}, "Got dict of 1"),
        ((np.zeros((3, 5)),), "Got tuple of 1"),
        (([[1.0]], [0]), "Got list"),
        ((np.zeros(3), np.zeros(3)), "must be rows"),
        ((np.zeros((3, 5)), np.zeros(2, int)), "the same length. Got 3, 2"),
    ],
)
def test_anything_but_a_batch_is_refused(batch: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        Mixer(NEGATIVES, n_classes=3)(batch)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": -1}, "Invalid `ratio`: must be a number from 0 up, got -1"),
        ({"ratio": float("nan")}, "Invalid `ratio`"),
        ({"ratio": float("inf")}, "Invalid `ratio`"),
        ({"fresh": 1}, "Invalid `fresh`: must be True or False"),
        ({"target": "other"}, "Invalid `target`: must be one of 'index', 'none', 'zeros'"),
        ({"n_classes": None}, "Invalid `n_classes`: must be the number of known classes"),
        ({"n_classes": 0}, "Invalid `n_classes`: must be a whole number from 1 up"),
        ({"transform": "normalise"}, "Invalid `transform`"),
        ({"layout": "HWC"}, "Invalid `layout`: must be None or one of 'NHWC', 'NCHW'"),
        ({"seed": -1}, "Invalid `seed`"),
        ({"batches": 3}, "Invalid `batches`: must be an iterable of batches, got int"),
        ({"negatives": "folder"}, "Invalid `negatives`: must be an array"),
        ({"negatives": 3}, "Invalid `negatives`: must be an array"),
        ({"negatives": np.array(3)}, "Invalid `negatives`: must hold rows"),
    ],
)
def test_invalid_parameter_is_named(options: dict[str, Any], message: str) -> None:
    given = {"batches": [], "negatives": NEGATIVES, "n_classes": 3, **options}
    with pytest.raises(InvalidParameterError, match=message):
        mix(**given)


def test_missing_negatives_are_an_error_before_training_begins() -> None:
    for nothing in (NEGATIVES[:0], []):
        with pytest.raises(InvalidDataError, match="no negatives"):
            mix([], nothing, n_classes=3)


# a pool


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
    with pytest.raises(InvalidDataError, match="no kept image to draw"):
        pool.mix(batches, layer="last", n_classes=1)


# Keras takes the first batches of a generator to learn their types, puts them back, and then wants
# tuples of arrays of the same types (keras/src/trainers/data_adapters/generator_data_adapter.py).


def forever(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from batches


def test_batches_keep_what_keras_learned_from_the_first_ones() -> None:
    rng = np.random.default_rng(0)
    batches = [
        (
            rng.random((n, 12, 12, 3), dtype=np.float32),
            np.eye(4, dtype=np.float32)[rng.integers(0, 3, n)],
            np.ones(n, dtype=np.float32),
        )
        for n in (8, 8, 5)
    ]
    mixed = mix(batches, rng.integers(0, 256, (30, 20, 20, 3), dtype=np.uint8), n_classes=3)
    generator = forever(mixed)
    assert isinstance(generator, types.GeneratorType)
    peeked = list(itertools.islice(generator, 2))
    signature = [(part.dtype, part.shape[1:]) for part in peeked[0]]
    epochs = list(itertools.islice(itertools.chain(peeked, generator), 3 * len(mixed)))
    assert len(epochs) == 9
    for batch, n in zip(epochs, (8, 8, 5) * 3, strict=True):
        assert isinstance(batch, tuple)
        assert [(part.dtype, part.shape[1:]) for part in batch] == signature
        assert all(len(part) == 2 * n for part in batch)
        assert batch[1][n:].argmax(axis=1).tolist() == [3] * n
        assert batch[2][n:].tolist() == [1.0] * n
