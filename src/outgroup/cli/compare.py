"""``outgroup compare``: measure strategies on the user's images; no model is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options, row_inputs
from outgroup.cli.output import errors, print_json, print_table, results, tell_left_out

if TYPE_CHECKING:
    from outgroup.evaluation import Rate
    from outgroup.selection import Comparison, StrategyResult

#: Short names of the kinds of unknowns, in the order of the columns.
_KINDS = {"left-out classes": "class", "held-out negatives": "neg.", "synthetic garbage": "synth."}

#: Options that may be used with --inputs.
_WITH_INPUTS = {"data", "inputs", "other", "strategy", "seed", "json"}

_LEGEND = (
    "known: % of held-out known images rejected. unknown: % of images of a kind never seen in "
    "training that are given a class: the mean, \u00b1 one standard error, over classes left out, "
    "folders of negatives held out (neg.) and synthetic garbage (synth.). ms: to score an image."
)


def compare(
    context: typer.Context,
    data: options.Data,
    other: options.Other = None,
    pool: options.Pools = None,
    keep_suspects: options.KeepSuspects = False,
    strategy: Annotated[
        list[str] | None, options.option("NAME...", "Compare only these strategies.")
    ] = None,
    max_known_rejected: options.MaxKnownRejected = None,
    multi_label: options.MultiLabel = False,
    multi_output: options.MultiOutput = False,
    label_column: options.LabelColumn = None,
    backbone: options.Backbone = "efficientnet-lite0",
    plot: Annotated[
        Path | None, options.option("FILE", "Plot the comparison: .svg, .png or .pdf.")
    ] = None,
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    inputs: options.Inputs = None,
    json: options.Json = False,
) -> None:
    """Measure strategies on kinds of unknown images that they have not seen, and choose one."""
    from outgroup.classifier import ImageClassifier

    if inputs is not None:
        row_inputs.refuse_options(context, _WITH_INPUTS)
        row_inputs.compare_inputs(data, inputs, other, strategy or None, seed, json)
        return

    if plot is not None:
        from outgroup.report.plots import check_plot

        options.check_writable(plot, "--plot")
        check_plot(plot)
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
    comparisons = found if isinstance(found, dict) else {"": found}
    if plot is not None:
        for column, one in comparisons.items():
            _plot(one, plot.with_stem(f"{plot.stem}-{column}") if column else plot)
    if json:
        several = {name: one.to_dict() for name, one in comparisons.items()}
        print_json(several if isinstance(found, dict) else several[""])
        return
    for column, one in comparisons.items():
        if column:
            results().print(f"Column {column}", style="bold")
        _print_comparison(one)
        if column:
            results().print()


def _print_comparison(comparison: Comparison) -> None:
    able = [result for result in comparison.results if result.problem is None]
    kinds = [kind for kind in _KINDS if any(result.of_kind(kind) is not None for result in able)]
    shifted = any(result.shifted_rejected is not None for result in able)
    columns = ["strategy", "known", *(["new group"] if shifted else [])]
    columns += ["unknown", *(_KINDS[kind] for kind in kinds), "fit s", "ms"]
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
    print_table(f"Strategies on {images} images, from simple to complex", columns, rows)
    console.print(f"\n{_LEGEND}")
    if shifted:
        console.print(
            "new group: % of known images rejected when all of their group is new and the "
            "threshold comes from known groups."
        )
    if len({(s.kind, s.source) for result in able for s in result.sources}) > len(kinds):
        console.print()
        _print_sources(able, comparison.choice.name)
    choice = comparison.choice
    console.print(f"\nChoice: {choice.reason}")
    if choice.accepted is not None:
        share = f"{choice.accepted:.1%} \u00b1 {choice.standard_error:.1%}"
        console.print(
            f"Expect {share}, the mean over such kinds, by images that had no part in the choice."
        )
    chosen = comparison.chosen
    if chosen is not None and chosen.trade_off:
        console.print()
        _print_trade_off(chosen)
    for result in comparison.results:
        if result.problem is not None:
            errors().print(f"{result.name}: {result.problem}")


def _print_sources(able: list[StrategyResult], choice: str) -> None:
    rates: dict[tuple[str, str], dict[str, Rate]] = {}
    for result in able:
        for one in result.sources:
            rates.setdefault((one.kind, one.source), {})[result.name] = one.accepted
    rows = []
    for (kind, source), by_name in rates.items():
        best, rate = min(by_name.items(), key=lambda item: item[1].value or 0.0)
        least = f"{best} {_percent(rate)}"
        rows.append((source, _KINDS[kind], str(by_name.get(choice) or "none"), least))
    columns = ("unknown", "kind", f"{choice}: accepted %", "least accepted by")
    print_table("By source, with 95 % intervals", columns, rows, numbers=False)


def _print_trade_off(chosen: StrategyResult) -> None:
    rows = [
        (f"{row.known_rejected:.0%}", f"{row.at_most:.1%}", f"{row.accepted:.1%}")
        for row in chosen.trade_off
    ]
    columns = ("known rejected", "at most", "unknown accepted")
    print_table(f"{chosen.name} by other thresholds", columns, rows)
    results().print(
        "\nat most: the bound with 95 % confidence, which train takes: --max-known-rejected "
        f"{chosen.trade_off[-1].at_most} gives the last one."
    )


def _plot(comparison: Comparison, path: Path) -> None:
    from outgroup.report.plots import ShareRow, plot_shares

    rows = {}
    for result in comparison.results:
        if result.accepted is not None:
            shares = {kind: result.of_kind(kind) for kind in _KINDS}
            parts = {kind: share for kind, share in shares.items() if share is not None}
            rows[result.name] = ShareRow(result.accepted, result.standard_error or 0.0, parts)
    title = f"Unknown images accepted, {comparison.share:.0%} of known ones rejected"
    plot_shares(path, rows, comparison.choice.name, title)


def _percent(rate: Rate | None) -> str:
    return _share(None if rate is None else rate.value)


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share * 100:.1f}"
