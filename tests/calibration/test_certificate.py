import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.calibration import Certificate, Guarantee, HeldOut, choose_threshold
from outgroup.calibration.certificate import percent

PROPERTY = settings(derandomize=True, deadline=None, max_examples=120)


def certificate() -> Certificate:
    known = HeldOut(range(100), [f"burst {i // 2}" for i in range(100)])
    return choose_threshold(known, HeldOut(range(80, 300), population="lego")).certificate


def test_a_certificate_survives_json() -> None:
    original = certificate()
    text = json.dumps(original.to_dict(), allow_nan=False)
    assert Certificate.from_dict(json.loads(text)) == original


def test_the_sentence_names_both_populations_and_that_there_are_no_others() -> None:
    sentence = certificate().sentence
    assert (
        "of images like your known ones are rejected (95 % confidence, n = 50 groups; " in sentence
    )
    assert "of lego are accepted (95 % confidence, n = 220; " in sentence
    assert sentence.endswith("Nothing is guaranteed for other images.")
    assert certificate().to_dict()["sentence"] == sentence


def test_the_sentence_says_what_share_was_seen() -> None:
    guarantee = Guarantee("accepted", "images", bound=0.3, k=6, n=30)
    assert guarantee.sentence.endswith("(95 % confidence, n = 30; 20 % expected).")


def test_a_bound_above_what_was_asked_is_not_kept() -> None:
    assert not Guarantee("rejected", "images", bound=0.095, k=0, n=30, asked=0.05).kept


def test_a_bound_that_was_not_asked_for_is_kept() -> None:
    assert Guarantee("accepted", "images", bound=0.9, k=0, n=1).kept


@PROPERTY
@given(st.floats(0.0, 1.0))
def test_a_share_is_written_as_0_or_100_percent_only_if_it_is(share: float) -> None:
    assert (percent(share) == "0 %") == (share == 0.0)
    assert (percent(share) == "100 %") == (share == 1.0)
    assert float(percent(share)[:-2]) == pytest.approx(share * 100, abs=0.0501)


@PROPERTY
@given(st.floats(1e-6, 1.0 - 1e-6))
def test_rounded_up_a_share_is_never_written_smaller_than_it_is(share: float) -> None:
    written = float(percent(share, up=True)[:-2])
    assert -1e-8 <= written - share * 100 <= 0.1 + 1e-9


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_rounding_up_leaves_a_round_share_alone(digits: int) -> None:
    for i in range(1, 10**digits):
        share = i / 10**digits
        assert percent(share, up=True) == percent(share)


def test_near_the_ends_two_digits_are_kept() -> None:
    assert percent(0.000123) == "0.012 %"
    assert percent(0.999877) == "99.988 %"
    assert percent(1 / 3) == "33.3 %"
