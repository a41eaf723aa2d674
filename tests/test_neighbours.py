import gc
import pickle
import weakref

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.neighbours import Neighbour, NeighbourTable, neighbour_count


class Counting:
    """Names the first number of each direction, and keeps how many were asked for at a time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, directions: np.ndarray) -> list[tuple[Neighbour, ...]]:
        self.asked.append(len(directions))
        return [(Neighbour(f"{row[0]}.jpg", "cat", 0.5),) for row in directions]


def table(look_up: Counting, n: int = 4) -> NeighbourTable:
    directions = np.arange(2 * n, dtype=np.int8).reshape(n, 2)
    return NeighbourTable(look_up, directions, np.arange(n) != 1)


def paths(of_images: object) -> list[list[str | None]]:
    return [[near.path for near in few] for few in of_images]  # type: ignore[attr-defined]


def test_nothing_is_looked_up_until_it_is_asked_for() -> None:
    look_up = Counting()
    rows = list(table(look_up))
    tail = table(look_up)[2:]
    assert look_up.asked == []
    assert (len(rows), len(tail)) == (4, 2)


def test_images_of_a_table_are_looked_up_together_and_once() -> None:
    look_up = Counting()
    whole = table(look_up)
    expected = [["0.jpg"], [], ["4.jpg"], ["6.jpg"]]
    assert [paths([few])[0] for few in whole] == expected
    assert paths(whole) == expected
    assert look_up.asked == [3]
    assert paths(whole.found()) == expected
    assert look_up.asked == [3]


def test_what_can_not_be_read_is_not_looked_up() -> None:
    look_up = Counting()
    assert len(table(look_up)[1]) == 0
    assert look_up.asked == []


def test_slices_and_negative_positions_are_those_of_a_sequence() -> None:
    whole = table(Counting())
    assert paths(whole[2:]) == [["4.jpg"], ["6.jpg"]]
    assert paths(whole[::-1]) == [["6.jpg"], ["4.jpg"], [], ["0.jpg"]]
    assert paths([whole[-1]]) == [["6.jpg"]]
    with pytest.raises(IndexError):
        whole[4]


def test_a_row_that_is_kept_holds_nothing_of_the_others() -> None:
    look_up = Counting()
    whole = table(look_up, n=100)
    row, gone, large = whole[7], weakref.ref(whole), weakref.ref(whole.directions)
    del whole
    gc.collect()
    assert gone() is None
    assert large() is None
    assert paths([row]) == [["14.jpg"]]
    assert paths([row]) == [["14.jpg"]]
    assert look_up.asked == [1]


def test_a_row_is_like_a_tuple() -> None:
    row = table(Counting())[0]
    expected = (Neighbour("0.jpg", "cat", 0.5),)
    assert row == expected
    assert expected == row
    assert row == table(Counting())[0]
    assert row != table(Counting())[2]
    assert row != ()
    assert (row[0], row[-1:], len(row)) == (expected[0], expected, 1)
    assert repr(row) == repr(expected)
    assert expected[0] in row
    copy = pickle.loads(pickle.dumps(row))
    assert type(copy) is tuple
    assert copy == expected


@pytest.mark.parametrize("bad", [-1, 1.0, True, "5", None])
def test_the_number_of_neighbours_is_a_whole_one(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="'nearest' parameter must be a whole number"):
        neighbour_count(bad)
    assert neighbour_count(np.int64(0)) == 0
