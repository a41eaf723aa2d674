"""``outgroup compare``: strategies on the user's own images; no model is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import inputs as several_inputs
from outgroup.cli import inputs_figures, options, several
from outgroup.cli.output import errors, print_json, results, table, tell_left_out
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.evaluation import Rate
    from outgroup.selection import Comparison, StrategyResult

#: Short names of the kinds of unknowns, in the order of the columns.
KINDS = {"left-out classes": "class", "held-out negatives": "neg.", "synthetic garbage": "synth."}

#: What has a say in a comparison of networks with several inputs.
HEEDED_WITH_INPUTS = ("data", "inputs", "other", "strategy", "seed", "json")

LEGEND = (
    "known: % of held-out known images called other. unknown: % of images of a kind never seen in "
    "training that are given a class: the mean, \u00b1 one standard error, over classes left out, "
    "folders of negatives held out (neg.) and synthetic garbage (synth.). ms: to score an image."
)


def compare(
    context: typer.Context,
    data: options.Data,
    other: options.Other = None,
    pool: options.Pool = None,
    keep_suspects: options.KeepSuspects = False,
    strategy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help="Compare only these strategies."),
    ] = None,
    max_known_rejected: options.MaxKnownRejected = None,
    multi_label: options.MultiLabel = False,
    multi_output: options.MultiOutput = False,
    label_column: options.LabelColumns = None,
    backbone: options.BackboneName = "efficientnet-lite0",
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a picture of the comparison, as SVG."),
    ] = None,
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    inputs: options.InputsFile = None,
    json: options.Json = False,
) -> None:
    """Measure strategies by unknowns that they have not seen, and say which is best."""
    from outgroup.classifier import ImageClassifier

    if inputs is not None:
        several_inputs.refuse_options(context, HEEDED_WITH_INPUTS)
        inputs_figures.compare_inputs(data, inputs, other, strategy or None, seed, json)
        return

    if plot is not None:
        options.check_writable(plot, "--plot")
        if multi_label or multi_output:
            raise InvalidParameterError(
                "The '--plot' parameter must be left out with several labels or columns. "
                f"Got {plot} instead. What it draws is a comparison for one class an image."
            )
    classifier = ImageClassifier(
        keep_suspects=keep_suspects,
        backbone=backbone,
        max_known_rejected="auto" if max_known_rejected is None else max_known_rejected,
        multi_label=multi_label,
        multi_output=multi_output,
        label_columns=label_column or None,
        seed=seed,
        cache=not no_cache,
    )
    found = classifier.compare(data, other or None, strategy or None, pool or None)
    assert classifier.report is not None
    tell_left_out(classifier.report)
    if plot is not None:
        plot.write_text(_picture(found), "utf-8")
    if multi_label:
        several.print_labelers(found, json)
    elif multi_output:
        several.print_columns(found, json, _report)
    elif json:
        print_json(found.to_dict())
    else:
        _report(found)


def _report(comparison: Comparison) -> None:
    able = [result for result in comparison.results if result.problem is None]
    kinds = [kind for kind in KINDS if any(result.of_kind(kind) is not None for result in able)]
    shifted = any(result.shifted_rejected is not None for result in able)
    columns = ["strategy", "known", *(["new group"] if shifted else [])]
    columns += ["unknown", *(KINDS[kind] for kind in kinds), "fit s", "ms"]
    rows = []
    for result in able:
        assert result.known_rejected is not None
        cells = [result.name, _percent(result.known_rejected)]
        if shifted:
            cells.append(_percent(result.shifted_rejected))
        error = f"\u00b1{result.standard_error * 100:.1f}" if result.standard_error else ""
        cells.append(_share(result.accepted) + error)
        cells += [_share(result.of_kind(kind)) for kind in kinds]
        cells += [f"{result.fit_seconds:.1f}", f"{result.ms_per_image or 0.0:.2f}"]
        rows.append(tuple(cells))
    console = results()
    some = comparison.n_compared < comparison.n_given
    images = f"{comparison.n_compared:,} of {comparison.n_given:,}" if some else comparison.n_given
    console.print(table(f"Strategies on {images} images, from simple to complex", columns, rows))
    console.print()
    console.print(LEGEND)
    if shifted:
        console.print(
            "new group: % of known images called other when all of their group is new and the "
            "threshold comes from known groups."
        )
    sources = {(s.kind, s.source): s for result in able for s in result.sources}
    if len(sources) > len(kinds):
        console.print()
        _report_sources(comparison, list(sources))
    console.print()
    choice = comparison.choice
    console.print(f"Choice: {choice.reason}")
    if choice.accepted is not None:
        share = f"{choice.accepted:.1%} \u00b1 {choice.standard_error:.1%}"
        console.print(
            f"Expect {share}, the mean of kinds like these that had no part in the choice."
        )
    chosen = comparison.chosen
    if chosen is not None and chosen.trade_off:
        console.print()
        _report_trade_off(chosen)
    for result in comparison.results:
        if result.problem is not None:
            errors().print(f"{result.name}: {result.problem}")


def _report_sources(comparison: Comparison, sources: list[tuple[str, str]]) -> None:
    able = [result for result in comparison.results if result.problem is None]
    rows = []
    for kind, source in sources:
        rates = {
            result.name: rate.accepted
            for result in able
            for rate in result.sources
            if (rate.kind, rate.source) == (kind, source)
        }
        chosen = rates.get(comparison.choice.name)
        best = min(rates, key=lambda name: rates[name].value or 0.0)
        least = f"{best} {_percent(rates[best])}"
        rows.append((source, KINDS[kind], str(chosen or "none"), least))
    columns = ("unknown", "kind", f"{comparison.choice.name}: accepted %", "least accepted by")
    results().print(table("By source, with 95 % intervals", columns, rows, numbers=False))


def _report_trade_off(chosen: StrategyResult) -> None:
    rows = [
        (f"{row.known_rejected:.0%}", f"{row.at_most:.1%}", f"{row.accepted:.1%}")
        for row in chosen.trade_off
    ]
    columns = ("known called other", "at most", "unknown accepted")
    console = results()
    console.print(table(f"{chosen.name} by other thresholds", columns, rows))
    console.print()
    console.print(
        "at most: the bound with 95 % confidence, which train takes: --max-known-rejected "
        f"{chosen.trade_off[-1].at_most} lays the last one."
    )


def _picture(comparison: Comparison) -> str:
    from outgroup.plots.shares import Share, share_plot

    rows = {}
    for result in comparison.results:
        if result.accepted is not None:
            shares = {kind: result.of_kind(kind) for kind in KINDS}
            parts = {kind: share for kind, share in shares.items() if share is not None}
            rows[result.name] = Share(result.accepted, result.standard_error or 0.0, parts)
    title = f"Unknown images accepted, {comparison.share:.0%} of known ones called other"
    return share_plot(rows, comparison.choice.name, title)


def _percent(rate: Rate | None) -> str:
    return _share(None if rate is None else rate.value)


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share * 100:.1f}"
