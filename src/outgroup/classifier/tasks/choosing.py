"""Which task the options of a classifier name."""

from __future__ import annotations

from collections.abc import Sequence

from outgroup.classifier.mapped import NameMap
from outgroup.classifier.tasks.base import Task
from outgroup.classifier.tasks.columns import ClassInEachColumn
from outgroup.classifier.tasks.labels import AnyNumberOfLabels
from outgroup.classifier.tasks.mapped import Mapped
from outgroup.classifier.tasks.one_class import OneClass
from outgroup.classifier.tuner import Tuner
from outgroup.errors import InvalidParameterError


def checked_tuner(tuner: Tuner | None, task: Task) -> Tuner | None:
    """Return the tuner.

    Raises
    ------
    InvalidParameterError
        If it is none, or the network can't be tuned for the task.
    """
    if tuner is None or (task.tunes and hasattr(tuner, "tune")):
        return tuner
    if not hasattr(tuner, "tune"):
        raise InvalidParameterError(
            f"The 'finetune' parameter must be a FineTune or None. Got {tuner!r} instead. Write "
            "from outgroup.finetune import FineTune."
        )
    raise InvalidParameterError(
        f"The 'finetune' parameter must be None with 'map'. Got {tuner!r} instead. Classes by "
        "ImageNet's names are read off the network as it is, and tuning would change what it says "
        "of them. Leave 'map' out and give images of the classes, or leave 'finetune' out."
    )


def choose_task(
    multi_label: bool,
    multi_output: bool,
    label_columns: Sequence[str] | None,
    names: NameMap | None = None,
) -> Task:
    """Return the task.

    Parameters
    ----------
    multi_label, multi_output : bool
        At most one is true.
    label_columns : sequence of str or None
        The columns of a table that hold the labels.
    names : mapping or None
        For each class the ImageNet classes that mean it; only with one class an image.

    Raises
    ------
    InvalidParameterError
        If the options don't go together.
    """
    if isinstance(label_columns, str):
        raise InvalidParameterError(
            "The 'label_columns' parameter must be a sequence of names. "
            f"Got {label_columns!r} instead. Write [{label_columns!r}]."
        )
    columns = None if label_columns is None else tuple(label_columns)
    if multi_label and multi_output:
        raise InvalidParameterError(
            "The 'multi_label' parameter must be False with 'multi_output'. Got True instead. Any "
            "number of labels is one, a class in each of several columns is the other."
        )
    if names is not None and (multi_label or multi_output):
        raise InvalidParameterError(
            "The 'map' parameter must be None with 'multi_label' or 'multi_output'. Got "
            f"{names!r} instead. Names of ImageNet give an image one class."
        )
    if multi_output:
        if not columns:
            raise InvalidParameterError(
                "The 'label_columns' parameter must name the columns with 'multi_output', such as "
                f"['animal', 'colour']. Got {label_columns!r} instead."
            )
        return ClassInEachColumn(columns)
    if multi_label:
        return AnyNumberOfLabels(columns)
    if columns is not None and len(columns) != 1:
        raise InvalidParameterError(
            "The 'label_columns' parameter must be one name, or None, if each image has one class. "
            f"Got {label_columns!r} instead. Several go with 'multi_label' or 'multi_output'."
        )
    return OneClass(columns) if names is None else Mapped(names, columns)
