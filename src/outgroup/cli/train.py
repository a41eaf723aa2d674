"""``outgroup train``: images in, a model file out."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import inputs as several_inputs
from outgroup.cli import options, several, tuning
from outgroup.cli.output import LISTED, print_json, results, table, tell_left_out
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier
    from outgroup.selection import Comparison

#: What has a say in a network with several inputs.
HEEDED_WITH_INPUTS = (
    "out",
    "data",
    "other",
    "max_known_rejected",
    "max_other_accepted",
    "confidence",
    "seed",
    "inputs",
    "ablation",
    "json",
)

#: From which share of accepted unknown images on a lower threshold is spoken of, and which part of
#: it may be left for that to be worth a line.
MANY_ACCEPTED, FEWER = 0.05, 0.8


def train(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The model file to write.")
    ],
    data: options.OptionalData = None,
    map: options.Map = None,
    other: options.Other = None,
    pool: options.Pool = None,
    keep_suspects: options.KeepSuspects = False,
    suspects: options.Suspects = None,
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
    finetune: tuning.Finetune = False,
    unfreeze: tuning.Unfreeze = None,
    epochs: tuning.Epochs = None,
    objective: tuning.Objective = None,
    augment: tuning.Augment = None,
    balance: tuning.Balance = None,
    network: tuning.Network = None,
    keep_tuned: tuning.KeepTuned = False,
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    no_paths: Annotated[
        bool,
        typer.Option("--no-paths", help="Keep no paths of training images in the model file."),
    ] = False,
    inputs: options.InputsFile = None,
    ablation: options.Ablation = False,
    json: options.Json = False,
) -> None:
    """Train a classifier that knows when an image is none of its classes."""
    from outgroup.classifier import ImageClassifier

    options.check_writable(out)
    if inputs is not None:
        if data is None:
            raise InvalidParameterError(
                "The 'DIR|CSV' argument must be a JSON or CSV file with --inputs. Got none."
            )
        several_inputs.refuse_options(context, HEEDED_WITH_INPUTS)
        budget = {
            "max_known_rejected": "auto" if max_known_rejected is None else max_known_rejected,
            "max_other_accepted": max_other_accepted,
            "confidence": confidence,
        }
        several_inputs.train_inputs(data, inputs, out, other, budget, seed, ablation, json)
        return
    if ablation:
        raise InvalidParameterError(
            "The '--ablation' parameter must stand beside --inputs. Got it without."
        )
    if suspects is not None:
        options.check_writable(suspects, "--suspects")
        if not pool:
            raise InvalidParameterError(
                f"The '--suspects' parameter must be left out without a pool. Got {suspects}. What "
                "it shows are images of --pool that look like a class."
            )
    if data is None and not map:
        raise InvalidParameterError(
            "The 'DIR|CSV' argument must be a folder or table of images. Got none. Without images "
            "give classes by ImageNet's names: outgroup train --map hotdog=hotdog --out FILE"
        )
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
        map=options.name_map(map),
        keep_suspects=keep_suspects,
        finetune=tuning.fine_tune(
            finetune,
            keep_tuned,
            unfreeze=unfreeze,
            epochs=epochs,
            objective=objective,
            augment=augment,
            balance=balance,
            network=network,
        ),
        seed=seed,
        cache=not no_cache,
    )
    classifier.fit(data, other=other or None, pool=pool or None)
    classifier.save(out, paths=not no_paths)
    if suspects is not None:
        _write_suspects(classifier, suspects)
    _report(classifier, out, json, suspects is not None)


def _report(classifier: ImageClassifier, out: Path, json: bool, shown: bool) -> None:
    contents, report = classifier.contents, classifier.report
    assert report is not None
    tell_left_out(report)
    model, comparison = contents.model, classifier.comparison
    tuned = contents.training.options.get("finetune")
    if json:
        print_json(
            {
                "model": str(out),
                "strategy": model.strategy.name,
                "choice": None if comparison is None else asdict(comparison.choice),
                "backbone": contents.backbone.name,
                "finetune": tuned,
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
                "pool": None if report.pool is None else report.pool.to_dict(),
                **several.fields(model),
                "warnings": list(report.warnings),
            }
        )
        return
    console = results()
    rows = [(name, f"{count:,}") for name, count in report.class_counts.items()]
    rows += [("(none of these)", f"{report.n_others:,}")] if report.n_others else []
    said = "Learned from" if not classifier.map else "Calibrated with"
    if any(report.class_counts.values()) or not classifier.map:
        console.print(table(said, ("class", "images"), rows))
    else:
        _show_map(classifier)
    console.print()
    if report.pool is not None:
        console.print(report.pool.sentence)
        if report.pool.found.suspects and not shown:
            console.print("To see them: --suspects FILE.html.")
    if tuned is not None:
        console.print(tuned["sentence"])
        console.print()
    console.print(f"Strategy: {model.strategy.name} ({model.strategy.summary}).")
    if comparison is not None:
        console.print(f"Chosen by what it does to unseen kinds. {comparison.choice.reason}")
        if (advice := _stricter(comparison)) is not None:
            console.print(advice)
    console.print(several.decision(model))
    console.print()
    for promise in model.certificate.promises:
        console.print(promise.sentence)
    if model.certificate.promises:
        console.print("Nothing is promised for other images.")
    else:
        console.print(model.certificate.sentence)
    for remark in several.remarks(model):
        console.print(remark, style="yellow")
    console.print()
    size = out.stat().st_size / 1e6
    # Whoever copies a path or a command needs it in one piece.
    console.print(f"Saved {out} ({size:.1f} MB).", soft_wrap=True)
    console.print(f"Now: outgroup predict {shlex.quote(str(out))} FOLDER", soft_wrap=True)


def _stricter(comparison: Comparison) -> str | None:
    """Say what a lower threshold would do, where many unknown images are accepted."""
    chosen = comparison.chosen
    if chosen is None or chosen.accepted is None or chosen.accepted <= MANY_ACCEPTED:
        return None
    lower = [row for row in chosen.trade_off if row.accepted < chosen.accepted * FEWER]
    if not lower:
        return None
    ways = ", ".join(f"{row.at_most} ({row.accepted:.1%})" for row in lower[:2])
    return f"To accept fewer of them, call more known images other: --max-known-rejected {ways}."


def _write_suspects(classifier: ImageClassifier, path: Path) -> None:
    from outgroup.contamination import suspect_sheet

    assert classifier.report is not None
    assert classifier.report.pool is not None
    found = classifier.report.pool
    path.write_text(suspect_sheet(found.found.suspects, said=found.sentence), "utf-8")


def _show_map(classifier: ImageClassifier) -> None:
    """Show which of the backbone's classes stand for each class."""
    from outgroup.backbones.imagenet_names import find_classes

    names = classifier.contents.backbone.class_names or ()
    assert classifier.map is not None
    rows = []
    for name, given in sorted(classifier.map.items()):
        texts = [given] if isinstance(given, str) else given
        found = [names[i] for i in sorted({i for text in texts for i in find_classes(text)})]
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        rows.append((name, ", ".join(found[:LISTED]) + more))
    columns = ("class", "classes of ImageNet that mean it")
    results().print(table("Without one image", columns, rows, numbers=False))
