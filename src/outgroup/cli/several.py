"""What the commands print of models with several labels or columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgroup.cli.output import errors, print_json, results, table

if TYPE_CHECKING:
    from outgroup.artifact import Model
    from outgroup.evaluation import LabelsEvaluation, OutputsEvaluation
    from outgroup.multilabel.compare import LabelerResult
    from outgroup.selection import Comparison


def decision(model: Model) -> str:
    """Return when an image is other, in a sentence or a table's worth of them."""
    from outgroup.multilabel import LabelsModel, OutputsModel

    if isinstance(model, LabelsModel):
        rows = zip(model.classes, model.thresholds, strict=True)
        listed = ", ".join(f"{name} {threshold:.4g}" for name, threshold in rows)
        return f"An image has each label whose score is at most its threshold: {listed}."
    if isinstance(model, OutputsModel):
        listed = ", ".join(f"{name} {one.threshold:.4g}" for name, one in model.columns.items())
        return f"A column is other when its other-score is above its threshold: {listed}."
    return f"An image is other when its other-score is above {model.threshold:.4g}."


def remarks(model: Model) -> list[str]:
    """Return what a user should know beside the promises."""
    from outgroup.multilabel import LabelsModel

    return model.remarks if isinstance(model, LabelsModel) else []


def fields(model: Model) -> dict[str, Any]:
    """Return what ``train --json`` says of such a model beside what it says of all."""
    from outgroup.multilabel import LabelsModel, OutputsModel

    if isinstance(model, LabelsModel):
        thresholds = dict(zip(model.classes, model.thresholds.tolist(), strict=True))
        return {"thresholds": thresholds, "remarks": model.remarks}
    if isinstance(model, OutputsModel):
        return {"thresholds": {name: one.threshold for name, one in model.columns.items()}}
    return {}


def print_labels(found: LabelsEvaluation) -> None:
    """Print the figures of a multi-label model, within 80 columns."""
    console = results()
    rows = [
        (r.name, f"{r.recall.n:,}", *map(str, (r.precision, r.recall)), str(r.average_precision))
        for r in found.labels
    ]
    columns = ("label", "n", "precision %", "recall %", "average precision")
    console.print(table("Labels", columns, rows))
    console.print()
    n, none = found.exact_match.n, found.none_given
    summary: list[tuple[str, str, str]] = [
        ("macro F1", "", str(found.macro_f1)),
        ("micro F1", "", str(found.micro_f1)),
        ("images with labels: all of these and no other %", f"{n:,}", str(found.exact_match)),
        ("images with labels: any label given %", f"{found.coverage.n:,}", str(found.coverage)),
        ("images of none: any label given %", f"{none.n:,}", str(none)),
    ]
    if len(found.by_origin) > 1:
        summary += [(f"  {k}", f"{rate.n:,}", str(rate)) for k, rate in found.by_origin.items()]
    console.print(table("All labels", ("figure", "n", "value"), summary))
    console.print()
    console.print(
        "In brackets: 95 % intervals. F1 counts labels given and labels there, never zeros left "
        "zero: answering nothing has an F1 of 0."
    )


def print_outputs(found: OutputsEvaluation, print_one: Callable[[Any], None]) -> None:
    """Print the figures of each column, and those of all together."""
    console = results()
    for name, one in found.columns.items():
        console.print(f"Column {name}", style="bold")
        print_one(one)
        console.print()
    rows = [
        ("images with a class in every column: all right %", found.all_right),
        ("images of none in every column: any class given %", found.none_given),
    ]
    summary = [(name, f"{rate.n:,}", str(rate)) for name, rate in rows]
    console.print(table("All columns", ("figure", "n", "value"), summary))


def print_labelers(found: Sequence[LabelerResult], json: bool) -> None:
    """Print the comparison of labelers."""
    if json:
        print_json([result.to_dict() for result in found])
        return
    rows = []
    for result in found:
        if result.found is not None:
            one = result.found
            figures = (one.macro_f1, one.exact_match, one.none_given)
            rows.append((result.name, *map(str, figures), f"{result.seconds:.1f}"))
    columns = ("strategy", "macro F1", "all right %", "none: given %", "s")
    console = results()
    console.print(table("Held-out images, with 95 % intervals", columns, rows))
    console.print(
        "All right: images with labels that were given these and no other. None: given: images of "
        "none of the labels that were given any. s: seconds."
    )
    for result in found:
        if result.problem is not None:
            errors().print(f"{result.name}: {result.problem}")


def print_columns(
    found: Mapping[str, Comparison], json: bool, print_one: Callable[[Comparison], None]
) -> None:
    """Print the comparison of strategies for each column."""
    if json:
        print_json({name: comparison.to_dict() for name, comparison in found.items()})
        return
    for name, comparison in found.items():
        results().print(f"Column {name}", style="bold")
        print_one(comparison)
        results().print()
