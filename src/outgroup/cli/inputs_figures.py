"""`evaluate` and `compare` for networks with several inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup.cli.inputs import joined, read_spec
from outgroup.cli.output import errors, print_json, results, table, tell_files
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.data import Skipped
    from outgroup.multi_input.comparing import WayResult

LEGEND = (
    "Of the same rows, which nothing was learned from, with 95 % intervals. more: log loss more "
    "than that of the first. empty: % of these rows given a class although nothing is left in "
    "their images but background."
)


def evaluate_rows(model: Path, known: Path, unknown: list[Path]) -> tuple[Any, tuple[Skipped, ...]]:
    """Return the figures of a model with several inputs on tables of rows."""
    from outgroup.multi_input import MultiInputClassifier

    for path in (known, *unknown):
        if path.is_dir():
            raise InvalidParameterError(
                "The '--known' and '--unknown' parameters must be JSON or CSV files for a model "
                f"with several inputs. Got {path}, a folder."
            )
    return MultiInputClassifier.load(model).evaluate(known, unknown=unknown)


def compare_inputs(
    data: Path,
    spec: Path,
    other: list[Path] | None,
    ways: list[str] | None,
    seed: int,
    as_json: bool,
) -> None:
    """Compare presets, single inputs and a baseline on rows of a table."""
    from outgroup.multi_input.comparing import compare_ways
    from outgroup.multi_input.declarations import check_one_of
    from outgroup.multi_input.gathering import gather_rows
    from outgroup.multi_input.leaks import warn_of_leaks
    from outgroup.multi_input.learning import torch_there
    from outgroup.multi_input.plans import PRESETS
    from outgroup.multi_input.targets import TARGETS

    torch_there()
    own = read_spec(spec)
    check_one_of("target", own.target, TARGETS)
    check_one_of("preset", own.preset, tuple(PRESETS))
    negatives = joined(other) if other else None
    rows = gather_rows(
        own.inputs, own.target, data, own.label, own.groups, negatives, None, own.id, own.names
    )
    tell_files("rows could not be read", rows.unreadable)
    warn_of_leaks(own.inputs, rows)
    found = list(compare_ways(rows, own.inputs, own.target, own.preset, ways, seed))
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    able = [one for one in found if one.problem is None]
    strange = any(one.others for one in able)
    columns = ["way", "log loss", "right %", "more", "empty", *["others"] * strange, "s"]
    console = results()
    lines = [_line(one, strange) for one in able]
    made = table("Networks with several inputs", columns, lines)
    made.collapse_padding = True  # leaves room for the names
    console.print(made)
    console.print()
    more = " others: % of the rows given as others that are given a class." if strange else ""
    console.print(LEGEND + more)
    for one in found:
        if one.problem is not None:
            errors().print(f"{one.name}: {one.problem}")


def _line(one: WayResult, strange: bool) -> tuple[str, ...]:
    rates = [one.backgrounds, *[one.others] * strange]
    return (
        one.name,
        "" if one.log_loss is None else _short(one.log_loss),
        "" if one.accuracy is None else _percent(one.accuracy),
        "" if one.worse is None else _short(one.worse),
        *("" if rate is None else f"{(rate.value or 0.0) * 100:.0f}" for rate in rates),
        f"{one.seconds:.0f}",
    )


def _percent(figure: Any) -> str:
    return f"{100 * figure.value:.0f} [{100 * figure.low:.0f}, {100 * figure.high:.0f}]"


def _short(figure: Any) -> str:
    value, low, high = (round(one, 2) + 0.0 for one in (figure.value, figure.low, figure.high))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"  # and never -0.00
