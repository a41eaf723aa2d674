"""A strategy that was fitted, with its threshold and certificate: embeddings in, answers out.

Fitting takes the one road of every strategy: fold, cross-fit, choose the threshold from held-out
scores, fit to everything. Predicting needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import (
    Budget,
    Certificate,
    HeldOut,
    assign_folds,
    choose_threshold,
    describe_threshold,
)
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.neighbours import NEAREST
from outgroup.predictions import Predictions
from outgroup.reasons import Reasons, learn_reasons
from outgroup.strategies import Features, FoldedRows, Strategy

OTHERS = "images like your negatives"


@dataclass(frozen=True)
class OpenSetModel:
    """A fitted strategy and what it takes to decide.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes, sorted.
    strategy : Strategy
        Fitted.
    threshold : float
        An image is other iff its other-score is above this.
    certificate : Certificate
        What the threshold promises.
    known_scores, other_scores : ndarray of shape (n_known,) and (n_others,), float64
        The held-out other-scores that the threshold was chosen from.
    reasons : Reasons or None
        What tells ambiguous images from unknown ones, and names the nearest training images; None
        if the model comes from a file that is older than these.
    """

    classes: tuple[str, ...]
    strategy: Strategy
    threshold: float
    certificate: Certificate
    known_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]
    reasons: Reasons | None = None

    def predict(
        self,
        features: Features,
        paths: Sequence[str | None] | None = None,
        errors: Sequence[str | None] | None = None,
        nearest: int = NEAREST,
    ) -> Predictions:
        """Answer for n images.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer; rows of images with an error are not looked at.
        paths : sequence of (str or None) or None
            Where the images came from.
        errors : sequence of (str or None) or None
            Why an image could not be read, None for those that could.
        nearest : int, default=5
            How many training images to name for each; they are looked up when they are asked for.

        Returns
        -------
        Predictions

        Raises
        ------
        InvalidParameterError
            If `nearest` is not a whole number from 0 up.
        """
        n = len(features["last"])
        none: tuple[None, ...] = (None,) * n
        errors = none if errors is None else tuple(errors)
        readable = np.array([error is None for error in errors], dtype=bool)
        class_scores = np.full((n, len(self.classes)), np.nan)
        other_score = np.full(n, np.nan)
        if readable.any():
            rows = {layer: values[readable] for layer, values in features.items()}
            class_scores[readable], other_score[readable] = self.strategy.score(rows)
        ambiguous, table = None, None
        if self.reasons is not None:
            ambiguous, table = self.reasons.explain(
                class_scores, features["last"], readable, nearest
            )
        return Predictions(
            classes=self.classes,
            class_scores=class_scores,
            other_score=other_score,
            threshold=self.threshold,
            paths=none if paths is None else tuple(paths),
            errors=errors,
            ambiguous=ambiguous,
            percentile=self._percentiles(other_score),
            nearest=table,
        )

    def _percentiles(self, other_score: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(self._known_in_order, other_score, side="left")
        return np.where(
            np.isnan(other_score), np.nan, 100.0 * below / max(len(self.known_scores), 1)
        )

    @cached_property
    def _known_in_order(self) -> NDArray[np.float64]:
        return np.sort(self.known_scores)


@dataclass(frozen=True)
class TrainingSet:
    """Embeddings with what is known about them, checked.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer, finite.
    y : ndarray of shape (n,), int64
        Class index of each image, -1 for negatives.
    classes : tuple of str
        Names of the K classes.
    groups : sequence of (str or None) or None, length n
        Images with the same group are never split; None stands alone.
    origins : sequence of str or None, length n
        Folder or source of each image; negatives of one folder are held out together.
    paths : sequence of (str or None) or None, length n
        Where each image comes from; None: the rows are those of an array.
    collections : sequence of str or None, length n
        Which of the given collections of negatives an image is of: what they are reported by.
    probes : mapping of str to (mapping of str to ndarray)
        Embeddings of images of no class, by name, that nothing ever learns from: what a comparison
        of strategies meets besides.
    learned_from : bool, default=True
        False if the images are only to calibrate what is known already: then a class may have one
        image or none.

    Raises
    ------
    InvalidDataError
        If embeddings are not finite, lengths differ, there is no known image, or a class has fewer
        than two images or groups to learn from.
    """

    features: Features
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: Sequence[str | None] | None = None
    origins: Sequence[str] | None = None
    paths: Sequence[str | None] | None = None
    collections: Sequence[str] | None = None
    probes: Mapping[str, Features] = field(default_factory=dict)
    learned_from: bool = True

    def __post_init__(self) -> None:
        for what in ("groups", "origins", "paths", "collections"):
            there = getattr(self, what)
            if there is not None and len(there) != len(self.y):
                raise InvalidDataError(
                    f"There must be one of {what!r} for each of the {len(self.y)} images. "
                    f"Got {len(there)}."
                )
        for layer, values in self.features.items():
            if len(values) != len(self.y):
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings must have one row for each of the "
                    f"{len(self.y)} labels. Got {len(values)}."
                )
            finite = np.isfinite(values).all(axis=1)
            if not finite.all():
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings has NaN or infinite values in "
                    f"{int((~finite).sum())} rows. Leave these rows out."
                )
        if len(self.y) > 1 and all((v == v[0]).all() for v in self.features.values()):
            raise InvalidDataError(
                f"The embeddings of all {len(self.y)} images are the same, so that they can't be "
                "told apart. Look whether the images are blank, or copies of one."
            )
        if not (self.y >= 0).any():
            raise InvalidDataError(
                "There are no known images: every label is None, which means other. Label the "
                "images of at least one class."
            )
        if not self.learned_from:
            return
        counts = np.bincount(self.y[self.y >= 0], minlength=len(self.classes))
        for name, count in zip(self.classes, counts, strict=True):
            if count < 2:
                raise InvalidDataError(
                    f"Class {name!r} has {count} readable images. At least 2 are needed to hold "
                    "one out, and some 30 for a good model: add images, or leave the class out."
                )
        units = self.units
        if units is None:
            return
        for k, name in enumerate(self.classes):
            if len(np.unique(units[self.y == k])) < 2:
                raise InvalidDataError(
                    f"All images of class {name!r} are of one group. At least 2 groups are needed "
                    "to hold one out: add images of another, or leave the class out."
                )

    @classmethod
    def from_labels(
        cls,
        features: Features,
        labels: Sequence[str | None],
        groups: Sequence[str | None] | None = None,
        origins: Sequence[str] | None = None,
        paths: Sequence[str | None] | None = None,
        collections: Sequence[str] | None = None,
        probes: Mapping[str, Features] | None = None,
        classes: Sequence[str] | None = None,
    ) -> TrainingSet:
        """Make one from class names, None being other; the classes are sorted by name.

        If `classes` are given, they are known already, and the images only calibrate.
        """
        there = {str(label) for label in labels if label is not None}
        names = tuple(sorted(there if classes is None else classes))
        strange = sorted(there - {*names})
        if strange:
            raise InvalidDataError(
                f"There are images labelled {', '.join(map(repr, strange))}, and the classes are "
                f"{', '.join(map(repr, names))}. Add these to the classes, or leave the images out."
            )
        index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        y = np.array([index.get(label, -1) for label in labels], dtype=np.int64)
        learned_from = classes is None
        more = (paths, collections, probes or {}, learned_from)
        return cls(features, y, names, groups, origins, *more)

    @property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts: the group of each image, or the image itself if it has none.

        None if no image has a group.
        """
        if self.groups is None or all(group is None for group in self.groups):
            return None
        return np.array(
            [f"image {i}" if g is None else f"group {g}" for i, g in enumerate(self.groups)]
        )


