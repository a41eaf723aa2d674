"""``outgroup methods`` and ``outgroup backbones``: what there is."""

from __future__ import annotations

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table


def methods(json: options.Json = False) -> None:
    """List strategies, labelers, heads and detectors, each with its source."""
    from outgroup.detectors import DETECTORS
    from outgroup.heads import HEADS
    from outgroup.multilabel import LABELERS
    from outgroup.strategies import STRATEGIES

    kinds = {
        "strategy": STRATEGIES,
        "labeler": LABELERS,
        "head": HEADS,
        "detector": DETECTORS,
    }
    listed = [
        {"kind": kind, "name": name, "summary": cls.summary, "reference": cls.reference}
        for kind, registry in kinds.items()
        for name, cls in registry  # type: ignore[attr-defined]
    ]
    if json:
        print_json(listed)
        return
    for kind in kinds:
        rows = [(m["name"], m["summary"], m["reference"]) for m in listed if m["kind"] == kind]
        title = "labeler: the strategy with --multi-label" if kind == "labeler" else kind
        results().print(table(title, ("name", "what it does", "source"), rows, numbers=False))
        results().print()


def backbones(json: options.Json = False) -> None:
    """List backbones, each with its source and licence."""
    from outgroup.backbones import list_backbones

    listed = list_backbones()
    if json:
        print_json([vars(row) for row in listed])
        return
    rows = [(row.spec, row.summary, f"{row.licence}; {row.source}") for row in listed]
    columns = ("spec", "what it is", "licence and source")
    results().print(table("backbones", columns, rows, numbers=False))
