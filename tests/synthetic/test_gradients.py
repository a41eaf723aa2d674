from __future__ import annotations

import numpy as np

from outgroup.synthetic import random_gradients


def test_colours_change_evenly_between_two_corners() -> None:
    for image in random_gradients(50, 33).astype(float):
        corners = np.array([image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]])
        # opposite corners add up to the same, and the middle of the image is half of that
        np.testing.assert_allclose(corners[0] + corners[3], corners[1] + corners[2], atol=2)
        np.testing.assert_allclose(2 * image[16, 16], corners[0] + corners[3], atol=2)
        for steps in (np.diff(image, axis=0), np.diff(image, axis=1)):
            assert np.ptp(steps, axis=(0, 1)).max() <= 1
        assert np.ptp(image, axis=(0, 1)).tolist() == np.ptp(corners, axis=0).tolist()


def test_directions_are_all_there() -> None:
    images = random_gradients(200, 9).astype(float)
    down = (images[:, -1] - images[:, 0]).mean(axis=1)
    across = (images[:, :, -1] - images[:, :, 0]).mean(axis=1)
    strongest = np.abs(down).argmax(axis=1)
    rows = np.arange(200)
    angles = np.arctan2(down[rows, strongest], across[rows, strongest])
    counts, _ = np.histogram(angles, bins=8, range=(-np.pi, np.pi))
    assert counts.min() >= 10
