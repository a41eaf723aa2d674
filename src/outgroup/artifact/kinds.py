"""The kinds of model that a file may hold, as rows of a table: how each is taken apart and built.

A row tells the version of the format of its files: an older outgroup opens what it can, and says
"newer" of the rest. What a kind adds to the manifest
stands at its top level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.manifest import (
    certificate,
    class_names,
    finite_number,
    label_arrays,
    scores,
    texts,
)
from outgroup.artifact.reasons import flatten_reasons, restore_reasons
from outgroup.artifact.states import flatten, restore, restore_labeler
from outgroup.errors import ModelFileError
from outgroup.model import OpenSetModel
from outgroup.multilabel import LabelPredictions, LabelsModel, OutputPredictions, OutputsModel

Arrays = Mapping[str, NDArray[Any]]
Model = OpenSetModel | LabelsModel | OutputsModel


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Parameters
    ----------
    name : str
        What "kind" is in the manifest; the first kind stands for a manifest without.
    since, version : int
        The format version that knew the kind first, and that of the files that are written.
    cls : type
        Of the model.
    options : callable
        Takes a model and the columns that it was told to learn from, or None, and returns the
        options of `ImageClassifier` that make such a model.
    flatten : callable
        Takes a model, and returns what it adds to the manifest, and its arrays by name.
    build : callable
        Takes manifest, arrays and the length of an embedding, and returns the model; any exception
        means that they are damaged.
    golden : callable
        Takes the answers for one image, and returns the numbers that must come out again.
    """

    name: str
    since: int
    version: int
    cls: type
    options: Callable[[Any, list[str] | None], dict[str, Any]]
    flatten: Callable[[Any], tuple[dict[str, Any], dict[str, NDArray[Any]]]]
    build: Callable[[Mapping[str, Any], Arrays, int], Model]
    golden: Callable[[Any], list[float]]


def kind_of(model: Model) -> Kind:
    """Return the row of a model."""
    return next(kind for kind in KINDS if type(model) is kind.cls)


def kind_named(manifest: Mapping[str, Any]) -> Kind:
    """Return the row that a manifest names; one of before there were kinds names none.

    Raises
    ------
    ModelFileError
        If there is no such kind.
    """
    name = manifest.get("kind", KINDS[0].name)
    for kind in KINDS:
        if kind.name == name and manifest["format_version"] >= kind.since:
            return kind
    if name == SEVERAL_INPUTS:
        raise ModelFileError(
            "holds a network with several inputs. Open it with outgroup.load, or with "
            "MultiInputClassifier.load."
        )
    raise ModelFileError(f"is damaged: it holds a model of the kind {name!r}, which there is not.")


