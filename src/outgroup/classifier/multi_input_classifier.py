"""`MultiInputClassifier`: images and table columns in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup._numeric import require, whole_number
from outgroup.artifact import ModelContents, TrainingInfo, load_model, save_model
from outgroup.artifact.container import error_context
from outgroup.calibration import Budget, Certificate
from outgroup.data import Skipped
from outgroup.errors import InvalidDataError, InvalidParameterError, ModelFileError
from outgroup.explain import NEAREST
from outgroup.model import Model
from outgroup.multi_input.inputs import Inputs, require_one_of
from outgroup.multi_input.network_plan import PRESETS, Preset
from outgroup.multi_input.row_encoder import HeldOutRows, RowEncoder
from outgroup.multi_input.row_table import RowTable, as_row_table, read_cells
from outgroup.multi_input.training_rows import (
    TARGETS,
    TrainingRows,
    encode_labels,
    gather_rows,
    given_labels,
)
from outgroup.predictions import Predictions

if TYPE_CHECKING:  # predicting does without
    from outgroup.classifier.row_comparison import Ablation
    from outgroup.data.tables import DataFrameLike
    from outgroup.evaluation import Evaluation

#: Rows: a DataFrame, columns by name, a list of records, or the path of a JSON or CSV file.
RowData: TypeAlias = (
    "str | os.PathLike[str] | Mapping[str, Any] | Sequence[Mapping[str, Any]]"
    " | DataFrameLike | RowTable"
)
UnknownRows: TypeAlias = "Mapping[str, RowData] | Sequence[RowData]"

#: What rows of the labelled table that have no label are called.
UNLABELLED = "rows without a label"

#: Which negatives are made of known images; see `MultiInputClassifier`.
NEGATIVES = ("preset", "background", "none")

#: Negatives made for each known row, where a preset makes none.
MADE = 0.25


class MultiInputClassifier:
    """A network with several inputs that knows when a row is none of its classes.

    Training needs the extra ``torch``; predicting does not.

    Parameters
    ----------
    inputs : Inputs
        Images and table columns.
    preset : str or Preset, default="two-branch-plus"
        "two-branch" is one small branch for each image, ten dense units and Adam; "two-branch-plus"
        three larger networks (see `PRESETS`).
    target : {"binary", "multi-class", "multi-label"}, default="binary"
        What is learned: one of two classes, one of several, or any number of labels.
    negatives : {"preset", "background", "none"}, default="preset"
        Which negatives are made of the known images. "background": one for four rows, in which
        patches of the border cover the middle, or tiles are in another order. "none": none.
        "preset": those of the preset; "two-branch" makes none.
    max_known_rejected : float or "auto", default="auto"
        Largest share of rows like the known ones that may be rejected; see `Budget`.
    max_other_accepted : float or None
        Largest share of rows like the negatives that may be given a class.
    confidence : float, default=0.95
        Confidence of each guarantee.
    seed : int, default=0
        Seed of the split, of networks and of made negatives.
    progress : bool or None, default=None
        Whether to show a progress bar on standard error; None: if it is a terminal.

    Raises
    ------
    InvalidParameterError
        If an argument is invalid.

    Examples
    --------
    >>> from outgroup.multi_input import Bands, Inputs, Numeric
    >>> inputs = Inputs([Bands("band_1"), Bands("band_2")], [Numeric("inc_angle")])
    >>> MultiInputClassifier(inputs, preset="two-branch").preset.hidden
    (10,)
    """

    def __init__(
        self,
        inputs: Inputs,
        preset: str | Preset = "two-branch-plus",
        target: str = "binary",
        *,
        negatives: str = "preset",
        max_known_rejected: float | Literal["auto"] | None = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        require(isinstance(inputs, Inputs), "inputs", "Inputs", inputs)
        if not isinstance(preset, Preset):
            require_one_of("preset", preset, tuple(PRESETS))
            preset = PRESETS[preset]
        require_one_of("target", target, TARGETS)
        require_one_of("negatives", negatives, NEGATIVES)
        if negatives != "preset":
            share = (preset.made_others or MADE) if negatives == "background" else 0.0
            preset = replace(preset, made_others=share)
        self.inputs = inputs
        self.preset = preset
        self.target = target
        self.budget = Budget(max_known_rejected, max_other_accepted, confidence)
        self.seed = whole_number("seed", seed, least=0)
        self.progress = progress
        self._contents: ModelContents | None = None
        self._data: TrainingRows | None = None
        self.held_out_: HeldOutRows | None = None

    @property
    def contents(self) -> ModelContents:
        """Everything a model file holds; `InvalidDataError` if nothing was learned."""
        if self._contents is None:
            raise InvalidDataError("The classifier is not fitted yet. Call fit or load first.")
        return self._contents

    @property
    def model(self) -> Model:
        """The fitted model behind the encoder."""
        return self.contents.model

    @property
    def encoder(self) -> RowEncoder:
        """The trained networks."""
        encoder = self.contents.encoder
        assert isinstance(encoder, RowEncoder)
        return encoder

    @property
    def threshold(self) -> float:
        """A row is other iff its other-score is above this."""
        return self.model.threshold

    @property
    def certificate(self) -> Certificate:
        """What the thresholds guarantee."""
        return self.model.certificate

    def fit(
        self,
        data: RowData,
        y: str | Sequence[Any] | NDArray[Any],
        groups: str | Sequence[object] | None = None,
        other: RowData | None = None,
        *,
        classes: Sequence[str] | None = None,
        id: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> MultiInputClassifier:
        """Learn from rows.

        Parameters
        ----------
        data : DataFrame, dict of columns, list of records, or path of a JSON or CSV file
            The inputs by name; rows that can't be read are left out, and listed in `report`.
        y : str or sequence of n labels
            A column, or the labels: None is other; for several labels lists, texts such as
            ``"ice|ship"``, or a matrix of 1, 0 and -1 (unknown).
        groups : str, sequence of n, or None
            A column, or the group of each row; a group is never split.
        other : like data, or None
            Rows that are none of the classes.
        classes : sequence of str or None
            Names of the classes; None: those of the labels. A matrix needs one for each column.
        id : str or None
            A column with what the rows are called.
        names : dict of str to str or None
            What the classes are called, by what is in the labels, as in ``{"1": "iceberg"}``.

        Raises
        ------
        InvalidDataError
            If nothing can be learned from them.
        InfeasibleTargetError
            If a guarantee that was asked for can't be given.
        MissingExtraError
            If torch is not installed.
        """
        from outgroup.classifier.row_model import fit_rows
        from outgroup.multi_input.leaks import warn_of_leaks
        from outgroup.torch_loop import require_torch

        require_torch("Training a network with several inputs")  # before any work is done
        self._contents, self._data = None, None
        rows = gather_rows(self.inputs, self.target, data, y, groups, other, classes, id, names)
        warn_of_leaks(self.inputs, rows)
        encoder, model, self.held_out_ = fit_rows(
            rows, self.inputs, self.preset, self.target, self.budget, self.seed, self.progress
        )
        self._data = rows
        label = y if isinstance(y, str) else None
        columns = {"id": id, "label": label, "names": dict(names or {})}
        options = {**asdict(self.budget), "seed": self.seed, **columns}
        counts = rows.class_counts, int((~rows.known).sum()), len(rows.unreadable)
        info = TrainingInfo(rows.fingerprint, *counts, options)
        self._contents = ModelContents(encoder, model, info)
        return self

    @property
    def report(self) -> TrainingRows:
        """The rows that were learned from, and those that could not be read."""
        if self._data is None:
            raise InvalidDataError(
                "There are no training rows: the classifier was not fitted here."
            )
        return self._data

    def predict(
        self,
        data: RowData,
        threshold: float | None = None,
        *,
        id: str | None = None,
        nearest: int = NEAREST,
    ) -> Predictions:
        """Answer for rows.

        Parameters
        ----------
        data : like that of `fit`
            Columns that are not there are missing in all rows.
        threshold : float or None
            Decide by this instead of the model's own threshold.
        id : str or None
            A column with what the rows are called, for the "path" of the answers; None: that of
            training, if it is there.
        nearest : int, default=5
            How many training rows each answer names.
        """
        encoder, table = self.encoder, as_row_table(data)
        cells = read_cells(encoder.cell_encoder.inputs, table, lenient=True)
        trained = self.contents.training.options.get("id")
        id = trained if id is None and trained in table.columns else id
        paths = None if id is None else table.names(id)
        rows = encoder.encode(cells)
        found = self.model.predict(rows.layers, paths, cells.errors, nearest)
        found = replace(found, input_scores=rows.input_scores, odd_inputs=rows.odd_inputs)
        return found if threshold is None else found.at(threshold)

    def evaluate(
        self,
        data: RowData,
        y: str | Sequence[Any] | NDArray[Any] | None = None,
        unknown: UnknownRows = (),
    ) -> tuple[Evaluation, tuple[Skipped, ...]]:
        """Measure on rows that were not trained on.

        Parameters
        ----------
        data : like that of `fit`
            Labelled rows; those without a label count as unknown ones.
        y : str, sequence of n labels, or None
            As for `fit`; None: the column that it was fitted with.
        unknown : dict of name to rows, or sequence of rows
            Rows that are none of the classes, each reported by itself; files by their name.

        Returns
        -------
        evaluation : Evaluation
        unreadable : tuple of Skipped
            Rows that could not be read, and count in no figure.

        Raises
        ------
        InvalidDataError
            If no known row could be read, or one has a label that is none of the classes.
        InvalidParameterError
            If there are no labels.
        """
        from outgroup.evaluation import evaluate

        table, options = as_row_table(data), self.contents.training.options
        y = options.get("label") if y is None else y
        if y is None:
            raise InvalidParameterError(
                "Invalid `y`: must be a column or labels, where the model was not fitted with the "
                "name of a column, got None."
            )
        given = given_labels(table, y, options.get("names"))
        targets, _ = encode_labels(given, self.target, self.model.classes)
        tables = {UNLABELLED: table, **_named(unknown)}
        answers = {name: self.predict(rows, nearest=0) for name, rows in tables.items()}
        origins = [name for name, found in answers.items() for _ in range(len(found))]
        n_unknown = len(origins) - len(targets)
        targets = np.pad(targets, ((0, n_unknown), (0, 0)), constant_values=OTHER)
        unreadable = tuple(
            Skipped(found.paths[i] or f"{name} #{i}", error)
            for name, found in answers.items()
            for i, error in enumerate(found.errors)
            if error is not None
        )
        return evaluate(targets, Predictions.joined([*answers.values()]), origins), unreadable

    def ablation(self) -> Ablation:
        """Train again on images alone and on the table alone, and compare held-out figures.

        Returns
        -------
        Ablation
            Printed, a table of log loss and accuracy with 95 % intervals.

        Raises
        ------
        InvalidDataError
            If the classifier was loaded, or has either no images or no table.
        """
        from outgroup.classifier.row_comparison import ablate

        data, held_out = self.report, self.held_out_
        assert held_out is not None
        return ablate(
            data, self.inputs, self.preset, self.target, self.seed, held_out, self.progress
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file."""
        return save_model(self.contents, path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, progress: bool | None = None
    ) -> MultiInputClassifier:
        """Open a model file; torch is not needed.

        Raises
        ------
        ModelFileError
            If it is damaged, foreign or of another version.
        """
        contents = load_model(path)
        with error_context(Path(path)):
            return cls.from_contents(contents, progress=progress)

    @classmethod
    def from_contents(
        cls, contents: ModelContents, *, progress: bool | None = None
    ) -> MultiInputClassifier:
        """Return a classifier with what a model file holds; `ModelFileError` for another model."""
        encoder, options = contents.encoder, contents.training.options
        if not isinstance(encoder, RowEncoder):
            raise ModelFileError("The model has no several inputs. Open it with outgroup.load.")
        names = options.get("names") or {}
        columns = [options[key] for key in ("id", "label") if options.get(key) is not None]
        if not all(isinstance(text, str) for text in (*columns, *names, *names.values())):
            raise ModelFileError("is damaged: names of columns and classes must be texts.")
        classifier = cls(
            encoder.cell_encoder.inputs,
            encoder.plan.preset,
            encoder.output_layer.kind,
            max_known_rejected=options.get("max_known_rejected", "auto"),
            max_other_accepted=options.get("max_other_accepted"),
            confidence=options.get("confidence", 0.95),
            seed=options.get("seed", 0),
            progress=progress,
        )
        classifier._contents = contents
        return classifier


def _named(unknown: UnknownRows) -> dict[str, RowData]:
    """Return tables by name: that of the file; a number is added to names that are there twice."""
    if isinstance(unknown, Mapping):
        return dict(unknown)
    if isinstance(unknown, (str, os.PathLike)):
        unknown = [unknown]
    found: dict[str, Any] = {}
    for i, rows in enumerate(unknown):
        name = Path(rows).stem if isinstance(rows, (str, os.PathLike)) else f"unknown {i + 1}"
        taken = sum(one == name or one.startswith(f"{name} (") for one in found)
        found[f"{name} ({taken + 1})" if taken else name] = rows
    return found
