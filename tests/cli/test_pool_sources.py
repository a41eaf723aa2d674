"""``outgroup pool sources``, whichever app it is registered in."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from outgroup.cli.lists import sources
from outgroup.pool.image_sets import SETS
from outgroup.pool.sources import SOURCES


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(sources)
    return app


def test_table_fits_80_columns_and_names_every_set(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert max(len(line.rstrip()) for line in done.output.splitlines()) <= 80
    for one in SETS:
        assert f"hf:{one.name} " in done.output
    assert done.output.count("non-commercial:") == sum(s.terms == "non-commercial" for s in SETS)
    assert done.output.count("unclear:") == sum(s.terms == "unclear" for s in SETS)


def test_json_has_all_of_it(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["--json"])
    found = json.loads(done.stdout)
    assert [kind["kind"] for kind in found["kinds"]] == list(SOURCES)
    assert [one["name"] for one in found["sets"]] == [one.name for one in SETS]
    for one in found["sets"]:
        assert one["spec"].startswith("hf://datasets/")
        assert {"licence", "terms", "images", "size", "classes", "seen"} <= set(one)