def _flatten_one_class(model: OpenSetModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    described, arrays = _flatten_one(model)
    reasons = None
    if model.reasons is not None:
        reasons, kept = flatten_reasons(model.reasons)
        arrays.update(kept)
    return {**described, "reasons": reasons}, arrays


def _build_one_class(manifest: Mapping[str, Any], arrays: Arrays, size: int) -> OpenSetModel:
    model = _build_one(manifest, arrays)
    if manifest["format_version"] < 2 or manifest["reasons"] is None:
        return model
    reasons = restore_reasons(manifest["reasons"], arrays, model.classes, size)
    return replace(model, reasons=reasons)


def _flatten_one(
    model: OpenSetModel, prefix: str = ""
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    described, arrays = flatten(model.strategy.state(), f"{prefix}strategy")
    arrays[f"{prefix}calibration.known_scores"] = model.known_scores
    arrays[f"{prefix}calibration.other_scores"] = model.other_scores
    return {
        "classes": list(model.classes),
        "threshold": model.threshold,
        "certificate": model.certificate.to_dict(),
        "strategy": described,
    }, arrays


def _build_one(manifest: Mapping[str, Any], arrays: Arrays, prefix: str = "") -> OpenSetModel:
    known, other = (
        scores(arrays[f"{prefix}calibration.{name}"], name)
        for name in ("known_scores", "other_scores")
    )
    return OpenSetModel(
        classes=class_names(manifest["classes"]),
        strategy=restore(manifest["strategy"], arrays, f"{prefix}strategy"),
        threshold=finite_number(manifest["threshold"], "threshold"),
        certificate=certificate(manifest["certificate"]),
        known_scores=known,
        other_scores=other,
    )


def _flatten_labels(model: LabelsModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    described, arrays = flatten(model.strategy.state(), "strategy", "labeler")
    arrays["calibration.scores"] = model.held_scores
    arrays["calibration.labels"] = model.held_labels.astype(np.int8)
    return {
        "kind": "multi-label",
        "classes": list(model.classes),
        "thresholds": model.thresholds.tolist(),
        "certificate": model.certificate.to_dict(),
        "strategy": described,
    }, arrays


def _build_labels(manifest: Mapping[str, Any], arrays: Arrays, size: int) -> LabelsModel:
    classes = class_names(manifest["classes"])
    thresholds = [finite_number(value, "thresholds") for value in manifest["thresholds"]]
    if len(thresholds) != len(classes):
        raise ValueError("'thresholds' is not what it must be")
    held_scores, held_labels = label_arrays(
        arrays["calibration.scores"], arrays["calibration.labels"], len(classes)
    )
    return LabelsModel(
        classes=classes,
        strategy=restore_labeler(manifest["strategy"], arrays),
        thresholds=np.array(thresholds, dtype=np.float64),
        certificate=certificate(manifest["certificate"]),
        held_scores=held_scores,
        held_labels=held_labels,
    )


def _flatten_outputs(model: OutputsModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    described, arrays = [], {}
    for i, (name, one) in enumerate(model.columns.items()):
        found, own = _flatten_one(one, f"columns.{i}.")
        described.append({"name": name, **found})
        arrays.update(own)
    return {"kind": "multi-output", "columns": described}, arrays


def _build_outputs(manifest: Mapping[str, Any], arrays: Arrays, size: int) -> OutputsModel:
    described = manifest["columns"]
    names = texts([column["name"] for column in described], "columns")
    return OutputsModel(
        {
            name: _build_one(column, arrays, f"columns.{i}.")
            for i, (name, column) in enumerate(zip(names, described, strict=True))
        }
    )


def _golden_labels(answers: LabelPredictions) -> list[float]:
    return [*answers.class_scores[0].tolist(), *answers.label_scores[0].tolist()]


def _golden_outputs(answers: OutputPredictions) -> list[float]:
    scores = [float(one.other_score[0]) for one in answers.columns.values()]
    return [*answers.class_scores[0].tolist(), *scores]


#: Version 2 added the reasons to files of one class an image: "reasons" in the manifest, arrays
#: "references.*"; those of version 1 are opened as ever.
KINDS = (
    Kind(
        "one-class",
        1,
        2,
        OpenSetModel,
        lambda model, columns: {"label_columns": columns[:1] if columns else None},
        _flatten_one_class,
        _build_one_class,
        lambda answers: list(answers.class_scores[0].tolist()),
    ),
    Kind(
        "multi-label",
        3,
        3,
        LabelsModel,
        lambda model, columns: {"multi_label": True, "label_columns": columns},
        _flatten_labels,
        _build_labels,
        _golden_labels,
    ),
    Kind(
        "multi-output",
        3,
        3,
        OutputsModel,
        lambda model, columns: {"multi_output": True, "label_columns": list(model.columns)},
        _flatten_outputs,
        _build_outputs,
        _golden_outputs,
    ),
)

#: Networks with several inputs have no backbone; see `outgroup.multi_input.files`.
SEVERAL_INPUTS, SEVERAL_INPUTS_VERSION = "several-inputs", 4

FORMAT_VERSION = max(*(kind.version for kind in KINDS), SEVERAL_INPUTS_VERSION)
