from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from outgroup import Pool

KILLS = 50


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fifty_kills_lose_nothing_and_double_nothing(bag: SimpleNamespace, tmp_path: Path) -> None:
    images = tmp_path / "images"
    bag.mixed_bag(images, 300)
    whole = Pool.create(tmp_path / "whole", bag.QuickNetwork())
    whole.add(bag.incoming(images))
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, script, images, tmp_path / "killed", str(KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    killed = json.loads(done.stdout)
    assert sum(killed) >= KILLS
    rows = range(len(whole))
    assert len(whole) == 240
    for number in range(len(killed)):
        pool = Pool(tmp_path / "killed" / str(number))
        assert list(pool) == list(whole)
        assert pool.counts() == whole.counts()
        assert list(pool.unreadable()) == list(whole.unreadable())
        assert pool.encoded(rows) == whole.encoded(rows)
        for layer, vectors in whole.features(rows).items():
            np.testing.assert_array_equal(pool.features(rows)[layer], vectors)
        for path in whole.path.rglob("*"):
            if path.suffix in (".tar", ".npy"):
                again = pool.path / path.relative_to(whole.path)
                assert again.read_bytes() == path.read_bytes(), again
        found = pool.verify()
        assert (found.n_problems, found.n_unsummed, found.images) == (0, 0, len(whole))
