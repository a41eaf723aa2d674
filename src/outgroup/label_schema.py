"""Label schemas: the outputs of a model, and the classes of each output.

Every problem is a tuple of outputs. The classes of one output exclude each other, and each output
has a threshold of its own:

==================  ==============================================================
one class an image  one output without a name, of K classes
columns             one output for each column, named after it
several labels      one output for each label, with that label as its only class
==================  ==============================================================

What is known about n images is an integer array of shape (n, n_outputs): the index of the class, or
`OTHER` for none of the classes of that output, or `UNSEEN` where nobody has looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError


@dataclass(frozen=True)
class Output:
    """One question with exclusive classes; the name is empty for the only output of a schema."""

    name: str
    classes: tuple[str, ...]

    @property
    def is_label(self) -> bool:
        """Whether the output is one label, which an image has or has not."""
        return bool(self.name) and self.classes == (self.name,)

    def text(self, name: str) -> str:
        """Return what one of its classes is called beside those of other outputs."""
        return name if not self.name or self.is_label else f"{self.name}={name}"


@dataclass(frozen=True)
class LabelSchema:
    """The outputs of a model.

    Examples
    --------
    >>> LabelSchema.single(["cat", "dog"]).class_names
    ('cat', 'dog')
    >>> LabelSchema.columns({"animal": ["cat", "dog"], "colour": ["red"]}).class_names
    ('animal=cat', 'animal=dog', 'colour=red')
    >>> LabelSchema.multi_label(["cat", "dog"]).parts
    ((0, 1),)
    """

    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        names = [output.name for output in self.outputs]
        if not names or len(set(names)) < len(names) or (len(names) > 1 and "" in names):
            raise InvalidDataError(
                f"Invalid `outputs`: must be at least one, with different names, got {names!r}."
            )
        for output in self.outputs:
            classes = output.classes
            if not classes or len(set(classes)) < len(classes):
                raise InvalidDataError(
                    f"Invalid classes of the output {output.name!r}: must be at least one, with "
                    f"different names, got {list(classes)!r}."
                )

    @classmethod
    def single(cls, classes: Sequence[str]) -> LabelSchema:
        """Return the schema of images with one class each."""
        return cls((Output("", tuple(classes)),))

    @classmethod
    def multi_label(cls, labels: Sequence[str]) -> LabelSchema:
        """Return the schema of images with any number of labels."""
        return cls(tuple(Output(label, (label,)) for label in labels))

    @classmethod
    def columns(cls, columns: Mapping[str, Sequence[str]]) -> LabelSchema:
        """Return the schema of images with a class in each of several columns."""
        return cls(tuple(Output(name, tuple(classes)) for name, classes in columns.items()))

    @property
    def is_single(self) -> bool:
        """Whether there is one output without a name."""
        return not self.outputs[0].name

    @property
    def is_multi_label(self) -> bool:
        """Whether every output is a label."""
        return all(output.is_label for output in self.outputs)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes of all outputs, in order; those of a column read "column=value"."""
        return tuple(output.text(name) for output in self.outputs for name in output.classes)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """For each output its place in `class_names`."""
        ends = np.cumsum([len(output.classes) for output in self.outputs]).tolist()
        return tuple(slice(a, b) for a, b in zip([0, *ends], ends, strict=False))

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the outputs that one strategy learns: labels together, others alone."""
        labels = tuple(i for i, output in enumerate(self.outputs) if output.is_label)
        alone = [(i,) for i, output in enumerate(self.outputs) if not output.is_label]
        return tuple(sorted([*alone, *([labels] if labels else [])]))

    def part(self, outputs: tuple[int, ...]) -> LabelSchema:
        """Return the schema of some of the outputs."""
        return LabelSchema(tuple(self.outputs[i] for i in outputs))

    def indicator(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n, n_classes): 1 for a class that is there, 0 if it is not, -1 if unknown."""
        columns = [
            np.where(
                targets[:, [i]] == UNSEEN, -1, targets[:, [i]] == np.arange(len(output.classes))
            )
            for i, output in enumerate(self.outputs)
        ]
        return np.hstack(columns).astype(np.int64)

    def texts(self, targets: NDArray[np.int64]) -> list[str | None]:
        """Return the classes of each image joined by bars; None for none of them."""
        names = [[output.text(name) for name in output.classes] for output in self.outputs]
        rows = (
            "|".join(names[i][k] for i, k in enumerate(row) if k >= 0) for row in targets.tolist()
        )
        return [row or None for row in rows]


def label_targets(Y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the targets of labels from a matrix of 1, 0 and -1 (unknown)."""
    if not np.isin(Y, (-1, 0, 1)).all():
        raise InvalidDataError("Invalid `Y`: must be a matrix of 1, 0 and -1, got other values.")
    return np.select([Y == 1, Y == 0], [0, OTHER], UNSEEN).astype(np.int64)
