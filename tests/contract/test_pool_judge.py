"""Quarantine and purge of hidden positives; damage that `verify` finds and `--repair` mends."""

from __future__ import annotations

import csv
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import outgroup
from outgroup.errors import InvalidParameterError

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, SECOND, World
from command_surface import run

FACTS = surface.Facts("pool_judge")


@pytest.mark.parametrize("fact", FACTS)
def test_judgements_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def built(out: Path, *sources: str) -> Path:
    """Build a pool and return its folder."""
    path = out / "pool"
    assert run("pool", "build", path, *sources, "--backbone", QUICK).code == 0
    return path


def states(path: Path) -> dict[str, Any]:
    """Return what is in quarantine, and the counts."""
    pool = outgroup.Pool(path)
    return {
        "quarantined": pool.rows(state="quarantined"),
        "counts": {
            name: {key: getattr(count, key) for key in surface.COUNTED}
            for name, count in pool.counts().items()
        },
    }


@FACTS
def images_put_into_quarantine_and_out_of_it(_: World, out: Path) -> Any:
    path = built(out, "random", "other")
    pool = outgroup.Pool(path)
    told = [pool.quarantine([3, 5, 40], "looks like a bar"), pool.quarantine([5, 6], "again")]
    first = states(path)
    reasons = {row: pool[row].reason for row in (2, 3, 5, 6)}
    told += [pool.release([3, 7]), pool.release([5], "looked at")]
    for given in (([99], "why"), ([1], ""), ([0.5], "why"), ("all", "why")):
        with pytest.raises(InvalidParameterError):
            pool.quarantine(*given)
    return {
        "told": told,
        "first": first,
        "reasons": reasons,
        "then": states(path),
        "reasons_then": {row: pool[row].reason for row in (3, 5, 6)},
        "judged": surface.judged(pool),
        "kept": len(pool.rows()),
    }


def purged(path: Path, *given: object) -> dict[str, Any]:
    """Purge a pool by the command, and return what it said."""
    told = run("pool", "purge", path, "--known", "photos", *given, "--json").json
    return {
        **{key: told[key] for key in ("dry_run", "images", "new")},
        "suspects": surface.suspects(told["suspects"]),
        "share": surface.share(told["share"]),
        **states(path),
    }


@FACTS
def hidden_positives_are_purged_and_answers_taken_over(_: World, out: Path) -> Any:
    path = built(out, "random", "other")
    page, answers = out / "page.html", out / "answers.csv"
    dry = purged(path, "--dry-run")
    first = purged(path, "--other", "other", "--sheet", page)
    found = [one["path"] for one in first["suspects"]]
    assert page.stat().st_size > 1000
    with answers.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows([found[0], ""] if i == 0 else [one, "circle"] for i, one in enumerate(found))
    said = run("pool", "purge", path, "--answers", answers, "--json").json
    after = states(path)
    return {
        "dry": dry,
        "first": first,
        "said": {key: said[key] for key in ("yes", "no")},
        "after": after,
        "again": purged(path, "--seed", 3),
    }


@FACTS
def a_purged_pool_is_learned_from_without_what_is_in_quarantine(_: World, out: Path) -> Any:
    path = built(out, "random")
    purged(path)
    given = ("photos", "--pool", path, "--strategy", "sigmoid")
    return surface.learned(out, *given)


def damaged(out: Path, harm: Callable[[Path], None]) -> dict[str, Any]:
    """Build a pool with two networks, do it harm, and return what is found and mended."""
    path = built(out, "bag")
    assert run("pool", "embed", path, "--backbone", SECOND).code == 0
    harm(path)
    found = {}
    for name, option in (("found", ()), ("repaired", ("--repair",)), ("after", ())):
        told = run("pool", "verify", path, *option, "--json")
        plain = {key: told.json[key] for key in ("images", "sound")}
        left = told.json["n_problems"] - told.json["n_repaired"]
        rows = sorted({one["row"] for one in told.json["problems"] if one["row"] is not None})
        found[name] = {"code": told.code, **plain, "left": left, "rows": rows}
    return {**found, **states(path)}


def flip(path: Path, place: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)


def shard(path: Path) -> Path:
    """Return the only shard of a pool."""
    (found,) = (path / "shards").glob("*.tar")
    return found


def embeddings(path: Path, layer: str) -> Path:
    """Return the embeddings of a pool by its own network, which are the wider ones."""
    return max(path.glob(f"embeddings/*/{layer}.npy"), key=lambda one: one.stat().st_size)


@FACTS
def a_sound_pool(_: World, out: Path) -> Any:
    return damaged(out, lambda _: None)


@FACTS
def an_image_that_has_changed(_: World, out: Path) -> Any:
    return damaged(
        out, lambda path: flip(shard(path), shard(path).read_bytes().index(b"JFIF") + 400)
    )


@FACTS
def an_embedding_that_has_changed(_: World, out: Path) -> Any:
    return damaged(out, lambda path: flip(embeddings(path, "last"), -48 * 2 * 3 + 7))


@FACTS
def images_that_are_cut_off(_: World, out: Path) -> Any:
    def harm(path: Path) -> None:
        with tarfile.open(shard(path)) as archive:
            middle = archive.getmember("000000012.jpg").offset_data + 1000
        shard(path).write_bytes(shard(path).read_bytes()[:middle])

    return damaged(out, harm)


@FACTS
def leftovers_of_a_run_that_was_stopped(_: World, out: Path) -> Any:
    def harm(path: Path) -> None:
        with shard(path).open("ab") as file:
            file.write(b"half an image")
        (path / "shards" / "000001.tar").write_bytes(b"half a shard")

    return damaged(out, harm)


@FACTS
def a_shard_that_is_gone(_: World, out: Path) -> Any:
    return damaged(out, lambda path: shard(path).unlink())


@FACTS
def images_can_be_added_after_a_repair(_: World, out: Path) -> Any:
    path = built(out, "bag/left")
    whole = surface.contents(path)
    with shard(path).open("ab") as file:
        file.write(b"half an image")
    assert run("pool", "verify", path).code == 3
    assert run("pool", "verify", path, "--repair").code == 0
    assert surface.contents(path) == whole
    told = surface.added(run("pool", "add", path, "bag", "--json"))
    (out / "other").mkdir()
    another = built(out / "other", "bag")
    assert surface.contents(path) == surface.contents(another)
    return told
