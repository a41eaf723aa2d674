from __future__ import annotations

import itertools

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.synthetic import SPECTRA, random_noise

SIZE = 128


def slope(images: np.ndarray, upto: float) -> float:
    """Return the exponent of the amplitude spectrum, from octaves of frequencies."""
    values = images.astype(float) - images.mean(axis=(1, 2), keepdims=True)
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE))
    power = np.abs(np.fft.fft2(values * window[..., np.newaxis], axes=(1, 2))) ** 2
    power = power.mean(axis=(0, 3))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, np.newaxis], np.fft.fftfreq(SIZE))
    edges = np.geomspace(3 / SIZE, upto, 7)
    octaves = [(frequency >= low) & (frequency < high) for low, high in itertools.pairwise(edges)]
    x = [np.log(frequency[octave]).mean() for octave in octaves]
    y = [np.log(power[octave].mean()) / 2 for octave in octaves]
    return -float(np.polyfit(x, y, 1)[0])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_amplitude_falls_with_the_frequency_as_it_should(exponent: float) -> None:
    images = random_noise(60, SIZE, exponent=exponent)
    assert slope(images, upto=0.25) == pytest.approx(exponent, abs=0.1)


def test_spectra_take_turns() -> None:
    images = random_noise(90, SIZE)
    for turn, exponent in enumerate(SPECTRA.values()):
        assert slope(images[turn::3], upto=0.25) == pytest.approx(exponent, abs=0.15)


def test_each_image_fills_the_range_of_values() -> None:
    for image in random_noise(9, 50):
        assert (image.min(), image.max()) == (0, 255)


def test_noise_is_as_strong_everywhere() -> None:
    """Points that are put between others have no less noise than these."""
    for exponent in SPECTRA.values():
        values = random_noise(400, 32, exponent=exponent).astype(float)
        strength = values[:, 4:-4, 4:-4].std(axis=(0, 3))
        for axis in (0, 1):
            even, odd = strength.take(range(0, 24, 2), axis), strength.take(range(1, 24, 2), axis)
            assert even.mean() == pytest.approx(odd.mean(), rel=0.05)


def test_grey_noise_has_no_colours() -> None:
    grey = random_noise(4, 20, coloured=False)
    np.testing.assert_array_equal(grey, grey[..., :1].repeat(3, axis=3))
    white = random_noise(20, 64, exponent=0).reshape(-1, 3).astype(float)
    assert abs(np.corrcoef(white.T)[np.triu_indices(3, 1)]).max() < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "'size' parameter must be a whole number from 2 up"),
        ({"exponent": -0.1}, "'exponent' parameter must be None or from 0 to 2. Got -0.1"),
        ({"exponent": float("nan")}, "'exponent' parameter"),
        ({"exponent": "white"}, "'exponent' parameter"),
        ({"coloured": 1}, "'coloured' parameter must be True or False. Got 1"),
    ],
)
def test_parameter_out_of_range_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        random_noise(1, **options)  # type: ignore[arg-type]
