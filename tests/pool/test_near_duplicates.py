from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from outgroup.pool.near_duplicates import MAX_DISTANCE, HashIndex, distances, fingerprint


def clustered(n: int, seed: int) -> np.ndarray:
    """Hashes of which many are a few bits from another, as few as none and as many as six."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    for i in range(n // 3, n):
        value = int(hashes[rng.integers(0, i)])
        for bit in rng.integers(0, 64, rng.integers(0, 7)):
            value ^= 1 << int(bit)
        hashes[i] = value
    return hashes


def brute_force(hashes: np.ndarray, one: int) -> list[int]:
    far = distances(one, hashes)
    near = [int(row) for row in np.flatnonzero(far <= MAX_DISTANCE)]
    return sorted(near, key=lambda row: (far[row], row))


@pytest.mark.parametrize("n_old", [0, 1, 300, 1500, 3000])
def test_index_finds_the_same_as_comparing_with_all(n_old: int) -> None:
    hashes = clustered(3000, seed=n_old)
    index = HashIndex(hashes[:n_old], np.arange(n_old))
    for row in range(n_old, len(hashes)):
        index.add(int(hashes[row]), row)
    found = 0
    for one in [*hashes[::7], *(hashes[:50] ^ np.uint64(0b10101))]:
        expected = brute_force(hashes, int(one))
        assert index.find(int(one)).tolist() == expected
        found += len(expected) > 1
    assert found > 100


def test_rows_are_those_given() -> None:
    hashes = clustered(100, seed=1)
    index = HashIndex(hashes, 7 * np.arange(100))
    assert index.find(int(hashes[10]))[0] == 70


def test_one_value_a_thousand_times_is_found_a_thousand_times() -> None:
    index = HashIndex(np.zeros(500, np.uint64), np.arange(500))
    for row in range(500, 1000):
        index.add(0, row)
    assert index.find(0b111).tolist() == list(range(1000))
    assert index.find(0b1111).tolist() == []


def test_distances_count_differing_bits() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 200, dtype=np.uint64)
    one = int(hashes[0])
    expected = [bin(one ^ int(other)).count("1") for other in hashes]
    assert distances(one, hashes).tolist() == expected


def test_hash_is_the_same_for_small_and_blurred_copies(bag: SimpleNamespace) -> None:
    def bits(a: int | None, b: int | None) -> int:
        assert a is not None
        assert b is not None
        return bin(a ^ b).count("1")

    hashes = []
    for number in range(30):
        image = bag.picture(number, 600, 450)
        one = fingerprint(image)
        hashes.append(one)
        assert bits(one, fingerprint(image.resize((200, 150)))) <= 3
        file = io.BytesIO()
        image.save(file, "JPEG", quality=75)
        assert bits(one, fingerprint(Image.open(file))) <= 3
    apart = [bits(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) > 6
