"""Warn about training data that is valid but probably not intended.

Each message names the fix. Messages are shown as `DataWarning` and kept in the report of training;
they do not change the model.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration.certificate import percent
from outgroup.label_schema import LabelSchema
from outgroup.model import Model
from outgroup.strategies import take
from outgroup.training_set import TrainingSet

#: Names of classes that probably mean none of the classes, or no label.
NONE_OF_THEM = frozenset(
    {"background", "misc", "negative", "negatives", "no", "none", "nothing"}
    | {"other", "others", "rest", "unknown"}
)
NO_LABEL = frozenset(
    ("nan", "na", "n/a", "#n/a", "<na>", "null", "nil", "undefined", "missing", "?")
)

#: Warn if more than this share of at least so many held-out negatives, in all or in one folder, are
#: predicted to be of one class. If the strategy does not learn from negatives, only those near the
#: class count.
TAKEN, AT_LEAST = 0.5, 5

#: With fewer known images, no guarantee is below 10 %.
CALIBRATING = 30


def data_warnings(
    data: TrainingSet,
    model: Model | None = None,
    root: str | None = None,
    doubted: Sequence[str] = (),
) -> list[str]:
    """Return a message for each thing that is probably not intended.

    Without a model the checks that need one are skipped. `root` is the folder with a sub-folder for
    each class, if the images are from one; `doubted` are messages on verified negatives that look
    like a class, used if the model gives none.
    """
    names = class_name_warnings(data.schema, root)
    messages = [*names, *_identical_rows(data), *_in_two_classes(data)]
    if model is None:
        return [*messages, *doubted]
    taken = _taken_negatives(data, model)
    return [*messages, *(taken or doubted), *_few_to_calibrate(data, model)]


def class_name_warnings(schema: LabelSchema, root: str | None = None) -> list[str]:
    """Return messages about names of classes, labels and values of columns."""
    if schema.is_single or schema.is_multi_label:
        return odd_names(schema.class_names, root)
    return [text for output in schema.outputs for text in odd_names(output.classes)]


def odd_names(classes: Sequence[str], root: str | None = None) -> list[str]:
    """Return messages about class names that are probably not intended."""
    found = []
    for name in classes:
        plain = name.strip().casefold()
        folder = "FOLDER" if root is None else shlex.quote(os.path.join(root, name))
        is_class = f"A class is named {name!r}, and is learned like any other class: its images"
        if not plain or plain in NONE_OF_THEM:
            found.append(
                f"{is_class} are recognised. If they are none of your classes, give them as "
                f"negatives instead: --other {folder} on the command line, other=... in Python, an "
                "empty label in a table."
            )
        elif plain in NO_LABEL:
            found.append(
                f"{is_class} are recognised. If it stands for no label, leave these images out, or "
                "the label empty if they are none of your classes."
            )
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault("".join(name.casefold().split()), []).append(name)
    found += [
        f"The classes {' and '.join(map(repr, names))} differ only in case or blanks. If they "
        "are one class, give them one name."
        for names in alike.values()
        if len(names) > 1
    ]
    return found


def _identical_rows(data: TrainingSet) -> list[str]:
    """Return messages about classes whose images all have the same embedding."""
    rows, found = data.features["last"], []
    has = data.schema.indicator(data.targets) == 1
    for name, own in zip(data.classes, has.T, strict=True):
        images = rows[own]
        if len(images) > 1 and (images == images[0]).all():
            found.append(
                f"All {len(images)} images of class {name!r} have the same embedding, so it can't "
                "be learned how they vary. Check whether they are copies of one image, or blank."
            )
    return found


def _in_two_classes(data: TrainingSet) -> list[str]:
    """Return messages about equal embeddings with different labels."""
    labels: dict[bytes, set[str]] = {}
    rows = np.ascontiguousarray(data.features["last"])
    keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    texts = data.schema.texts(data.targets)
    named = ["the negatives" if text is None else f"class {text!r}" for text in texts]
    for key, text in zip(keys, named, strict=True):
        labels.setdefault(key, set()).add(text)
    pairs = Counter(frozenset(found) for key in keys if len(found := labels[key]) > 1)
    return [
        f"{count} images have the same embedding as one with another label, of "
        f"{' and '.join(sorted(pair))}. If they are the same images, keep each under one label."
        for pair, count in sorted(pairs.items(), key=lambda item: sorted(item[0]))
    ]


def _taken_negatives(data: TrainingSet, model: Model) -> list[str]:
    """Return messages about held-out negatives that are predicted to be of one class."""
    others = np.flatnonzero(data.negative)
    if len(others) < AT_LEAST:
        return []
    taken_for = np.full(len(others), -1)
    taken = np.flatnonzero(model.other_scores <= model.threshold)
    if len(taken):
        features = take(data.features, others[taken])
        answers = model.predict(features, nearest=0)
        first = answers.margins.argmin(axis=1)
        starts = np.array([where.start for where in data.schema.slices])
        labels = starts[first] + answers.best[np.arange(len(first)), first]
        if not model.strategy.uses_others and model.reasons is not None:
            labels[~model.reasons.reached(features["last"], labels)] = -1
        taken_for[taken] = labels
    origins = np.array([""] * len(others))
    if data.origins is not None:
        origins = np.array(data.origins)[others]
    found = []
    for origin in np.unique(origins):
        of_origin = taken_for[origins == origin]
        if len(of_origin) >= AT_LEAST:
            where = f" in {str(origin)!r}" if origin else ""
            found += _looks_like(data.classes, of_origin, where)
    return found or _looks_like(data.classes, taken_for, "")


def _looks_like(classes: Sequence[str], taken_for: NDArray[np.int64], where: str) -> list[str]:
    """Return a message if more than `TAKEN` of the negatives are taken for one class."""
    n, counts = len(taken_for), np.bincount(taken_for[taken_for >= 0], minlength=len(classes))
    k = int(counts.argmax())
    if counts[k] <= TAKEN * n:
        return []
    return [
        f"{percent(counts[k] / n)} of the negatives{where} ({counts[k]} of {n}, held out) are "
        f"taken for {classes[k]!r}. If they show that class, take them out of the negatives: a "
        "model that learns from them rejects its own images. If not, more images of both would "
        "help to tell them apart."
    ]


def _few_to_calibrate(data: TrainingSet, model: Model) -> list[str]:
    """Return messages about a threshold that rests on too few images."""
    found = []
    n = len(model.known_scores)
    if not model.strategy.learns and n < CALIBRATING:
        found.append(
            f"The threshold rests on {n} images. Some {CALIBRATING} give a useful guarantee."
        )
    has = (data.schema.indicator(data.targets) == 1).any(axis=0)
    empty = [name for name, there in zip(data.classes, has, strict=True) if not there]
    if empty:
        found.append(
            f"There is no image of {', '.join(map(repr, empty))}, so the guarantee does not cover "
            "it. Add some thirty."
        )
    return found
