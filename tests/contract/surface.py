"""The one place that knows the names of the public surface that may be written in two ways.

The tests of the contract import `outgroup`, `outgroup.errors` and this module, and no other module
of the library. The functions here take what the library returns, and return plain values.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import outgroup
from outgroup import errors
from outgroup.cli import main

#: Fields of a JSON line of `predict` that every model has.
CONTRACT = (
    "path",
    "label",
    "labels",
    "other",
    "reason",
    "other_score",
    "threshold",
    "probabilities",
    "error",
)

#: Fields of a guarantee that are numbers or fixed words; its sentence is for people.
GUARANTEE = ("k", "n", "bound", "confidence", "unit", "asked")

#: What callers catch an error as; scikit-learn's checks raise built-in ones.
CAUGHT = (
    errors.InvalidParameterError,
    errors.InvalidDataError,
    errors.InfeasibleTargetError,
    errors.UnreadableImageError,
    errors.BackboneError,
    errors.ModelFileError,
    errors.PoolError,
    ValueError,
    TypeError,
    OSError,
)


def classifier_for(kind: str, *arguments: Any, **options: Any) -> Any:
    """Return an unfitted classifier on arrays.

    Parameters
    ----------
    kind : {"classes", "labels", "columns"}
        A class for each row, any number of labels, or a class in each of several columns.
    *arguments, **options
        For the constructor.
    """
    # There may be a class for each kind of y, or one that takes all of them.
    names = {"labels": "MultiLabelOpenSetClassifier", "columns": "MultiOutputOpenSetClassifier"}
    name = names.get(kind, "OpenSetClassifier")
    cls = getattr(outgroup, name, None) or outgroup.OpenSetClassifier
    return cls(*arguments, **options)


def guarantees(certificate: Any) -> list[dict[str, Any]]:
    """Return the numbers of every guarantee of a certificate, in their order."""
    # They may be called promises.
    name = "guarantees" if hasattr(certificate, "guarantees") else "promises"
    return [{key: getattr(one, key) for key in GUARANTEE} for one in getattr(certificate, name)]


def answers(predictions: Iterable[Any], *more: str) -> list[dict[str, Any]]:
    """Return the answers as JSON lines, with the fields of the contract and `more` of them."""
    lines = [prediction.to_dict() for prediction in predictions]
    for line in lines:  # classifiers of columns told no "ambiguous" from "unknown" once
        if line["reason"] == "ambiguous" and "outputs" in line:
            line["reason"] = "unknown"
    return [{key: line[key] for key in (*CONTRACT, *more) if key in line} for line in lines]


def explained(prediction: Any) -> dict[str, Any]:
    """Return what says why an answer is what it is: reason, percentile and nearest images."""
    line = prediction.to_dict(explain=True)
    nearest = zip(line["nearest"], prediction.nearest, strict=True)
    return {
        "reason": line["reason"],
        "percentile": line["percentile"],
        "nearest": [{**said, "row": neighbour.row} for said, neighbour in nearest],
    }


def methods() -> dict[str, list[str]]:
    """Return the names that ``outgroup methods --json`` lists, by kind."""
    text = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    arguments = mock.patch.object(sys, "argv", ["outgroup", "methods", "--json"])
    with arguments, contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main()
    text.seek(0)
    found: dict[str, list[str]] = {}
    for one in json.loads(text.read()):
        found.setdefault(one["kind"], []).append(one["name"])
    return found


def decided(classifier: Any, *new: Any) -> dict[str, Any]:
    """Return what a classifier of one class a row says of new rows, and what it guarantees."""
    predictions = classifier.predict_open(*new)
    lines = answers(predictions)
    return {
        "classes": list(classifier.classes_),
        "threshold": classifier.threshold_,
        "guarantees": guarantees(classifier.certificate_),
        "predict": list(classifier.predict(*new)),
        "reason": [line["reason"] for line in lines],
        "other_score": [line["other_score"] for line in lines],
        "probabilities": [list(line["probabilities"].values()) for line in lines],
    }


def labels_decided(classifier: Any, new: Any) -> dict[str, Any]:
    """Return what a classifier of any number of labels says of new rows, and its guarantees."""
    lines = answers(classifier.predict_open(new), "other_scores", "thresholds")
    names = list(lines[0]["thresholds"])
    return {
        "classes": list(classifier.classes_),
        "names": names,
        "thresholds": list(classifier.thresholds_),
        "guarantees": guarantees(classifier.certificate_),
        "predict": [list(row) for row in classifier.predict(new)],
        "predict_labels": classifier.predict_labels(new),
        **_columns(lines, names),
    }


def columns_decided(classifier: Any, new: Any) -> dict[str, Any]:
    """Return what a classifier of several columns says of new rows, and its guarantees.

    Columns of an array have no names, nor have its classes in a JSON line: they go by their place.
    """
    lines = answers(classifier.predict_open(new), "other_scores", "thresholds", "outputs")
    return {
        "classes": [list(classes) for classes in classifier.classes_],
        "thresholds": list(classifier.thresholds_),
        "guarantees": guarantees(classifier.certificate_),
        "predict": [list(row) for row in classifier.predict(new)],
        "there": [[value is not None for value in line["outputs"].values()] for line in lines],
        **_columns(lines, list(lines[0]["thresholds"])),
    }


def report_of(classifier: Any) -> dict[str, Any]:
    """Return what became of the images that an image classifier was fitted to."""
    report = classifier.report
    return {
        "class_counts": report.class_counts,
        "n_others": report.n_others,
        "n_unlabelled": report.n_unlabelled,
        **{
            name: sorted(file.path for file in getattr(report, name))
            for name in ("unreadable", "skipped", "contradictory")
        },
    }


def pool_of(classifier: Any) -> dict[str, Any]:
    """Return what became of the pool of an image classifier, without the sentences."""
    found = classifier.report.pool.to_dict()
    share = found["share"]
    return {
        **{key: found[key] for key in ("n", "n_all", "set_aside", "kept")},
        "share": share and {key: share[key] for key in ("value", "interval", "confidence")},
        "suspects": [
            {key: one[key] for key in ("path", "label", "score", "nearest")}
            for one in found["suspects"]
        ],
        "copies": [one["path"] for one in found["copies"]],
    }


def images_decided(classifier: Any, images: Any) -> dict[str, Any]:
    """Return what an image classifier says of images, field by field, and what it guarantees."""
    lines = answers(classifier.predict(images), "other_scores", "thresholds", "outputs")
    fields = ("label", "labels", "other", "reason", "other_score", "other_scores", "outputs")
    return {
        "classes": list(classifier.classes),
        "thresholds": lines[0].get("thresholds", lines[0]["threshold"]),
        "guarantees": guarantees(classifier.certificate),
        **{field: [line[field] for line in lines] for field in fields if field in lines[0]},
        "probabilities": [list(line["probabilities"].values()) for line in lines],
    }


def chosen(comparison: Any) -> dict[str, Any]:
    """Return which strategy a comparison chooses, and the counts that this rests on."""
    found = comparison.to_dict()
    rates = ("known_rejected", "known_right", "shifted_rejected")
    return {
        "name": found["chosen"]["name"],
        "accepted": found["chosen"]["accepted"],
        "standard_error": found["chosen"]["standard_error"],
        "share": found["known_rejected_expected"],
        "n": [found["n_compared"], found["n_given"], found["n_unknown"]],
        "strategies": {
            one["name"]: {
                **{name: one[name] and [one[name]["k"], one[name]["n"]] for name in rates},
                "accepted": one["accepted"],
                "standard_error": one["standard_error"],
                "sources": {
                    s["source"]: [s["accepted"]["k"], s["accepted"]["n"]] for s in one["sources"]
                },
                "trade_off": one["trade_off"],
            }
            for one in found["strategies"]
        },
    }


def error_of(action: Callable[[], Any]) -> dict[str, Any]:
    """Return what an action's error may be caught as, None if there is none, and `n_needed`."""
    return attempt(action, lambda _: {"error": None})


def attempt(action: Callable[[], Any], describe: Callable[[Any], Any]) -> Any:
    """Return the description of what an action returns, or of the error that it ends in."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.DataWarning)  # more models are looked at now
            result = action()
    except CAUGHT as error:
        found: dict[str, Any] = {
            "error": {cls.__name__: True for cls in CAUGHT if isinstance(error, cls)}
        }
        if isinstance(error, errors.InfeasibleTargetError):
            found["n_needed"] = error.n_needed
        return found
    return describe(result)


def _columns(lines: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """Return the numbers of JSON lines, field by field."""
    return {
        "other": [line["other"] for line in lines],
        "reason": [line["reason"] for line in lines],
        "other_score": [line["other_score"] for line in lines],
        "threshold": sorted({line["threshold"] for line in lines}),
        "n_labels": [len(line["labels"]) for line in lines],
        "other_scores": [[line["other_scores"][name] for name in names] for line in lines],
        "held_against": [[line["thresholds"][name] for name in names] for line in lines[:1]],
        "probabilities": [list(line["probabilities"].values()) for line in lines],
    }
