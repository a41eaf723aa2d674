"""Negatives drawn from a pool, mixed into batches, and embedded by a second network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outgroup
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError, PoolError

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, SECOND, World
from command_surface import run, sha256

FACTS = surface.Facts("pool_draw")


@pytest.mark.parametrize("fact", FACTS)
def test_draws_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def built(out: Path) -> Any:
    """Return a pool of 50 patches and shapes from three sources."""
    pool = outgroup.Pool.create(out / "pool", QUICK)
    pool.add("random/patches", progress=False)
    pool.add("other", progress=False)
    return pool


def drawn(sample: Any) -> dict[str, Any]:
    """Return what was drawn."""
    return {
        "rows": sample.rows,
        "why": sample.why,
        "counts": sample.counts,
        "n": len(sample),
        "missing": sample.missing,
        "synthetic": [float(image.mean()) for image in sample.synthetic],
        "sizes": [image.size for image in sample.images()],
        "arrays": [float(array.mean()) for array in sample.arrays()],
        "sha256": sha256(sample.synthetic.tobytes()),
    }


@FACTS
def samples_near_far_and_synthetic(_: World, out: Path) -> Any:
    pool = built(out)
    return {
        "default": drawn(pool.sample(12, "photos")),
        "without_known": drawn(pool.sample(12)),
        "another_seed": drawn(pool.sample(12, "photos", seed=5)),
        "only_near": drawn(pool.sample(6, "photos", near=1, far=0, synthetic=0)),
        "only_far": drawn(pool.sample(9, near=0, far=1, synthetic=0)),
        "without_a_source": drawn(pool.sample(9, "photos", exclude=["patches"])),
        "by_logits": drawn(pool.sample(8, "photos", near=0.75, far=0.25, layer="logits")),
    }


@FACTS
def samples_near_embeddings_that_are_given(_: World, out: Path) -> Any:
    pool = built(out)
    known = pool.features([0, 31, 40])["last"]
    return drawn(pool.sample(10, known, near=0.6, far=0.2, synthetic=0.2))


@FACTS
def samples_without_what_is_in_quarantine(_: World, out: Path) -> Any:
    pool = built(out)
    before = set(pool.sample(12, "photos", near=1, far=0, synthetic=0).rows.tolist())
    pool.quarantine(sorted(before), "looks like a shape")
    after = pool.sample(12, "photos", near=1, far=0, synthetic=0)
    assert not before & set(after.rows.tolist())
    return drawn(after)


@FACTS
def samples_of_more_than_there_is(_: World, out: Path) -> Any:
    pool = built(out)
    with pytest.warns(DataWarning):
        return drawn(pool.sample(60, "photos", near=0.2, far=0.8, synthetic=0))


@FACTS
def samples_that_are_refused(_: World, out: Path) -> Any:
    pool = built(out)
    for given in (
        {"near": 0.8, "far": 0.8, "synthetic": 0},
        {"near": 1, "far": 0, "synthetic": 0},  # near to what?
        {"seed": -1},
    ):
        with pytest.raises(InvalidParameterError):
            pool.sample(5, **given)
    return True


def batches(layout: str = "NHWC", kind: str = "bytes") -> list[tuple[np.ndarray, np.ndarray]]:
    """Return three batches of four dark images, 24 x 32, with labels of three classes."""
    found = []
    for i in range(3):
        draws = np.random.default_rng(i)
        x = draws.integers(0, 60, (4, 24, 32, 3), dtype=np.uint8)
        x = x.transpose(0, 3, 1, 2) if layout == "NCHW" else x
        if kind == "floats":
            x = x.astype(np.float32) / 255
        found.append((x, draws.integers(0, 3, 4)))
    return found


def mixed(found: Any) -> list[dict[str, Any]]:
    """Return the shapes, labels and mean values of batches."""
    told = []
    for x, y, *weights in found:
        told.append(
            {
                "shape": x.shape,
                "type": str(x.dtype),
                "y": [None if one is None else np.asarray(one).tolist() for one in y],
                "means": np.asarray(x, float).reshape(len(x), -1).mean(axis=1),
                "weights": [np.asarray(one).tolist() for one in weights],
                "sha256": sha256(np.ascontiguousarray(x).tobytes()),
            }
        )
    return told


@FACTS
def batches_of_images_with_negatives(_: World, out: Path) -> Any:
    pool = built(out)
    rows = pool.sample(5, near=0, far=1, synthetic=0).rows
    one_hot = [(x, np.eye(4)[y]) for x, y in batches()]
    zeros = [(x, np.eye(3)[y]) for x, y in batches()]
    names = [(x, [["circle", "square", "triangle"][k] for k in y]) for x, y in batches()]
    weighted = [(x, y, np.full(4, 0.5, np.float32)) for x, y in batches()]
    return {
        "labels": mixed(pool.mix(batches(), ratio=0.75, n_classes=3)),
        "another_seed": mixed(pool.mix(batches(), ratio=0.75, n_classes=3, seed=9)),
        "floats": mixed(pool.mix(batches("NCHW", "floats"), n_classes=3)),
        "some_rows": mixed(pool.mix(batches(), ratio=0.5, rows=rows, n_classes=3)),
        "same_ones": mixed(pool.mix(batches(), ratio=0.5, fresh=False, n_classes=3)),
        "one_hot": mixed(pool.mix(one_hot, ratio=0.5, n_classes=3)),
        "zeros": mixed(pool.mix(zeros, ratio=0.5, target="zeros")),
        "names": mixed(pool.mix(names, ratio=0.5, target="none")),
        "weights": mixed(pool.mix(weighted, ratio=0.5, n_classes=3)),
        "length": len(pool.mix(batches(), n_classes=3)),
    }


@FACTS
def batches_of_embeddings_with_negatives(_: World, out: Path) -> Any:
    pool = built(out)
    known = pool.features(range(8))["last"]
    given = [(known[:4], np.arange(4) % 3), (known[4:], np.arange(4) % 3)]
    found = mixed(pool.mix(given, ratio=1.0, layer="last", n_classes=3))
    for batch in found:  # the negatives differ in the last bits of float16
        del batch["sha256"]
    return found


@FACTS
def batches_normalised_by_a_transform(_: World, out: Path) -> Any:
    pool = built(out)
    given = [(x.astype(np.float32) / 127.5 - 1, y) for x, y in batches()]

    def normalised(images: np.ndarray) -> np.ndarray:
        return images.astype(np.float32) / 127.5 - 1

    return mixed(pool.mix(given, ratio=0.5, n_classes=3, transform=normalised))


@FACTS
def batches_that_are_refused(_: World, out: Path) -> Any:
    pool = built(out)
    for given in ({"ratio": -1.0, "n_classes": 3}, {"target": "ones"}, {}, {"n_classes": 0}):
        with pytest.raises(InvalidParameterError):
            list(pool.mix(batches(), **given))
    with pytest.raises(InvalidDataError):
        outgroup.Pool.create(out / "empty", QUICK).mix(batches(), n_classes=3)
    return True


@FACTS
def embeddings_of_a_second_network(_: World, out: Path) -> Any:
    pool = built(out)
    path = out / "pool"
    before = surface.bytes_of(path)
    first = run("pool", "embed", path, "--backbone", SECOND, "--json").json
    again = run("pool", "embed", path, "--backbone", SECOND, "--json").json
    own = run("pool", "embed", path, "--backbone", QUICK, "--json").json
    pool.add("new/ring", progress=False)
    with pytest.raises(PoolError):
        pool.seen_by(SECOND)
    counts = pool.other_backbones()
    n_new = pool.embed(SECOND, progress=False)
    seen = pool.seen_by(SECOND)
    assert pool.layers != seen.layers
    after = surface.bytes_of(path)
    assert len(before["last.npy"]) == 1
    return {
        "told": [
            {key: one[key] for key in ("backbone", "images", "new")} for one in (first, again)
        ],
        "own": own["new"],
        "counts": counts,
        "n_new": n_new,
        "layers": seen.layers,
        "sums": {k: np.abs(v).sum(axis=1) for k, v in seen.features(range(len(seen))).items()},
        "sample": drawn(seen.sample(8, "photos")),
        "verified": run("pool", "verify", path, "--json").json["sound"],
        "sha256": after,
    }


@FACTS
def images_and_embeddings_by_row(_: World, out: Path) -> Any:
    pool = built(out)
    rows = [33, 2, 2, 17]
    with pytest.raises(InvalidParameterError):
        pool.features([0, 99])
    with pytest.raises(InvalidParameterError):
        pool.rows(state="lost")
    with pytest.raises(IndexError):
        pool[99]
    with pytest.raises(PoolError):
        outgroup.Pool(out / "nowhere")
    return {
        "origins": [record.origin for record in pool.records(rows)],
        "last": pool[-1].origin,
        "sizes": [image.size for image in pool.images(rows)],
        "features": pool.features(rows, ["logits"])["logits"],
        "rows": {name: pool.rows(name) for name in ("bar", "cross", "patches", "none")},
        "sha256": [sha256(data) for data in pool.encoded(rows)],
    }
