"""Whatever happens to a file, what comes out is images and an error of this package."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outgroup.errors import OutgroupError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def mutated(data: bytes, seed: int) -> bytes:
    """The data with a few bytes changed, a stretch taken out, or one put in."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for where in rng.integers(0, len(changed), rng.integers(1, 6)):
        changed[where] = rng.integers(256)
    start, length = (int(v) for v in rng.integers(0, (len(changed), 700)))
    if seed % 3 == 0:
        del changed[start : start + length]
    elif seed % 3 == 1:
        changed[start:start] = rng.bytes(length)
    return bytes(changed)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.zip", "a.parquet"])
def test_damaged_files_end_in_errors_of_this_package(
    make_tar, png: PNG, tmp_path: Path, name: str
) -> None:
    files = {f"folder/{'long' * 30}{i}.png": png(i) for i in range(4)}
    files["folder/1.json"] = b'{"group": "a"}'
    path = tmp_path / name
    if name == "a.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in files.items():
                archive.writestr(member, data)
    elif name == "a.parquet":
        pytest.importorskip("pyarrow", reason="pyarrow (extra hub) is not installed")
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table({"image": [png(i) for i in range(4)]})
        pyarrow.parquet.write_table(table, path, row_group_size=2)
    else:
        make_tar(name, files)
    whole = path.read_bytes()
    damaged = 0
    for seed in range(250):
        path.write_bytes(mutated(whole, seed))
        read = []
        try:
            read.extend(open_source(path))
        except OutgroupError:
            damaged += 1
        assert len(read) <= 8
        assert all(isinstance(incoming.image, (bytes, str)) for incoming in read)
    assert damaged > 100
