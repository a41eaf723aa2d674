"""``outgroup evaluate``: measure a model on images that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import UNREADABLE, file_dicts, print_json, print_table, results, tell_files
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.evaluation import Evaluation, OutputResult, Rate, UnknownResult


def evaluate(
    model: options.Model,
    known: Annotated[
        Path,
        options.option(
            "DIR|CSV", "Labelled images, as for train; for a model with several inputs, a table."
        ),
    ],
    unknown: Annotated[
        list[Path] | None,
        options.option(
            "DIR...",
            "Images that are none of the classes, reported by sub-folder. For a model with several "
            "inputs, tables.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure a model on images it has not seen. Exit code 3 if some could not be read."""
    from outgroup.classifier import ImageClassifier, load

    classifier = load(model)
    if not isinstance(classifier, ImageClassifier):
        for path in (known, *(unknown or [])):
            if path.is_dir():
                name = "--known" if path == known else "--unknown"
                raise InvalidParameterError(
                    f"Invalid `{name}`: must be a JSON or CSV file for a model with several "
                    f"inputs, got the folder {path}."
                )
    found, unreadable = classifier.evaluate(known, unknown=unknown or [])
    if json:
        print_json({**found.to_dict(), "unreadable": file_dicts(unreadable)})
    else:
        _print(found)
    tell_files("could not be read, and count in no figure", unreadable)
    if unreadable:
        raise typer.Exit(UNREADABLE)


def _print(found: Evaluation) -> None:
    if found.schema.is_single:
        _print_output(found.outputs[0])
    elif found.schema.is_multi_label:
        _print_labels(found)
    else:
        for output in found.outputs:
            results().print(f"Column {output.name}", style="bold")
            _print_output(output)
            results().print()
        _print_columns(found)


def _print_output(found: OutputResult) -> None:
    rows = [
        (r.name, f"{r.recall.n:,}", *map(str, (r.recall, r.rejected, r.wrong_label)))
        for r in (*found.classes, found.overall)
    ]
    columns = ("known class", "n", "right %", "rejected %", "wrong class %")
    print_table("Known images", columns, rows)
    if found.unknown_overall is None:
        return
    results().print()
    unknown = [_unknown_row(r) for r in found.unknown]
    unknown.append(_unknown_row(found.unknown_overall))
    columns = ("unknown", "n", "accepted %", "AUROC", "FPR95 %")
    print_table("Unknown images", columns, unknown)
    results().print(
        "\nIn brackets: 95 % intervals. Accepted: given a class at the model's threshold. FPR95: "
        "accepted at the threshold that keeps 95 % of the known images. AUROC: 0.5 is chance."
    )


def _print_labels(found: Evaluation) -> None:
    rows = [
        (r.name, f"{r.recall.n:,}", *map(str, (r.precision, r.recall)), str(r.average_precision))
        for r in found.classes
    ]
    columns = ("label", "n", "precision %", "recall %", "average precision")
    print_table("Labels", columns, rows)
    results().print()
    summary = [
        ("macro F1", "", str(found.macro_f1)),
        ("micro F1", "", str(found.micro_f1)),
        _rate_row("images with labels: exactly these given %", found.exact_match),
        _rate_row("images with labels: any label given %", found.coverage),
        _rate_row("images of none: any label given %", found.none_given),
    ]
    if len(found.by_origin) > 1:
        summary += [_rate_row(f"  {name}", rate) for name, rate in found.by_origin.items()]
    print_table("All labels", ("figure", "n", "value"), summary)
    results().print(
        "\nIn brackets: 95 % intervals. F1 counts labels given and labels there, so a model that "
        "never answers has an F1 of 0."
    )


def _print_columns(found: Evaluation) -> None:
    rows = [
        _rate_row("images with a class in every column: all right %", found.all_right),
        _rate_row("images of none in every column: any class given %", found.none_given),
    ]
    print_table("All columns", ("figure", "n", "value"), rows)


def _rate_row(name: str, rate: Rate) -> tuple[str, str, str]:
    return name, f"{rate.n:,}", str(rate)


def _unknown_row(result: UnknownResult) -> tuple[str, ...]:
    low, high = result.auroc_interval
    return (
        result.name,
        f"{result.accepted.n:,}",
        str(result.accepted),
        f"{result.auroc:.3f} [{low:.3f}, {high:.3f}]",
        str(result.fpr95),
    )