class Foldable(Protocol):
    """What folds are dealt by, as `TrainingSet` has it."""

    @property
    def y(self) -> NDArray[np.int64]:
        """What known images are spread by, -1 for negatives."""

    @property
    def groups(self) -> Sequence[str | None] | None:
        """Group of each image."""

    @property
    def origins(self) -> Sequence[str] | None:
        """Folder or source of each image."""

    @property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts."""


def fit_model(
    data: TrainingSet,
    strategy: Strategy,
    budget: Budget | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> OpenSetModel:
    """Fit a strategy and choose its threshold from held-out scores.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    strategy : Strategy
        Unfitted; it is fitted in place.
    budget : Budget or None
        What the threshold has to keep; None is ``Budget()``.
    n_folds : int, default=5
        Each image is scored by a model that learned from the other folds.
    seed : int, default=0
        Seed of the folds.

    Returns
    -------
    OpenSetModel

    Raises
    ------
    InvalidParameterError
        If the strategy can't be had with these data.
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    """
    check_suits(strategy, data)
    y, known = data.y, data.y >= 0
    rows = FoldedRows(data.features, y, deal(data, n_folds, seed))
    class_scores, held_out = strategy.cross_fit(rows)
    if len(held_out) > 1 and np.ptp(held_out) <= 1e-9 * np.abs(held_out).max():
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} gives all images the same other-score, so that no "
            "threshold can part them. Take another strategy or detector (of a single class "
            "'one-class'), or other images, if these are all alike."
        )
    known_held = HeldOut(held_out[known], _rows(data.units, known))
    others_held = None
    if not known.all():  # also where the strategy does not learn from them
        others_held = HeldOut(held_out[~known], _rows(data.units, ~known), OTHERS)
    if strategy.fixed_threshold is None:
        calibration = choose_threshold(known_held, others_held, budget)
    else:
        calibration = describe_threshold(strategy.fixed_threshold, known_held, others_held, budget)
    strategy.fit(data.features, y)
    return OpenSetModel(
        classes=data.classes,
        strategy=strategy,
        threshold=calibration.threshold,
        certificate=calibration.certificate,
        known_scores=held_out[known],
        other_scores=held_out[~known],
        reasons=learn_reasons(
            data.classes, data.features["last"], y, class_scores, data.units, data.paths
        ),
    )


def check_suits(strategy: Strategy, data: TrainingSet) -> None:
    """Refuse a strategy that can't learn from these data.

    Raises
    ------
    InvalidParameterError
        If it needs negatives, classes or a layer that are not there.
    """
    known = data.y >= 0
    for layer in strategy.needs_layers:
        if layer not in data.features:
            raise InvalidParameterError(
                f"The strategy {strategy.name!r} reads the layer {layer!r}. Got only "
                f"{', '.join(map(repr, data.features))}. Take a backbone that has it, such as "
                "'efficientnet-lite0', or another strategy."
            )
    if strategy.needs_others and known.all():
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} learns from negatives, and there are none. Give some, "
            "or take a strategy that needs none, such as 'blend'."
        )
    learns = strategy.uses_others and not known.all()
    enough = not strategy.needs_two_classes and (strategy.takes_one_class or learns)
    if len(data.classes) < 2 and not enough:
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} tells classes from each other, and there is only one, "
            f"{data.classes[0]!r}. Take 'one-class', 'blend' or 'detector', to which one class is "
            "enough, or give negatives to a strategy that learns from them."
        )


def deal(
    data: Foldable, n_folds: int, seed: int, min_folders: int | None = None
) -> NDArray[np.int64]:
    """Deal known images by class, and negatives by folder so that each meets unseen kinds.

    Parameters
    ----------
    data : Foldable
        A training set.
    n_folds, seed : int
        As for `fit_model`.
    min_folders : int or None
        Folders of negatives from which on they are held out whole; None: as many as folds, because
        with fewer some models would see hardly any kind of negative.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    known = data.y >= 0
    folds = np.empty(len(known), dtype=np.int64)
    folds[known] = assign_folds(data.y[known], n_folds, _rows(data.units, known), seed)
    if not known.all():
        grouped = data.groups is not None and any(
            group is not None
            for group, is_known in zip(data.groups, known, strict=True)
            if not is_known
        )
        groups = _rows(data.units, ~known) if grouped else None
        if groups is None and data.origins is not None:
            origins = np.array(data.origins)[~known]
            enough = n_folds if min_folders is None else min_folders
            groups = origins if len(np.unique(origins)) >= enough else None
        folds[~known] = assign_folds(data.y[~known], n_folds, groups, seed)
    return folds


def _rows(units: NDArray[np.str_] | None, mask: NDArray[np.bool_]) -> NDArray[np.str_] | None:
    return None if units is None else units[mask]
