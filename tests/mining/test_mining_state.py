"""A run that was killed resumes, and ends as one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup import ImageClassifier, mine
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.mining import Effort, Mined, memory, mine_embeddings
from outgroup.model import Model
from outgroup.training_set import TrainingSet

KILLS = 10


class Killed(BaseException):
    """Caught by no part of mining, as a kill is not."""


def stream(world: Any, n: int, stop: int | None = None) -> Iterator[np.ndarray]:
    """Yield batches of one stream, and die after `stop` of them."""
    batches = type(world)(7).stream()
    for i, rows in enumerate(islice(batches, n)):
        if i == stop:
            raise Killed
        yield rows


def values_of(mined: Mined) -> dict[str, Any]:
    plain = mined.to_dict()
    for stage in plain["stages"]:
        del stage["seconds"]
    return plain | {"threshold": mined.model.threshold}


@pytest.fixture
def run(data: TrainingSet, model: Model, tmp_path: Path) -> Callable[..., Mined]:
    def start(batches: Iterator[np.ndarray], **options: Any) -> Mined:
        given = {"target": None, "hardest": 40, "uniform": 40, "state": tmp_path / "state"}
        effort = options.pop("effort", Effort(first=128, refits=2))
        return mine_embeddings(batches, data, model, effort, **(given | options))

    return start


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    script = Path(__file__).with_name("mining_killed.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, str(KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(run["killed"] for run in found["runs"]) >= KILLS
    assert found["whole"]["read"] == 24 * 64
    assert len(found["whole"]["stages"]) >= 3
    for one in found["runs"]:
        assert one["found"] == found["whole"]


@pytest.mark.parametrize("stop", [1, 9, 15])
def test_a_resumed_run_equals_one_that_was_never_stopped(
    run: Callable[..., Mined], world: Any, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(stream(world, 16), state=None)
    assert len(whole.stages) > 2
    monkeypatch.setattr(memory, "PAUSE", 0.0)
    with pytest.raises(Killed):
        run(stream(world, 16, stop))
    said: list[str] = []
    again = run(stream(world, 16), say=said.append)
    assert values_of(again) == values_of(whole)
    assert f"after {64 * stop:,} images" in said[0]


def test_what_came_after_the_last_state_is_read_again(
    run: Callable[..., Mined], world: Any
) -> None:
    """Only refits write a state here; the batches after them are scored again."""
    whole = run(stream(world, 16), state=None)
    with pytest.raises(Killed):
        run(stream(world, 16, 12))
    assert values_of(run(stream(world, 16))) == values_of(whole)


def test_another_stream_or_other_parameters_are_refused(
    run: Callable[..., Mined], world: Any, data: TrainingSet, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(stream(world, 16, 12))
    with pytest.raises(
        InvalidParameterError, match=r"`target`: must be None, as when .* written, got 0\.5"
    ):
        run(stream(world, 16), target=0.5)
    with pytest.raises(InvalidParameterError, match=r"Invalid `budget`: .*or delete the file"):
        run(stream(world, 16), effort=Effort(first=128, refits=4))
    with pytest.raises(InvalidDataError, match=r"does not begin with the .* images"):
        run(stream(world, 1))
    assert run(stream(world, 16), effort=Effort(16 * 64, first=128, refits=2)).read == 16 * 64


def test_a_stream_that_fails_early_leaves_the_state(
    run: Callable[..., Mined], world: Any, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(stream(world, 16, 12))

    def broken() -> Iterator[np.ndarray]:
        yield from stream(world, 1)
        raise OSError("no network")

    with pytest.raises(InvalidDataError, match=r"failed after 64 of the .*no network"):
        run(broken())
    assert run(stream(world, 16)).read == 16 * 64


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK no archive", "npz of something else"])
def test_a_file_with_something_else_is_refused(
    run: Callable[..., Mined], world: Any, tmp_path: Path, content: bytes | str
) -> None:
    if isinstance(content, str):
        np.savez(tmp_path / "other.npz", a=np.ones(3))
        (tmp_path / "other.npz").rename(tmp_path / "state")
    else:
        (tmp_path / "state").write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"not a state of mining.*Delete it"):
        run(stream(world, 5))


def test_no_code_is_read_from_a_state(
    run: Callable[..., Mined], world: Any, tmp_path: Path
) -> None:
    np.savez(tmp_path / "other.npz", plain=np.array([print], dtype=object))
    (tmp_path / "other.npz").rename(tmp_path / "state")
    with pytest.raises(InvalidDataError, match="not a state of mining"):
        run(stream(world, 5))


def test_mining_continues_if_the_state_can_not_be_written(
    run: Callable[..., Mined], world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory, "write_whole", full)
    with pytest.warns(DataWarning, match=r"can't be written.*No space left"):
        mined = run(stream(world, 16))
    assert mined.read == 16 * 64


def test_mining_of_images_resumes(
    quick: str, photos: Path, make_picture: Callable[[str, int], Image.Image], tmp_path: Path
) -> None:
    clf = ImageClassifier(strategy="blend", backbone=quick, cache=False).fit(photos)

    def pictures(stop: int | None = None) -> Iterator[Any]:
        for number in range(1, 801):
            if number == stop:
                raise Killed
            yield make_picture("grey" if number % 5 else "green", 1000 + number)

    options: dict[str, Any] = {"target": 0.0001, "hardest": 30, "uniform": 30}
    effort = Effort(first=200, refits=2)
    whole = mine(pictures(), clf, effort, **options)
    with pytest.raises(Killed):
        mine(pictures(700), clf, effort, **options, state=tmp_path / "state")
    assert (tmp_path / "state").exists()
    again = mine(pictures(), clf, effort, **options, state=tmp_path / "state")
    assert values_of(again) == values_of(whole)
    assert len(whole.stages) > 1
    assert again.classifier is not None
    other = ImageClassifier(strategy="blend", backbone=quick, cache=False, seed=1).fit(photos)
    with pytest.raises(InvalidParameterError, match=r"Invalid `classifier`: must be .* as when"):
        mine(pictures(), other, effort, **options, state=tmp_path / "state")
