from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from outgroup import Pool
from outgroup.pool import Incoming


@pytest.fixture(scope="session")
def bag() -> SimpleNamespace:
    """What `quick_network.py` holds: a network that takes no time, and pictures."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("quick_network.py"))))


@pytest.fixture
def new_pool(bag: SimpleNamespace, tmp_path: Path) -> Callable[..., Pool]:
    def make(name: str = "pool", **options: Any) -> Pool:
        return Pool.create(tmp_path / name, bag.QuickNetwork(**options))

    return make


@pytest.fixture
def some(bag: SimpleNamespace) -> Callable[..., Iterator[Incoming]]:
    """Give pictures with the numbers from `first` to `stop`."""

    def give(first: int, stop: int, source: str = "made") -> Iterator[Incoming]:
        for i in range(first, stop):
            yield Incoming(bag.picture(i), source, f"#{i}")

    return give


@pytest.fixture
def pool(new_pool: Callable[..., Pool], some: Callable[..., Iterator[Incoming]]) -> Pool:
    """A pool of 30 pictures from two sources."""
    made = new_pool()
    made.add(some(0, 20, "left"))
    made.add(some(20, 30, "right"))
    return made
