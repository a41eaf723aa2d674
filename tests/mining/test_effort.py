import pytest

from outgroup.errors import InvalidParameterError
from outgroup.mining import Effort


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("images", 0),
        ("images", 1.5),
        ("seconds", 0),
        ("seconds", float("inf")),
        ("refits", -1),
        ("refits", None),
        ("first", True),
    ],
)
def test_an_effort_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter must be"):
        Effort(**{name: value})  # type: ignore[arg-type]


def test_what_may_go_wrong_is_shared_by_all_models() -> None:
    for refits in (0, 1, 8, 100):
        each = Effort(refits=refits).confidence_of_each(0.95)
        assert (refits + 1) * (1 - each) == pytest.approx(0.05)


def test_refits_cost_no_more_than_a_share_of_what_is_read() -> None:
    effort = Effort(refits=20)
    read = 0
    for refits in range(20):
        read += effort.images_before_refit(refits)
        assert 2**refits <= read / effort.first + 1  # refits grow with the logarithm


def test_no_refit_is_begun_that_could_not_be_shown_to_be_good() -> None:
    effort = Effort(images=1000, seconds=60)
    assert effort.half_left(500, 30)
    assert not effort.half_left(501, 1)
    assert not effort.half_left(1, 31)
    assert Effort().half_left(10**9, 10**9)
