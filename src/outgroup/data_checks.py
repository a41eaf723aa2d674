"""What is allowed in training data, and rarely meant: each with the fix.

Nothing here changes a model. The messages are shown as `DataWarning`, and kept in the report of
training.
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
from outgroup.contamination import Contamination
from outgroup.model import OpenSetModel
from outgroup.training_set import TrainingSet

#: Names that people give to what is none of their classes, and that tables give to no label.
NONE_OF_THEM = frozenset(
    {"background", "misc", "negative", "negatives", "no", "none", "nothing"}
    | {"other", "others", "rest", "unknown"}
)
NO_LABEL = frozenset(
    ("nan", "na", "n/a", "#n/a", "<na>", "null", "nil", "undefined", "missing", "?")
)

#: Share of the held-out negatives, of all or of one folder, that are taken for a class, and how
#: many there must be, before it is said that they look like it. Where they are not learned from,
#: only those count that are near it as well: there, all kinds of images are taken for a class.
TAKEN, AT_LEAST = 0.5, 5

#: Negatives that a message names.
NAMED = 3

#: Fewer known images than this, and a threshold is hardly more than a guess: no promise below 10 %.
CALIBRATING = 30


def suspicious(
    data: TrainingSet,
    model: OpenSetModel | None = None,
    root: str | None = None,
    found: Contamination | None = None,
) -> list[str]:
    """Return what is probably not meant in training data, one message each.

    Parameters
    ----------
    data : TrainingSet
        The data.
    model : OpenSetModel or None
        What was learned from it; without it negatives are not compared with the classes.
    root : str or None
        The folder that holds a sub-folder for each class, if they are from one.
    found : Contamination or None
        Which negatives look like a class, if that is known already.
    """
    said = [*odd_names(data.classes, root), *_identical_rows(data), *_in_two_classes(data)]
    taken = [] if model is None else _taken_negatives(data, model)
    said += taken or doubted_negatives(found)
    return said if model is None else [*said, *_few_to_calibrate(data, model)]


def odd_names(classes: Sequence[str], root: str | None = None) -> list[str]:
    """Return messages on class names that hardly anybody gives to a class.

    Examples
    --------
    >>> print(odd_names(["cat", "dog", "other"])[0])
    A class is named 'other', and is taken for a class like any other: its images are recognised.
    If they are none of your classes, give them as negatives instead: --other FOLDER on the command
    line, other=... in Python, an empty label in a table.
    >>> odd_names(["Cat", "cat"])
    ["The classes 'Cat' and 'cat' differ in nothing but case or blanks. If they are one, name them
    alike."]
    """
    found = []
    for name in classes:
        plain = name.strip().casefold()
        folder = "FOLDER" if root is None else shlex.quote(os.path.join(root, name))
        is_class = f"A class is named {name!r}, and is taken for a class like any other: its images"
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
        f"The classes {' and '.join(map(repr, names))} differ in nothing but case or blanks. If "
        "they are one, name them alike."
        for names in alike.values()
        if len(names) > 1
    ]
    return found


def _identical_rows(data: TrainingSet) -> list[str]:
    """Say which classes have one and the same embedding in every row."""
    rows, found = data.features["last"], []
    for k, name in enumerate(data.classes):
        own = rows[data.y == k]
        if len(own) > 1 and (own == own[0]).all():
            found.append(
                f"All {len(own)} images of class {name!r} have the same embedding, so that nothing "
                "is known of how they vary. Look whether they are copies of one image, or blank."
            )
    return found


def _in_two_classes(data: TrainingSet) -> list[str]:
    """Say how many rows are there with another label, too."""
    labels: dict[bytes, set[int]] = {}
    rows = np.ascontiguousarray(data.features["last"])
    keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    for key, label in zip(keys, data.y.tolist(), strict=True):
        labels.setdefault(key, set()).add(label)
    pairs = Counter(frozenset(found) for key in keys if len(found := labels[key]) > 1)
    return [
        f"{count} images have the same embedding as one with another label, of "
        f"{' and '.join(_said(data, k) for k in sorted(pair, reverse=True))}. If they are the same "
        "images, keep each under one label."
        for pair, count in sorted(pairs.items(), key=lambda item: sorted(item[0]))
    ]


def _taken_negatives(data: TrainingSet, model: OpenSetModel) -> list[str]:
    """Say which negatives are taken for one class, by models that have not seen them."""
    others = np.flatnonzero(data.y < 0)
    if len(others) < AT_LEAST:
        return []
    taken_for = np.full(len(others), -1)
    taken = np.flatnonzero(model.other_scores <= model.threshold)
    if len(taken):
        features = {name: values[others[taken]] for name, values in data.features.items()}
        labels = model.strategy.score(features).class_scores.argmax(axis=1)
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


def doubted_negatives(found: Contamination | None) -> list[str]:
    """Return a message on negatives that were given as such and look like a class."""
    if found is None or not found.doubted:
        return []
    n, named = len(found.doubted), found.doubted[:NAMED]
    listed = ", ".join(f"{one.path or f'row {one.row}'} ({one.label})" for one in named)
    more = f" and {n - len(named)} more" if n > len(named) else ""
    return [
        f"{n} of the {found.n_vouched} negatives that you vouch for look like your classes to "
        f"models that never saw them: {listed}{more}. If they show a class, take them out; if not, "
        "they are the best there are."
    ]


def _looks_like(classes: Sequence[str], taken_for: NDArray[np.int64], where: str) -> list[str]:
    """Return a message if more than `TAKEN` of them are taken for one class."""
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


def _few_to_calibrate(data: TrainingSet, model: OpenSetModel) -> list[str]:
    """Say that a threshold rests on too few images, where nothing else asks for more."""
    found = []
    n = len(model.known_scores)
    if not model.strategy.learns and n < CALIBRATING:
        found.append(
            f"The threshold rests on {n} images. Some {CALIBRATING} make a promise worth having."
        )
    counts = np.bincount(data.y[data.y >= 0], minlength=len(data.classes))
    empty = [name for name, count in zip(data.classes, counts, strict=True) if not count]
    if empty:
        found.append(
            f"There is no image of {', '.join(map(repr, empty))}, so that what is promised says "
            "nothing of it. Some thirty would do."
        )
    return found


def _said(data: TrainingSet, label: int) -> str:
    return "the negatives" if label < 0 else f"class {data.classes[label]!r}"
