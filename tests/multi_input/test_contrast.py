"""Backgrounds made of images, and whether anything stands out in an image."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.multi_input.image_statistics import (
    describe_contrast,
    fit_contrast,
    make_backgrounds,
    make_others,
)


def textured(n: int, side: int = 24, seed: int = 0) -> np.ndarray:
    """Noise with ripples, each image at a level and of a strength of its own."""
    draws = np.random.default_rng(seed)
    ripple = np.sin(np.arange(side) / 2.0)
    strength = draws.uniform(0.5, 2.0, size=(n, 1, 1, 1))
    noise = draws.normal(size=(n, 1, side, side)) + ripple
    return (draws.normal(0, 5, size=(n, 1, 1, 1)) + strength * noise).astype(np.float32)


def shown(n: int, seed: int = 1, side: int = 24, bright: float = 6.0) -> np.ndarray:
    """The same with a spot near the middle."""
    images = textured(n, side, seed)
    spread = images.std(axis=(2, 3), keepdims=True)
    images[:, :, side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2] += bright * spread
    return images


@pytest.mark.parametrize("bright", [6.0, -6.0])
def test_images_in_which_nothing_stands_out_are_told_from_known_ones(bright: float) -> None:
    contrast = fit_contrast(shown(60, bright=bright))
    known = contrast.other_score(describe_contrast(shown(100, seed=2, bright=bright)))
    empty = contrast.other_score(describe_contrast(textured(100, seed=3)))
    assert (empty > np.quantile(known, 0.95)).mean() > 0.95


def test_level_and_noise_of_an_image_are_no_matter() -> None:
    images = shown(8)
    np.testing.assert_allclose(
        describe_contrast(images), describe_contrast(images * 3.0 - 7.0), atol=0.01
    )


def test_a_description_does_not_depend_on_the_images_beside_it() -> None:
    images = shown(70)  # more than are described at once
    whole = describe_contrast(images)
    for i in (0, 63, 64, 69):
        np.testing.assert_array_equal(describe_contrast(images[i : i + 1])[0], whole[i])


def test_blank_and_tiny_images_have_a_finite_contrast() -> None:
    blank = np.zeros((3, 2, 5, 4), dtype=np.float32)
    contrast = fit_contrast(blank)
    score = contrast.other_score(describe_contrast(blank))
    assert np.isfinite(score).all()
    one = np.zeros((1, 1, 1, 1), dtype=np.float32)
    assert np.isfinite(fit_contrast(one).other_score(describe_contrast(one))).all()


def test_a_background_is_made_of_the_border_alone() -> None:
    draws = np.random.default_rng(0)
    image = draws.normal(size=(30, 1, 20, 20)).astype(np.float32)
    image[:, :, 4:16, 4:16] += 100.0  # all but a border of a fifth
    made = make_backgrounds([image, 2 * image], draws)
    np.testing.assert_array_equal(made[1], 2 * made[0])  # bands stay together
    assert made[0].max() < 50
    assert all(np.isin(made[0][i], image[i]).all() for i in range(30))
    borders = made[0][:, :, 0] == image[:, :, 0]
    whole = ~borders.all(axis=(1, 2))
    assert 0 < whole.sum() < 30  # of some the border itself is covered too


def test_images_of_different_sizes_can_be_emptied() -> None:
    images = [np.ones((4, 1, 9, 12), np.float32), np.ones((4, 3, 20, 20), np.float32)]
    made = make_others(images, np.random.default_rng(0))
    assert [one.shape for one in made] == [one.shape for one in images]
    assert all((one == 1).all() for one in made)
