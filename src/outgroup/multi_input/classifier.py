"""`MultiInputClassifier`: images and table columns in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup.calibration import Budget
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.multi_input.cells import as_name
from outgroup.multi_input.declarations import Inputs, check_one_of
from outgroup.multi_input.encoding import read_cells
from outgroup.multi_input.fitting import HeldOutRows, fit_inputs
from outgroup.multi_input.frames import as_frame
from outgroup.multi_input.gathering import gather_rows
from outgroup.multi_input.model import InputsModel
from outgroup.multi_input.plans import PRESETS, Preset
from outgroup.multi_input.predictions import InputsPredictions
from outgroup.multi_input.rowset import RowSet
from outgroup.multi_input.targets import TARGETS
from outgroup.neighbours import NEAREST

if TYPE_CHECKING:
    from outgroup.data import Skipped
    from outgroup.evaluation import Evaluation, LabelsEvaluation

#: What negatives are made of known images; see `MultiInputClassifier`.
NEGATIVES = ("preset", "background", "none")

#: How many for each known row, where a preset makes none.
MADE = 0.25


class MultiInputClassifier:
    """A network with several inputs that knows when a row is none of its classes.

    Training needs the extra ``torch``; the model that comes of it does not.

    Parameters
    ----------
    inputs : Inputs
        Images and table columns.
    preset : str or Preset, default="two-branch-plus"
        "two-branch" is one small branch for each image, ten dense units and Adam; "two-branch-plus"
        three larger networks, with all that helped (see `PRESETS`).
    target : {"binary", "multi-class", "multi-label"}, default="binary"
        What is learned: one of two classes, one of several, or any number of labels.
    negatives : {"preset", "background", "none"}, default="preset"
        What is made of the known images to learn "other" from: "background" empties them (their
        border covers their middle; also tiles in another order), for one row in four; "none" makes
        nothing; "preset" does as the preset does, and "two-branch" makes nothing.
    max_known_rejected : float or "auto", default="auto"
        Largest share of rows like the known ones that may be called other; see `Budget`.
    max_other_accepted : float or None
        Largest share of rows like the negatives that may be given a class.
    confidence : float, default=0.95
        Of each promise.
    seed : int, default=0
        Of everything that is drawn.
    progress : bool or None, default=None
        Whether to show a progress bar on standard error; None: if it is a terminal.

    Raises
    ------
    InvalidParameterError
        If a parameter is none of these.

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
        max_known_rejected: Any = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        if not isinstance(inputs, Inputs):
            raise InvalidParameterError(
                f"The 'inputs' parameter must be Inputs. Got {inputs!r} instead. As in: "
                'Inputs(images=[Bands("band_1")], table=[Numeric("angle")])'
            )
        if isinstance(preset, str):
            check_one_of("preset", preset, tuple(PRESETS))
            preset = PRESETS[preset]
        elif not isinstance(preset, Preset):
            raise InvalidParameterError(
                f"The 'preset' parameter must be a name or a Preset. Got {preset!r} instead."
            )
        check_one_of("target", target, TARGETS)
        check_one_of("negatives", negatives, NEGATIVES)
        if negatives != "preset":
            share = (preset.made_others or MADE) if negatives == "background" else 0.0
            preset = replace(preset, made_others=share)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InvalidParameterError(
                f"The 'seed' parameter must be a whole number from 0 up. Got {seed!r} instead."
            )
        self.inputs = inputs
        self.preset = preset
        self.target = target
        self.budget = Budget(max_known_rejected, max_other_accepted, confidence)
        self.seed = seed
        self.progress = progress
        self._model: InputsModel | None = None
        self._data: RowSet | None = None
        self.held_out_: HeldOutRows | None = None
        self.id_: str | None = None
        self.label_: str | None = None
        self.names_: dict[str, str] = {}
        self.training_: dict[str, Any] = {}

    @property
    def model(self) -> InputsModel:
        """What was fitted or loaded.

        Raises
        ------
        InvalidDataError
            If nothing was.
        """
        if self._model is None:
            raise InvalidDataError("The classifier is not fitted yet. Call fit or load first.")
        return self._model

    def fit(
        self,
        data: Any,
        y: Any,
        groups: Any = None,
        other: Any = None,
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
            ``"ice|ship"``, or a matrix of 1 and 0.
        groups : str, sequence of n, or None
            A column, or the group of each row; those of one group are never split.
        other : like data, or None
            Rows that are none of the classes.
        classes : sequence of str or None
            Names of the classes, where not those of the labels, and of the columns of a matrix.
        id : str or None
            A column with what the rows are called.
        names : dict of str to str or None
            What the classes are called, by what stands in the labels, as in ``{"1": "iceberg"}``.

        Raises
        ------
        InvalidDataError
            If nothing can be learned from them.
        InfeasibleTargetError
            If a promise that was asked for can't be given.
        MissingExtraError
            If torch is not installed.
        """
        from outgroup.multi_input.leaks import warn_of_leaks
        from outgroup.multi_input.learning import torch_there

        torch_there()  # before any work is done
        self._model, self._data, self.id_ = None, None, id
        self.label_, self.names_ = y if isinstance(y, str) else None, dict(names or {})
        rows = gather_rows(self.inputs, self.target, data, y, groups, other, classes, id, names)
        warn_of_leaks(self.inputs, rows)
        model, held = fit_inputs(
            rows, self.inputs, self.preset, self.target, self.budget, self.seed, self.progress
        )
        self._model, self._data, self.held_out_ = model, rows, held
        self.training_ = {
            "fingerprint": rows.fingerprint,
            "class_counts": rows.class_counts,
            "n_others": int((~rows.known).sum()),
            "n_unreadable": len(rows.unreadable),
        }
        return self

    @property
    def report(self) -> RowSet:
        """The rows that were learned from, and those that could not be read."""
        if self._data is None:
            raise InvalidDataError(
                "There are no training rows: the classifier was not fitted here."
            )
        return self._data

    def predict(
        self,
        data: Any,
        threshold: float | None = None,
        *,
        id: str | None = None,
        nearest: int = NEAREST,
    ) -> InputsPredictions:
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
        model, frame = self.model, as_frame(data)
        cells = read_cells(model.encoder.inputs, frame, lenient=True)
        if id is None and self.id_ in frame.columns:
            id = self.id_
        paths = None if id is None else [as_name(cell) for cell in frame.column(id)]
        found = model.predict(cells, paths, nearest)
        return found if threshold is None else found.at(threshold)

    def evaluate(
        self, data: Any, y: Any = None, unknown: Mapping[str, Any] | Sequence[Any] = ()
    ) -> tuple[Evaluation | LabelsEvaluation, tuple[Skipped, ...]]:
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
        evaluation : Evaluation or LabelsEvaluation
            As rows have one class or any number of labels.
        unreadable : tuple of Skipped
            Rows that could not be read, and count in no figure.

        Raises
        ------
        InvalidDataError
            If no known row could be read, or one has a label that is none of the classes.
        InvalidParameterError
            If nobody said where the labels are.
        """
        from outgroup.multi_input.evaluating import evaluate_inputs

        return evaluate_inputs(self, data, y, unknown)

    def ablation(self) -> Any:
        """Train again from images alone and from the table alone, and compare held-out figures.

        Returns
        -------
        Ablation
            Printed, a table of log loss and accuracy with 95 % intervals.

        Raises
        ------
        InvalidDataError
            If the classifier was loaded, or has either no images or no table.
        """
        from outgroup.multi_input.ablation import ablate

        own = self.inputs, self.preset, self.target, self.seed
        return ablate(self.report, *own, self.held_out_, self.progress)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file."""
        from outgroup.multi_input.files import save_inputs

        return save_inputs(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MultiInputClassifier:
        """Open a model file; torch is not needed.

        Raises
        ------
        ModelFileError
            If it is damaged, foreign or newer than this version.
        """
        from outgroup.multi_input.files import load_inputs

        model, training, options, budget = load_inputs(path)
        classifier = cls(
            model.encoder.inputs, model.plan.preset, model.target.kind, seed=int(options["seed"])
        )
        classifier.budget = budget
        classifier._model = model
        classifier.training_ = training
        classifier.id_ = options.get("id")
        classifier.label_, classifier.names_ = options.get("label"), options.get("names") or {}
        return classifier
