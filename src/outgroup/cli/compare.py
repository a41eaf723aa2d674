"""``outgroup compare``: every strategy on the user's own images; no model is written."""

from __future__ import annotations

from outgroup.cli import options
from outgroup.cli.output import errors, print_json, results, table, tell_left_out


def compare(
    data: options.Data,
    other: options.Other = None,
    pool: options.Pool = None,
    max_known_rejected: options.MaxKnownRejected = None,
    max_other_accepted: options.MaxOtherAccepted = None,
    confidence: options.Confidence = 0.95,
    backbone: options.BackboneName = "efficientnet-lite0",
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Fit every strategy, and show what held-out images say of it."""
    from outgroup.classifier import ImageClassifier

    classifier = ImageClassifier(
        backbone=backbone,
        max_known_rejected="auto" if max_known_rejected is None else max_known_rejected,
        max_other_accepted=max_other_accepted,
        confidence=confidence,
        seed=seed,
        cache=not no_cache,
    )
    found = list(classifier.compare(data, other=options.negatives(other, pool)))
    assert classifier.report is not None
    tell_left_out(classifier.report)
    if json:
        print_json([result.to_dict() for result in found])
        return
    rows = [
        (
            result.name,
            str(result.known_rejected or "none"),
            str(result.other_accepted or "none"),
            f"{result.seconds:.1f}",
        )
        for result in found
        if result.problem is None
    ]
    console = results()
    columns = ("strategy", "known rejected %", "negatives accepted %", "seconds")
    console.print(table("Held-out images, with 95 % intervals", columns, rows))
    if not classifier.report.n_others:
        console.print("There are no negatives, so nothing is known of what would be accepted.")
    for result in found:
        if result.problem is not None:
            errors().print(f"{result.name}: {result.problem}")
