"""``outgroup evaluate``: figures on images that were not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup.cli import inputs_figures, options, several
from outgroup.cli.output import print_json, results, table, tell_files

if TYPE_CHECKING:
    from outgroup.evaluation import Evaluation, UnknownResult


def evaluate(
    model: options.Model,
    known: Annotated[
        Path,
        typer.Option(
            metavar="DIR|CSV",
            help="Labelled images, as for train; for a model with several inputs, a table.",
            show_default=False,
        ),
    ],
    unknown: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR...",
            help="Images that are none of the classes; each sub-folder is a row. For a model with "
            "several inputs, tables.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure a model on images that it has not seen. Exit code 3 if some could not be read."""
    from outgroup.classifier import ImageClassifier
    from outgroup.multi_input.files import is_inputs_file

    if is_inputs_file(model):
        found, unreadable = inputs_figures.evaluate_rows(model, known, unknown or [])
    else:
        found, unreadable = ImageClassifier.load(model).evaluate(known, unknown or [])
    if json:
        listed = [{"path": file.path, "reason": file.reason} for file in unreadable]
        print_json({**found.to_dict(), "unreadable": listed})
    else:
        _print_any(found)
    tell_files("could not be read, and count in no figure", unreadable)
    if unreadable:
        raise typer.Exit(3)


def _print_any(found: Any) -> None:
    from outgroup.evaluation import LabelsEvaluation, OutputsEvaluation

    if isinstance(found, LabelsEvaluation):
        several.print_labels(found)
    elif isinstance(found, OutputsEvaluation):
        several.print_outputs(found, _print)
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    console = results()
    rows = [
        (r.name, f"{r.recall.n:,}", *map(str, (r.recall, r.rejected, r.wrong_label)))
        for r in (*found.classes, found.overall)
    ]
    columns = ("known class", "n", "right %", "called other %", "wrong class %")
    console.print(table("Known images", columns, rows))
    if found.unknown_overall is None:
        return
    console.print()
    unknown = [_unknown_row(r) for r in found.unknown]
    unknown.append(_unknown_row(found.unknown_overall))
    columns = ("unknown", "n", "accepted %", "AUROC", "FPR95 %")
    console.print(table("Unknown images", columns, unknown))
    console.print()
    console.print(
        "In brackets: 95 % intervals. Accepted: given a class at the model's threshold. FPR95: at "
        "the threshold that keeps 95 % of the known images above. AUROC: 0.5 is chance."
    )


def _unknown_row(result: UnknownResult) -> tuple[str, ...]:
    low, high = result.auroc_interval
    return (
        result.name,
        f"{result.accepted.n:,}",
        str(result.accepted),
        f"{result.auroc:.3f} [{low:.3f}, {high:.3f}]",
        str(result.fpr95),
    )
