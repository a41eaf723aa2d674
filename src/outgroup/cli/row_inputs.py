"""``train --inputs`` and ``compare --inputs``: networks with several inputs."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from outgroup.cli.output import (
    errors,
    file_dicts,
    print_json,
    print_saved,
    print_table,
    results,
    tell_files,
)
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.classifier.row_comparison import VariantResult
    from outgroup.multi_input import Inputs
    from outgroup.multi_input.row_table import RowTable

#: What a file of inputs may hold besides the inputs themselves.
_KEYS = ("target", "preset", "negatives", "label", "groups", "id", "names")

_UNUSED = (
    "It is for images with one input; the file of --inputs describes a network with several: "
    f"{', '.join(_KEYS[:4])}."
)
_NO_POOL = (
    "A pool holds images alone, and a row for such a network has all of its inputs: a random image "
    "has no second band and no angle. Give tables of rows that are none of the classes with "
    '--other, or let "negatives": "background" make some.'
)

_LEGEND = (
    "All figures are of the same rows, which were not trained on, with 95 % intervals. more: log "
    "loss less that of the first. empty: % of these rows given a class although nothing but "
    "background is left in their images."
)


@dataclass(frozen=True)
class InputsFile:
    """Contents of a file of inputs.

    `label`, `groups` and `id` are columns: of labels, of groups, of names of rows. `names` holds
    names of classes by value of the label column. The others are as for `MultiInputClassifier`.
    """

    inputs: Inputs
    target: str = "binary"
    preset: str = "two-branch-plus"
    negatives: str = "preset"
    label: str = "label"
    groups: str | None = None
    id: str | None = None
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> InputsFile:
        """Read a JSON file; `InvalidParameterError` if it is none, or holds anything else."""
        from outgroup.multi_input import Inputs

        try:
            given = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError) as error:
            problem = "which does not exist" if isinstance(error, FileNotFoundError) else error
            raise InvalidParameterError(
                f"Invalid `--inputs`: must be a JSON file, got {path}, {problem}."
            ) from error
        if not isinstance(given, dict):
            raise InvalidParameterError(
                "Invalid `--inputs`: must be a JSON file that holds an object, as in "
                '{"images": ["band_1"], "table": ["angle"], "label": "kind"}, got a '
                f"{type(given).__name__}."
            )
        own = {key: given.pop(key) for key in _KEYS if key in given}
        names = own.get("names", {})
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise InvalidParameterError(
                "Invalid `names`: must be the names of classes by value of the label column, as in "
                f'{{"0": "ship", "1": "iceberg"}}, got {names!r}.'
            )
        for key in own.keys() - {"names"}:
            if not isinstance(own[key], str):
                raise InvalidParameterError(f"Invalid `{key}`: must be a text, got {own[key]!r}.")
        return cls(Inputs.from_dict(given), **own)


def refuse_options(context: typer.Context, allowed: Collection[str]) -> None:
    """Refuse options that a command given ``--inputs`` would not use."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        # By name: typer may bring a click of its own, whose members are not equal to click's.
        if name in allowed or source is None or source.name == "DEFAULT":
            continue
        raise InvalidParameterError(
            f"Invalid `{parameter.opts[0]}`: must be left out with --inputs, got both. "
            f"{_NO_POOL if name == 'pool' else _UNUSED}"
        )


def train_inputs(
    data: Path,
    inputs: Path,
    out: Path,
    other: list[Path] | None,
    budget: dict[str, Any],
    seed: int,
    ablation: bool,
    as_json: bool,
) -> None:
    """Train a network with several inputs from a table; `budget` holds the bounds on its errors."""
    from outgroup.classifier import MultiInputClassifier

    own = InputsFile.read(inputs)
    classifier = MultiInputClassifier(
        own.inputs, own.preset, own.target, negatives=own.negatives, seed=seed, **budget
    )
    classifier.fit(data, own.label, own.groups, _joined(other), id=own.id, names=own.names)
    classifier.save(out)
    compared = classifier.ablation() if ablation else None
    model, report = classifier.model, classifier.report
    n_others = classifier.contents.training.n_others
    tell_files("rows could not be read", report.unreadable)
    if as_json:
        print_json(
            {
                "model": str(out),
                "classes": report.class_counts,
                "n_others": n_others,
                "threshold": model.threshold,
                "certificate": model.certificate.to_dict(),
                "unreadable": file_dicts(report.unreadable),
                "ablation": None if compared is None else asdict(compared),
            }
        )
        return
    rows = [(name, f"{count:,}") for name, count in report.class_counts.items()]
    rows += [("(none of these)", f"{n_others:,}")] if n_others else []
    print_table("Learned from", ("class", "rows"), rows)
    console = results()
    console.print(f"\n{model.certificate.sentence}")
    if compared is not None:
        console.print(f"\n{compared}", soft_wrap=True)
    print_saved(out, "TABLE.json")


def compare_inputs(
    data: Path,
    inputs: Path,
    other: list[Path] | None,
    names: list[str] | None,
    seed: int,
    as_json: bool,
) -> None:
    """Compare presets, single inputs and a baseline on rows of a table."""
    from outgroup.classifier.row_comparison import compare_variants
    from outgroup.multi_input import PRESETS
    from outgroup.multi_input.inputs import require_one_of
    from outgroup.multi_input.leaks import warn_of_leaks
    from outgroup.multi_input.training_rows import TARGETS, gather_rows
    from outgroup.torch_loop import require_torch

    require_torch("Training a network with several inputs")
    own = InputsFile.read(inputs)
    require_one_of("target", own.target, TARGETS)
    require_one_of("preset", own.preset, tuple(PRESETS))
    negatives = _joined(other)
    rows = gather_rows(
        own.inputs, own.target, data, own.label, own.groups, negatives, None, own.id, own.names
    )
    tell_files("rows could not be read", rows.unreadable)
    warn_of_leaks(own.inputs, rows)
    found = list(compare_variants(rows, own.inputs, own.target, own.preset, names, seed))
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    able = [one for one in found if one.problem is None]
    with_others = any(one.others for one in able)
    columns = ["network", "log loss", "right %", "more", "empty", *["others"] * with_others, "s"]
    lines = [_cells(one, with_others) for one in able]
    print_table("Networks with several inputs", columns, lines, narrow=True)
    more = " others: % of the rows given as others that are given a class." if with_others else ""
    results().print(f"\n{_LEGEND}{more}")
    for one in found:
        if one.problem is not None:
            errors().print(f"{one.name}: {one.problem}")


def _joined(paths: list[Path] | None) -> RowTable | None:
    """Return the rows of several tables as one."""
    from outgroup.multi_input.row_table import RowTable, as_row_table

    return RowTable.joined([as_row_table(path) for path in paths]) if paths else None


def _cells(one: VariantResult, with_others: bool) -> tuple[str, ...]:
    rates = [one.backgrounds, *[one.others] * with_others]
    return (
        one.name,
        _interval(one.log_loss, 1, 2),
        _interval(one.accuracy, 100, 0),
        _interval(one.worse, 1, 2),
        *("" if rate is None else f"{(rate.value or 0.0) * 100:.0f}" for rate in rates),
        f"{one.seconds:.0f}",
    )


def _interval(figure: Any, scale: int, digits: int) -> str:
    if figure is None:
        return ""
    # Adding 0.0 turns -0.0 into 0.0.
    given = (round(scale * one, digits) + 0.0 for one in (figure.value, figure.low, figure.high))
    value, low, high = (f"{one:.{digits}f}" for one in given)
    return f"{value} [{low}, {high}]"
