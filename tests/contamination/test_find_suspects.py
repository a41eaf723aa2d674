import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from outgroup.contamination import Contamination, find_suspects
from outgroup.errors import InvalidDataError
from outgroup.training_set import TrainingSet

D = 24


class World:
    """Three classes, look-alikes of the first, and things, as embeddings."""

    def __init__(self, seed: int, per_class: int = 60) -> None:
        self.rng = np.random.default_rng(seed)
        self.y = np.repeat([0, 1, 2], per_class)
        self.known = self.draw(self.y)

    def draw(self, kinds: np.ndarray) -> np.ndarray:
        centres = 7.0 * np.eye(8, D)
        centres[3] = centres[0] + 6.0 * np.eye(D)[10]  # tigers, to the cats
        return (centres[kinds] + self.rng.normal(size=(len(kinds), D))).astype(np.float32)

    def things(self, n: int) -> np.ndarray:
        return self.draw(self.rng.integers(4, 8, n))

    def data(self, verified: np.ndarray | None = None, **more: object) -> TrainingSet:
        rows = self.known if verified is None else np.vstack([self.known, verified])
        y = np.r_[self.y, np.full(len(rows) - len(self.y), -1)]
        return TrainingSet({"last": rows}, y, ("cat", "dog", "giraffe"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_hidden", [0, 12, 60, 200])
def test_images_of_the_classes_are_found_in_the_pool_and_things_stay(n_hidden: int) -> None:
    found = of_things = named = 0
    for seed in range(5):
        world = World(seed)
        kinds = np.arange(n_hidden) % 3
        pool = np.vstack([world.draw(kinds), world.things(600)])
        result = find_suspects(world.data(), pool)
        rows = result.rows
        found += (rows < n_hidden).sum()
        of_things += (rows >= n_hidden).sum()
        named += sum(
            s.label == ("cat", "dog", "giraffe")[s.row % 3]
            for s in result.suspects
            if s.row < n_hidden
        )
        assert result.n_pool == len(pool)
    assert of_things <= 0.02 * 5 * 600
    if n_hidden:  # nine in ten or more, within chance
        assert binomtest(int(found), 5 * n_hidden, 0.9, alternative="less").pvalue > 0.01
    assert named == found


def test_in_a_pool_full_of_look_alikes_the_class_is_found_and_look_alikes_stay() -> None:
    # four times as many as images of the class, and some of them as near to it
    look_alikes_taken = found = 0
    for seed in range(5):
        world = World(seed)
        pool = np.vstack([world.draw(np.zeros(20, int)), world.draw(np.full(80, 3)),
                          world.things(400)])  # fmt: skip
        rows = find_suspects(world.data(), pool).rows
        found += (rows < 20).sum()
        look_alikes_taken += ((rows >= 20) & (rows < 100)).sum()
    assert found >= 70
    assert look_alikes_taken <= 0.1 * 400


def test_a_pool_of_nothing_but_the_classes_is_recognised_too() -> None:
    world = World(0)
    result = find_suspects(world.data(), world.draw(np.arange(200) % 3))
    assert len(result.suspects) >= 180
    assert result.share is not None
    assert result.share.high == 1.0
    assert result.share.value > 0.85


def test_suspects_have_a_class_a_reason_and_a_path() -> None:
    world = World(0)
    pool = np.vstack([world.things(50), world.draw(np.array([1]))])
    paths = [f"pool/{i}.jpg" for i in range(51)]
    known_paths = [f"photos/{i}.jpg" for i in range(180)]
    result = find_suspects(world.data(paths=known_paths), pool, pool_paths=paths)
    suspect = result.suspects[0]
    assert (suspect.row, suspect.label, suspect.path) == (50, "dog", "pool/50.jpg")
    assert 0 < suspect.score <= 1
    assert "scored like 'dog' by models that never saw it" in suspect.why
    assert "5 of its 5 nearest known images are 'dog'" in suspect.why
    assert [n.label for n in suspect.nearest] == ["dog"] * 5
    assert all(60 <= n.row < 120 and n.path == f"photos/{n.row}.jpg" for n in suspect.nearest)  # type: ignore[operator]
    distances = [n.distance for n in suspect.nearest]
    assert distances == sorted(distances)
    cosines = world.known @ pool[50] / np.linalg.norm(world.known, axis=1)
    assert suspect.nearest[0].row == cosines.argmax()
    assert suspect.to_dict()["label"] == "dog"


def test_the_most_certain_come_first() -> None:
    world = World(0)
    scores = [s.score for s in find_suspects(world.data(), world.draw(np.arange(60) % 3)).suspects]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 10


def test_verified_negatives_that_look_like_a_class_are_named_but_no_suspects() -> None:
    world = World(0)
    verified = np.vstack([world.draw(np.full(40, 3)), world.draw(np.array([0, 0, 0]))])
    result = find_suspects(world.data(verified), world.things(100))
    assert result.n_verified == 43
    assert {s.row for s in result.doubted} <= {40, 41, 42}
    assert not result.suspects
    assert [s for s in result.doubted if s.label != "cat"] == []


def test_contaminants_do_not_hide_each_other() -> None:
    # half of the pool shows one class: a model of all of it as negatives would reject the class
    world = World(1)
    pool = np.vstack([world.draw(np.zeros(300, int)), world.things(300)])
    rows = find_suspects(world.data(), pool).rows
    assert (rows < 300).sum() >= 270
    assert (rows >= 300).sum() <= 6


def test_few_are_suspects_if_the_classes_and_the_rest_overlap() -> None:
    rng = np.random.default_rng(0)
    taken = []
    for _ in range(5):
        X = rng.normal(size=(150, D))
        data = TrainingSet({"last": X[:50]}, np.arange(50) % 2, ("cat", "dog"))
        # from nearly the distribution of the classes
        shifted = rng.normal(size=(400, D)) + 1.5 * np.eye(D)[0]
        taken.append(len(find_suspects(data, shifted).suspects) / 400)
    assert np.mean(taken) < 0.5


def interval_holds(share: float, mix: list[float], verified: bool, seed: int) -> bool:
    world = World(seed, per_class=40)
    n_hidden = world.rng.binomial(400, share)
    kinds = world.rng.choice(3, n_hidden, p=mix)
    pool = np.vstack([world.draw(kinds), world.things(400 - n_hidden)])
    others = world.draw(np.r_[np.full(40, 3), np.full(40, 4)]) if verified else None
    found = find_suspects(world.data(others), pool, seed=seed)
    assert found.share is not None
    return found.share.low <= share <= found.share.high


@pytest.mark.slow
@pytest.mark.parametrize("verified", [False, True])
@pytest.mark.parametrize(("share", "mix"), [(0.02, [0.4, 0.3, 0.3]), (0.2, [0.0, 0.0, 1.0])])
def test_the_interval_covers_the_share(share: float, mix: list[float], verified: bool) -> None:
    repeats = 60
    missed = sum(not interval_holds(share, mix, verified, seed) for seed in range(repeats))
    assert binomtest(missed, repeats, 0.05, alternative="greater").pvalue > 0.001


def test_too_few_known_images_give_no_share() -> None:
    world = World(0, per_class=4)
    result = find_suspects(
        world.data(), np.vstack([world.draw(np.zeros(5, int)), world.things(60)])
    )
    assert result.share is None
    assert result.no_share is not None
    assert "At least 20 known images" in result.no_share


def test_an_empty_pool_has_no_suspects_and_no_share() -> None:
    world = World(0)
    result = find_suspects(world.data(world.things(30)), world.known[:0])
    assert (result.n_pool, result.suspects, result.share) == (0, (), None)


def test_a_single_class_is_enough() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=(60, D)) + 7 * np.eye(D)[0]
    data = TrainingSet({"last": known}, np.zeros(60, dtype=np.int64), ("cat",))
    cats = rng.normal(size=(20, D)) + 7 * np.eye(D)[0]
    things = rng.normal(size=(200, D)) + 7 * np.eye(D)[5]
    rows = find_suspects(data, np.vstack([cats, things])).rows
    assert (rows < 20).sum() >= 18
    assert (rows >= 20).sum() <= 4
    assert len(find_suspects(data, cats).suspects) >= 17  # nothing to tell apart, distances alone


def test_the_same_seed_gives_the_same_and_half_precision_nearly_so() -> None:
    world = World(0)
    pool = np.vstack([world.draw(np.arange(30) % 3), world.things(300)])
    one, two = (find_suspects(world.data(), pool, seed=3) for _ in range(2))
    assert one == two
    half = find_suspects(world.data(), pool.astype(np.float16), seed=3)
    assert len({*one.rows.tolist()} ^ {*half.rows.tolist()}) <= 2


def test_a_memory_map_gives_what_the_array_gives(tmp_path: Path) -> None:
    world = World(0)
    pool = np.vstack([world.draw(np.arange(30) % 3), world.things(300)])
    np.save(tmp_path / "pool.npy", pool)
    mapped = np.load(tmp_path / "pool.npy", mmap_mode="r")
    assert find_suspects(world.data(), mapped) == find_suspects(world.data(), pool)


def test_models_may_be_sent_to_other_processes() -> None:
    def sent(make: Callable[[], Any], chunks: Iterable[Any]) -> Iterator[Any]:
        return map(pickle.loads(pickle.dumps(make))(), chunks)

    world = World(0)
    pool = np.vstack([world.draw(np.arange(30) % 3), world.things(300)])
    assert find_suspects(world.data(), pool, mapped=sent) == find_suspects(world.data(), pool)


def test_images_of_one_group_count_once_in_the_share_and_are_no_neighbours() -> None:
    def found(groups: list[str] | None, units: np.ndarray | None) -> Contamination:
        world = World(0)
        pool = np.repeat(np.vstack([world.draw(np.array([0, 1])), world.things(58)]), 5, axis=0)
        noise = np.random.default_rng(1).normal(size=pool.shape).astype(np.float32)
        return find_suspects(world.data(groups=groups), pool + 0.05 * noise, units)

    units = np.repeat([f"burst {i}" for i in range(60)], 5)
    grouped = found([str(i // 2) for i in range(180)], units)
    assert grouped.share is not None
    alone = found(None, None)
    assert alone.share is not None
    assert grouped.share.high > alone.share.high  # fewer units, less is known
    bursts = {s.row // 5 for s in grouped.suspects}
    assert bursts <= {0, 1}


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (np.zeros((5, 3)), "must have 24 columns"),
        (np.full((5, D), np.nan), "infinite values in 5 rows"),
    ],
)
def test_an_invalid_pool_is_refused(pool: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        find_suspects(World(0).data(), pool)
