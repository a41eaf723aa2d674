"""Thresholds by known images that were drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.calibration import HeldOut, expected_threshold
from outgroup.selection.resamples import Resamples


def test_thresholds_spread_as_those_of_new_images_do() -> None:
    rng = np.random.default_rng(0)
    everyone = np.ones(200, dtype=bool)
    scores = rng.normal(size=200)
    redrawn = Resamples(everyone, None, seed=0).thresholds(scores, everyone, 0.05)
    new = [expected_threshold(HeldOut(rng.normal(size=200)), 0.05)[0] for _ in range(400)]
    assert redrawn.mean() == pytest.approx(expected_threshold(HeldOut(scores), 0.05)[0], abs=0.15)
    assert 0.5 < redrawn.std() / np.std(new) < 1.6


def test_groups_are_drawn_whole() -> None:
    """Forty images of one odd scene and sixty scenes of one: it is there or not, as one of 61."""
    groups = np.array([*["odd"] * 40, *(f"scene {i}" for i in range(60))])
    scores = np.concatenate([np.full(40, 9.0), np.linspace(0.0, 1.0, 60)])
    known = np.ones(100, dtype=bool)
    by_group = Resamples(known, groups, seed=0).thresholds(scores, known, 0.05)
    by_image = Resamples(known, None, seed=0).thresholds(scores, known, 0.05)
    assert (by_group == 9.0).mean() < 0.2
    assert (by_image == 9.0).all()


def test_thresholds_of_all_strategies_come_from_the_same_images() -> None:
    known = np.arange(120) % 3 > 0
    scores = np.random.default_rng(1).normal(size=120)
    resamples = Resamples(known, None, seed=0)
    one, other = (resamples.thresholds(s, known, 0.1) for s in (scores, 10.0 * scores + 3.0))
    np.testing.assert_allclose(other, 10.0 * one + 3.0)


def test_only_images_of_the_scenario_calibrate_its_threshold() -> None:
    known = np.ones(60, dtype=bool)
    scores = np.arange(60.0)
    inside = scores < 30
    thresholds = Resamples(known, None, seed=0).thresholds(scores, inside, 0.05)
    assert thresholds.max() <= 29.0
    assert np.isin(thresholds, scores[inside]).all()
