"""``outgroup train``: images in, a model file out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options, several
from outgroup.cli.output import print_json, results, table, tell_left_out

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier


def train(
    data: options.Data,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The model file to write.")
    ],
    other: options.Other = None,
    pool: options.Pool = None,
    strategy: options.StrategyName = "auto",
    head: options.HeadName = None,
    layers: options.Layers = None,
    max_known_rejected: options.MaxKnownRejected = None,
    max_other_accepted: options.MaxOtherAccepted = None,
    confidence: options.Confidence = 0.95,
    multi_label: options.MultiLabel = False,
    multi_output: options.MultiOutput = False,
    label_column: options.LabelColumns = None,
    backbone: options.BackboneName = "efficientnet-lite0",
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    no_paths: Annotated[
        bool,
        typer.Option("--no-paths", help="Keep no paths of training images in the model file."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Train a classifier that knows when an image is none of its classes."""
    from outgroup.classifier import ImageClassifier

    options.check_writable(out)
    classifier = ImageClassifier(
        strategy=strategy,
        head=head,
        layers=options.layer_names(layers),
        backbone=backbone,
        max_known_rejected="auto" if max_known_rejected is None else max_known_rejected,
        max_other_accepted=max_other_accepted,
        confidence=confidence,
        multi_label=multi_label,
        multi_output=multi_output,
        label_columns=label_column or None,
        seed=seed,
        cache=not no_cache,
    )
    classifier.fit(data, other=options.negatives(other, pool))
    classifier.save(out, paths=not no_paths)
    _report(classifier, out, json)


def _report(classifier: ImageClassifier, out: Path, json: bool) -> None:
    contents, report = classifier.contents, classifier.report
    assert report is not None
    tell_left_out(report)
    model = contents.model
    if json:
        print_json(
            {
                "model": str(out),
                "strategy": model.strategy.name,
                "backbone": contents.backbone.name,
                "classes": report.class_counts,
                "n_others": report.n_others,
                "threshold": model.threshold,
                "certificate": model.certificate.to_dict(),
                "unreadable": [{"path": s.path, "reason": s.reason} for s in report.unreadable],
                "skipped": [{"path": s.path, "reason": s.reason} for s in report.skipped],
                "contradictory": [
                    {"path": s.path, "reason": s.reason} for s in report.contradictory
                ],
                "n_unlabelled": report.n_unlabelled,
                **several.fields(model),
            }
        )
        return
    console = results()
    rows = [(name, f"{count:,}") for name, count in report.class_counts.items()]
    rows += [("(none of these)", f"{report.n_others:,}")] if report.n_others else []
    console.print(table("Learned from", ("class", "images"), rows))
    console.print()
    console.print(f"Strategy: {model.strategy.name} ({model.strategy.summary}).")
    console.print(several.decision(model))
    console.print()
    for promise in model.certificate.promises:
        console.print(promise.sentence)
    console.print("Nothing is promised for other images.")
    for remark in several.remarks(model):
        console.print(remark, style="yellow")
    console.print()
    size = out.stat().st_size / 1e6
    # Whoever copies a path or a command needs it in one piece.
    console.print(f"Saved {out} ({size:.1f} MB).", soft_wrap=True)
    console.print(f"Now: outgroup predict {shlex.quote(str(out))} FOLDER", soft_wrap=True)
