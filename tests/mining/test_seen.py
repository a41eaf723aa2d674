import numpy as np

from outgroup.mining.seen import Seen, keys_of


def random_keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)


def test_what_was_there_is_never_taken_for_new() -> None:
    seen, keys = Seen(20_000), random_keys(10_000)
    seen.add(keys)
    assert not seen.add(keys[::-1]).any()


def test_few_new_ones_are_taken_for_old() -> None:
    seen, keys = Seen(20_000), random_keys(20_000)
    new = np.concatenate([seen.add(part) for part in np.split(keys[:19_000], 19)])
    assert new.mean() > 1 - 1 / 120


def test_a_generation_is_remembered_beside_the_present_one() -> None:
    seen, keys = Seen(1000), random_keys(1900)
    for part in np.split(keys, 19):
        seen.add(part)
    assert not seen.add(keys[-1000:]).any()


def test_memory_does_not_grow_with_the_stream() -> None:
    seen = Seen(1000)
    before = seen._young.nbytes + seen._old.nbytes
    for seed in range(50):
        seen.add(random_keys(500, seed))
    assert seen._young.nbytes + seen._old.nbytes == before == 2 * 1251


def test_a_copy_has_the_key_of_its_image_and_no_other_has() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    keys = keys_of({"last": rows})
    assert len(np.unique(keys)) == 50
    assert (keys_of({"last": rows[::-1]}) == keys[::-1]).all()
    assert (keys_of({"last": rows.astype(np.float64)}) == keys).all()
    rows[0] = 0.0
    assert keys_of({"last": rows[:1]}) == keys_of({"last": -rows[:1]})


def test_no_rows_have_no_keys() -> None:
    keys = keys_of({"last": np.empty((0, 4), np.float32)})
    assert keys.shape == (0,)
    assert Seen(10).add(keys).shape == (0,)
