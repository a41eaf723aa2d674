"""``outgroup train``: images in, a model file out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup.cli import options, row_inputs
from outgroup.cli.output import (
    LISTED,
    file_dicts,
    print_json,
    print_saved,
    print_table,
    results,
    tell_left_out,
    write_suspects_page,
)
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier
    from outgroup.finetune import FineTune
    from outgroup.model import Model
    from outgroup.selection import Comparison

#: Options that may be used with --inputs.
_WITH_INPUTS = {"out", "data", "other", "max_known_rejected", "max_other_accepted", "confidence"}
_WITH_INPUTS |= {"seed", "inputs", "ablation", "json"}

#: A lower threshold is suggested from this share of unknown images accepted on, if it leaves at
#: most this part of them.
_MANY_ACCEPTED, _FEWER = 0.05, 0.8


def train(
    context: typer.Context,
    out: options.Out,
    data: options.OptionalData = None,
    map: options.Map = None,
    other: options.Other = None,
    pool: options.Pools = None,
    keep_suspects: options.KeepSuspects = False,
    suspects: options.Suspects = None,
    strategy: options.Strategy = "auto",
    head: options.Head = None,
    layers: options.Layers = None,
    max_known_rejected: options.MaxKnownRejected = None,
    max_other_accepted: options.MaxOtherAccepted = None,
    confidence: options.Confidence = 0.95,
    multi_label: options.MultiLabel = False,
    multi_output: options.MultiOutput = False,
    label_column: options.LabelColumn = None,
    backbone: options.Backbone = "efficientnet-lite0",
    finetune: options.Finetune = False,
    unfreeze: options.Unfreeze = None,
    epochs: options.Epochs = None,
    objective: options.Objective = None,
    augment: options.Augment = None,
    balance: options.Balance = None,
    network: options.Network = None,
    keep_tuned: options.KeepTuned = False,
    seed: options.Seed = 0,
    no_cache: options.NoCache = False,
    no_paths: Annotated[
        bool, options.flag("--no-paths", "Keep no paths of training images in the model file.")
    ] = False,
    inputs: options.Inputs = None,
    ablation: options.Ablation = False,
    json: options.Json = False,
) -> None:
    """Train a classifier that knows when an image is none of its classes."""
    from outgroup.classifier import ImageClassifier

    options.check_writable(out)
    budget: dict[str, Any] = {
        "max_known_rejected": "auto" if max_known_rejected is None else max_known_rejected,
        "max_other_accepted": max_other_accepted,
        "confidence": confidence,
    }
    if inputs is not None:
        if data is None:
            raise InvalidParameterError(
                "Invalid `DIR|CSV`: must be a JSON or CSV file with --inputs, got none."
            )
        row_inputs.refuse_options(context, _WITH_INPUTS)
        row_inputs.train_inputs(data, inputs, out, other, budget, seed, ablation, json)
        return
    if ablation:
        raise InvalidParameterError(
            "Invalid `--ablation`: must be used with --inputs, got it without."
        )
    options.check_writable(suspects, "--suspects")
    if suspects is not None and not pool:
        raise InvalidParameterError(
            f"Invalid `--suspects`: must be used with --pool, got {suspects} without. It shows "
            "images of the pool that look like a class."
        )
    if data is None and not map:
        raise InvalidParameterError(
            "Invalid `DIR|CSV`: must be a folder or table of images, got none. Without images give "
            "classes by ImageNet's names: outgroup train --map hotdog=hotdog --out FILE"
        )
    tuning = fine_tune(
        finetune,
        keep_tuned,
        unfreeze=unfreeze,
        epochs=epochs,
        objective=objective,
        augment=augment,
        balance=balance,
        network=network,
    )
    names = None if layers is None else options.comma_separated(layers.replace("-", "_"))
    classifier = ImageClassifier(
        strategy=strategy,
        head=head,
        layers=None if names is None else tuple(names),
        backbone=backbone,
        **budget,
        multi_label=multi_label,
        multi_output=multi_output,
        label_columns=label_column or None,
        map=options.name_map(map),
        keep_suspects=keep_suspects,
        finetune=tuning,
        seed=seed,
        cache=not no_cache,
    )
    classifier.fit(data, other=other or None, pool=pool or None)
    classifier.save(out, paths=not no_paths)
    report = classifier.report
    assert report is not None
    if suspects is not None:
        assert report.pool is not None
        write_suspects_page(suspects, report.pool.found.suspects, report.pool.sentence)
    tell_left_out(report)
    if json:
        print_json({"model": str(out), **_to_dict(classifier)})
    else:
        _print_report(classifier, suspects is not None)
        print_saved(out, "FOLDER")


def fine_tune(
    finetune: bool, keep_tuned: bool = False, **given: str | int | None
) -> FineTune | None:
    """Return the settings of fine-tuning from options as given; None without ``--finetune``.

    >>> fine_tune(True, unfreeze="half", augment="geometric, mixup", balance="none").augment
    ('geometric', 'mixup')
    """
    settings: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
    if not finetune:
        if settings or keep_tuned:
            raise InvalidParameterError(
                f"Invalid `--{next(iter(settings), 'keep-tuned')}`: must be used with --finetune, "
                "got it without. Add --finetune, or leave it out."
            )
        return None
    from outgroup.finetune import FineTune
    from outgroup.torch_loop import require_torch

    require_torch("Fine-tuning")
    if "augment" in settings:
        settings["augment"] = options.comma_separated(settings["augment"])
    if settings.get("balance") == "none":
        settings["balance"] = None
    return FineTune(**settings, only_if_better=not keep_tuned)


def _to_dict(classifier: ImageClassifier) -> dict[str, Any]:
    contents, report, comparison = classifier.contents, classifier.report, classifier.comparison
    assert report is not None
    model = contents.model
    several: dict[str, Any] = {} if model.schema.is_single else {"thresholds": model.thresholds}
    if model.schema.is_multi_label:
        several["remarks"] = _remarks(model)
    return {
        "strategy": model.strategy.name,
        "choice": None if comparison is None else asdict(comparison.choice),
        "backbone": contents.backbone.name,
        "finetune": contents.training.options.get("finetune"),
        "classes": report.class_counts,
        "n_others": report.n_others,
        "threshold": model.threshold,
        "certificate": model.certificate.to_dict(),
        "unreadable": file_dicts(report.unreadable),
        "skipped": file_dicts(report.skipped),
        "contradictory": file_dicts(report.contradictory),
        "n_unlabelled": report.n_unlabelled,
        "pool": None if report.pool is None else report.pool.to_dict(),
        **several,
        "warnings": list(report.warnings),
    }


def _print_report(classifier: ImageClassifier, suspects_shown: bool) -> None:
    report, comparison = classifier.report, classifier.comparison
    assert report is not None
    model, tuned = classifier.contents.model, classifier.contents.training.options.get("finetune")
    console = results()
    if classifier.map and not any(report.class_counts.values()):
        _print_map(classifier)
    else:
        rows = [(name, f"{count:,}") for name, count in report.class_counts.items()]
        rows += [("(none of these)", f"{report.n_others:,}")] if report.n_others else []
        title = "Calibrated with" if classifier.map else "Learned from"
        print_table(title, ("class", "images"), rows)
    console.print()
    if report.pool is not None:
        console.print(report.pool.sentence)
        if report.pool.found.suspects and not suspects_shown:
            console.print("To see them: --suspects FILE.html.")
    if tuned is not None:
        console.print(f"{tuned['sentence']}\n")
    console.print(f"Strategy: {model.strategy.name} ({model.strategy.summary}).")
    if comparison is not None:
        console.print(f"Chosen by its results on unseen kinds. {comparison.choice.reason}")
        if (advice := _stricter(comparison)) is not None:
            console.print(advice)
    console.print(f"{_decision(model)}\n")
    for guarantee in model.certificate.guarantees:
        console.print(guarantee.sentence)
    if model.certificate.guarantees:
        console.print("Nothing is guaranteed for other images.")
    else:
        console.print(model.certificate.sentence)
    for remark in _remarks(model):
        console.print(remark, style="yellow")


def _stricter(comparison: Comparison) -> str | None:
    """Suggest a lower threshold, where many unknown images are accepted."""
    chosen = comparison.chosen
    if chosen is None or chosen.accepted is None or chosen.accepted <= _MANY_ACCEPTED:
        return None
    lower = [row for row in chosen.trade_off if row.accepted < chosen.accepted * _FEWER]
    if not lower:
        return None
    thresholds = ", ".join(f"{row.at_most} ({row.accepted:.1%})" for row in lower[:2])
    return f"To accept fewer of them, reject more known images: --max-known-rejected {thresholds}."


def _decision(model: Model) -> str:
    """Return in a sentence when an image is given a class."""
    if model.schema.is_single:
        return f"An image is other when its other-score is above {model.threshold:.4g}."
    listed = ", ".join(f"{name} {value:.4g}" for name, value in model.thresholds.items())
    if model.schema.is_multi_label:
        return f"An image has each label whose other-score is at most its threshold: {listed}."
    return f"A column is other when its other-score is above its threshold: {listed}."


def _remarks(model: Model) -> list[str]:
    """Return what a user should know of labels that few images have."""
    from outgroup.calibration.label_thresholds import remarks

    return list(remarks(model.certificate)) if model.schema.is_multi_label else []


def _print_map(classifier: ImageClassifier) -> None:
    """Print which of the backbone's classes mean each class."""
    from outgroup.backbones.imagenet_classes import find_classes

    names = classifier.contents.backbone.class_names or ()
    assert classifier.map is not None
    rows = []
    for name, given in sorted(classifier.map.items()):
        texts = [given] if isinstance(given, str) else given
        found = [names[i] for i in sorted({i for text in texts for i in find_classes(text)})]
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        rows.append((name, ", ".join(found[:LISTED]) + more))
    print_table("Without images", ("class", "classes of ImageNet"), rows, numbers=False)
