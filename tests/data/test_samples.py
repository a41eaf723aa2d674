from __future__ import annotations

import numpy as np
import pytest

from outgroup.data import Samples, Skipped
from outgroup.errors import InvalidDataError


def samples(*names: str) -> Samples:
    return Samples(
        [f"{name}.jpg" for name in names],
        names,
        [f"group of {name}" for name in names],
        [f"origin of {name}" for name in names],
        [f"unlabelled beside {name}.jpg" for name in names],
        [Skipped(f"skipped beside {name}", "hidden") for name in names],
    )


def test_a_subset_has_these_rows_in_this_order():
    part = samples("a", "b", "c").subset(np.array([2, 0]))
    assert part.sources == ("c.jpg", "a.jpg")
    assert part.labels == ("c", "a")
    assert part.groups == ("group of c", "group of a")
    assert part.origins == ("origin of c", "origin of a")
    assert part.unlabelled == part.skipped == ()
    assert len(samples("a").subset([])) == 0


def test_concatenation_keeps_everything():
    whole = Samples.concatenate([samples("a", "b"), samples("c")])
    expected = samples("a", "b", "c")
    for field in ("sources", "labels", "groups", "origins", "unlabelled", "skipped"):
        assert getattr(whole, field) == getattr(expected, field)
    assert len(Samples.concatenate([])) == 0


def test_images_in_memory_can_be_held():
    image = np.zeros((2, 2), np.uint8)
    whole = Samples.concatenate([Samples([image], ["a"], [None], ["memory"])] * 2)
    assert whole.subset([1]).sources[0] is image


def test_columns_of_different_length_are_refused():
    with pytest.raises(InvalidDataError, match="got 2 sources, 1 labels, 2 groups, 2 origins"):
        Samples(["a", "b"], ["x"], [None, None], ["o", "o"])
