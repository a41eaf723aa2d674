"""Embeddings with what is known about them, checked, and their split into folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._features import Features, take
from outgroup.calibration import HeldOut, assign_folds
from outgroup.errors import InvalidDataError
from outgroup.label_schema import LabelSchema

#: Columns of a training set with one entry for each image.
BY_IMAGE = ("groups", "origins", "paths", "collections", "calibrates")


@dataclass(frozen=True)
class TrainingSet:
    """Embeddings with what is known about them, checked.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, n_outputs), int64
        Class index of each image in each output, `OTHER` for none of its classes, `UNSEEN` where
        nobody has looked; a vector is that of one output.
    origins : sequence of str or None, length n
        Folder or source of each image; negatives of one folder are held out together.
    paths : sequence of (str or None) or None, length n
        Where each image comes from; None: the rows are those of an array.
    collections : sequence of str or None, length n
        Which of the given collections of negatives an image is of, for reports.
    probes : mapping of str to (mapping of str to ndarray)
        Embeddings, by name, of images of no class that nothing learns from; strategies are compared
        by them.
    learned_from : bool, default=True
        False if the images only calibrate; then a class may have one image or none.
    tuned : bool, default=False
        Whether the network was tuned on these classes, so that leaving one out makes it no unknown.
    calibrates : ndarray of shape (n,), bool, or None
        Which rows are like those to be predicted: thresholds and guarantees rest on them. None:
        all. The others are only learned from, such as images that the network was tuned on.
    """

    features: Features
    targets: NDArray[np.int64]
    schema: LabelSchema
    groups: Sequence[str | None] | None = None
    origins: Sequence[str] | None = None
    paths: Sequence[str | None] | None = None
    collections: Sequence[str] | None = None
    probes: Mapping[str, Features] = field(default_factory=dict)
    learned_from: bool = True
    tuned: bool = False
    calibrates: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.schema, LabelSchema):
            object.__setattr__(self, "schema", LabelSchema.single(self.schema))
        targets = np.asarray(self.targets, dtype=np.int64)
        object.__setattr__(self, "targets", targets[:, None] if targets.ndim == 1 else targets)
        self._check_shapes()
        self._check_embeddings()
        if not (self.targets >= 0).any():
            raise InvalidDataError(
                "There are no known images: every label is empty, which means none of the classes. "
                "Label the images of at least one class."
            )
        if self.learned_from:
            for o in range(len(self.schema.outputs)):
                self._check_classes(o)

    def _check_shapes(self) -> None:
        n, outputs = len(self.targets), self.schema.outputs
        if self.targets.shape != (n, len(outputs)):
            raise InvalidDataError(
                f"Invalid `targets`: must have a column for each of {len(outputs)} outputs, got "
                f"shape {self.targets.shape}."
            )
        sizes = np.array([len(output.classes) for output in outputs])
        if not ((self.targets >= UNSEEN) & (self.targets < sizes)).all():
            raise InvalidDataError(
                f"Invalid `targets`: must be class indices, {OTHER} or {UNSEEN}, got values from "
                f"{self.targets.min()} to {self.targets.max()}."
            )
        for name in BY_IMAGE:
            there = getattr(self, name)
            if there is not None and len(there) != n:
                raise InvalidDataError(
                    f"Invalid `{name}`: must have an entry for each of the {n} images, got "
                    f"{len(there)}."
                )
        for layer, values in self.features.items():
            if len(values) != n:
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings must have one row for each of the {n} "
                    f"labels, got {len(values)}."
                )

    def _check_embeddings(self) -> None:
        for layer, values in self.features.items():
            finite = np.isfinite(values).all(axis=1)
            if not finite.all():
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings has NaN or infinite values in "
                    f"{int((~finite).sum())} rows. Leave these rows out."
                )
        if len(self.targets) > 1 and all((v == v[0]).all() for v in self.features.values()):
            raise InvalidDataError(
                f"The embeddings of all {len(self.targets)} images are the same, so the classes "
                "can't be told apart. Check whether the images are blank, or copies of one."
            )

    def _check_classes(self, o: int) -> None:
        output, y, units = self.schema.outputs[o], self.targets[:, o], self.units
        counts = np.bincount(y[y >= 0], minlength=len(output.classes))
        for k, (name, count) in enumerate(zip(output.classes, counts, strict=True)):
            what = f"label {name!r}" if output.is_label else f"class {output.text(name)!r}"
            if count < 2:
                raise InvalidDataError(
                    f"There are {count} readable images of {what}. At least 2 are needed to hold "
                    "one out, and some 30 for a good model: add images, or leave it out."
                )
            if units is not None and len(np.unique(units[y == k])) < 2:
                raise InvalidDataError(
                    f"All images of {what} are of one group. At least 2 groups are needed to hold "
                    "one out: add images of another, or leave it out."
                )
        if output.is_label and (y == OTHER).sum() < 2:
            raise InvalidDataError(
                f"Fewer than 2 readable images are without the label {output.name!r}, so it can't "
                "be learned what images without it look like. Add images of other labels, or of "
                "none of them."
            )

    @classmethod
    def from_labels(
        cls,
        features: Features,
        labels: Sequence[str | None],
        groups: Sequence[str | None] | None = None,
        origins: Sequence[str] | None = None,
        paths: Sequence[str | None] | None = None,
        classes: Sequence[str] | None = None,
        **more: Any,
    ) -> TrainingSet:
        """Make one from class names, None being other; the classes are sorted by name.

        If `classes` are given, they are known already, and the images only calibrate. `more` are
        further fields.
        """
        there = {str(label) for label in labels if label is not None}
        names = tuple(sorted(there if classes is None else classes))
        if unknown := sorted(there - {*names}):
            raise InvalidDataError(
                f"There are images labelled {', '.join(map(repr, unknown))}, and the classes are "
                f"{', '.join(map(repr, names))}. Add these to the classes, or leave the images out."
            )
        if not names:
            raise InvalidDataError(
                "There are no known images: every label is empty, which means none of the classes. "
                "Label the images of at least one class."
            )
        index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        y = np.array([index.get(label, OTHER) for label in labels], dtype=np.int64)
        schema = LabelSchema.single(names)
        more.setdefault("learned_from", classes is None)
        return cls(features, y, schema, groups, origins, paths, **more)

    def subset(self, rows: NDArray[np.int64]) -> TrainingSet:
        """Return the rows of these indices, in this order."""
        some: dict[str, Any] = {}
        for name in BY_IMAGE:
            column = getattr(self, name)
            if isinstance(column, np.ndarray):
                some[name] = column[rows]
            elif column is not None:
                some[name] = [column[i] for i in rows.tolist()]
        features, targets = take(self.features, rows), self.targets[rows]
        return replace(self, features=features, targets=targets, **some)

    def part(self, outputs: tuple[int, ...]) -> tuple[TrainingSet, NDArray[np.int64]]:
        """Return the images labelled in some of the outputs, and which rows they are."""
        if len(outputs) == len(self.schema.outputs):
            return self, np.arange(len(self.targets))
        rows = np.flatnonzero((self.targets[:, outputs] != UNSEEN).any(axis=1))
        made = replace(self, learned_from=False).subset(rows)
        schema, targets = self.schema.part(outputs), made.targets[:, outputs]
        return replace(made, schema=schema, targets=targets, learned_from=self.learned_from), rows

    def parts(self) -> Iterator[tuple[str, TrainingSet]]:
        """Yield what each strategy learns from, with the name of the column, empty for labels."""
        for outputs in self.schema.parts:
            output = self.schema.outputs[outputs[0]]
            yield "" if output.is_label else output.name, self.part(outputs)[0]

    @property
    def y(self) -> NDArray[np.int64]:
        """Class index of each image with one output, else its rarest class; `OTHER` for none."""
        return self.strata

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""
        return self.schema.class_names

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which images have a class in any output."""
        return np.asarray((self.targets >= 0).any(axis=1))

    @cached_property
    def negative(self) -> NDArray[np.bool_]:
        """Which images are known to have no class in any output."""
        return np.asarray((self.targets == OTHER).all(axis=1))

    @cached_property
    def strata(self) -> NDArray[np.int64]:
        """The class that folds are stratified by: the rarest of each image, `OTHER` without any."""
        if len(self.schema.outputs) == 1:
            return self.targets[:, 0]
        has = self.schema.indicator(self.targets) == 1
        rarest = np.where(has, has.sum(axis=0), len(has) + 1).argmin(axis=1)
        return np.where(has.any(axis=1), rarest, OTHER)

    @property
    def calibrating(self) -> NDArray[np.bool_]:
        """Which rows thresholds and guarantees rest on."""
        if self.calibrates is None:
            return np.ones(len(self.targets), dtype=np.bool_)
        return self.calibrates

    @property
    def n_known(self) -> tuple[int, str]:
        """Number of known images or groups that calibrate, and which of the two they are.

        With several outputs, that of the output with the fewest.
        """
        counts = []
        for y in self.targets.T:
            rows = (y >= 0) & self.calibrating
            held_out = HeldOut(np.zeros(int(rows.sum())), self.units_of(rows))
            counts.append((held_out.n, held_out.unit))
        return min(counts)

    @property
    def ungrouped(self) -> bool:
        """Whether no two known images are of one group."""
        if self.units is None:
            return True
        known = self.units[self.known]
        return len(np.unique(known)) == len(known)

    @cached_property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts: the group of each image, or the image itself if it has none.

        None if no image has a group.
        """
        return None if self.groups is None else group_units(self.groups)

    def units_of(self, rows: NDArray[np.bool_]) -> NDArray[np.str_] | None:
        """Return what a bound counts among some of the rows; None if no image has a group."""
        return None if self.units is None else self.units[rows]

    def folds(self, n_folds: int, seed: int, min_folders: int | None = None) -> NDArray[np.int64]:
        """Return the fold of each row: known images split by class, negatives by folder.

        So each negative is scored by a model that has not seen its kind. Folders are held out whole
        if there are at least `min_folders`; None: as many as folds, because with fewer some models
        would see hardly any kind of negative.
        """
        strata = self.strata
        known = strata >= 0
        folds = np.empty(len(known), dtype=np.int64)
        folds[known] = assign_folds(strata[known], n_folds, self.units_of(known), seed)
        if known.all():
            return folds
        groups, others = None, ~known
        if self.groups is not None and any(
            self.groups[i] is not None for i in np.flatnonzero(others).tolist()
        ):
            groups = self.units_of(others)
        if self.origins is not None:
            origins = np.array(self.origins)[others]
            folders = origins if groups is None else linked(origins, groups)
            enough = n_folds if min_folders is None else min_folders
            groups = folders if len(np.unique(folders)) >= enough else groups
        folds[others] = assign_folds(strata[others], n_folds, groups, seed)
        return folds


def linked(first: NDArray[np.str_], second: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return a name for each entry, the same for all that share either name, or are linked so."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, two = (np.unique(names, return_inverse=True)[1] for names in (first, second))
    n_first, n = one.max() + 1, one.max() + two.max() + 2
    graph = coo_array((np.ones(len(one)), (one, n_first + two)), shape=(n, n))
    parts = connected_components(graph, directed=False)[1][one]
    return np.unique(parts, return_inverse=True)[1].astype(np.str_)


def group_units(groups: Sequence[str | None]) -> NDArray[np.str_] | None:
    """Return the group of each image, or the image itself if it has none; None without groups.

    >>> group_units(["a", None, "a"])
    array(['group a', 'image 1', 'group a'], dtype='<U7')
    """
    if all(group is None for group in groups):
        return None
    return np.array([f"image {i}" if g is None else f"group {g}" for i, g in enumerate(groups)])
