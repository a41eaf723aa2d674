"""`MultiInputClassifier`: images and table columns in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outgroup.calibration import Budget
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.inputs.cells import as_name
from outgroup.inputs.declarations import Inputs, check_one_of
from outgroup.inputs.encoding import Cells, read_cells
from outgroup.inputs.fitting import HeldOutRows, fit_inputs
from outgroup.inputs.frames import Frame, as_frame
from outgroup.inputs.model import InputsModel
from outgroup.inputs.plans import PRESETS, Preset
from outgroup.inputs.predictions import InputsPredictions
from outgroup.inputs.rowset import RowSet, make_rowset
from outgroup.inputs.targets import TARGETS
from outgroup.neighbours import NEAREST


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
    max_known_rejected : float or "auto", default="auto"
        Largest share of rows like the known ones that may be called other; see `Budget`.
    max_other_accepted : float or None
        Largest share of rows like the negatives that may be given a class.
    confidence : float, default=0.95
        Of each promise.
    seed : int, default=0
        Of everything that is drawn.

    Raises
    ------
    InvalidParameterError
        If a parameter is none of these.

    Examples
    --------
    >>> from outgroup.inputs import Bands, Inputs, Numeric
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
        max_known_rejected: Any = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        seed: int = 0,
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
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InvalidParameterError(
                f"The 'seed' parameter must be a whole number from 0 up. Got {seed!r} instead."
            )
        self.inputs = inputs
        self.preset = preset
        self.target = target
        self.budget = Budget(max_known_rejected, max_other_accepted, confidence)
        self.seed = seed
        self._model: InputsModel | None = None
        self._data: RowSet | None = None
        self.held_out_: HeldOutRows | None = None
        self.id_: str | None = None
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

        Raises
        ------
        InvalidDataError
            If nothing can be learned from them.
        InfeasibleTargetError
            If a promise that was asked for can't be given.
        MissingExtraError
            If torch is not installed.
        """
        from outgroup.inputs.leaks import warn_of_leaks
        from outgroup.inputs.learning import torch_there

        torch_there()  # before any work is done
        self._model, self._data, self.id_ = None, None, id
        rows = self._rows(data, y, groups, other, classes, id)
        warn_of_leaks(self.inputs, rows)
        model, held = fit_inputs(
            rows, self.inputs, self.preset, self.target, self.budget, self.seed
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
        from outgroup.inputs.ablation import ablate

        return ablate(self.report, self.inputs, self.preset, self.target, self.seed, self.held_out_)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file."""
        from outgroup.inputs.files import save_inputs

        return save_inputs(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MultiInputClassifier:
        """Open a model file; torch is not needed.

        Raises
        ------
        ModelFileError
            If it is damaged, foreign or newer than this version.
        """
        from outgroup.inputs.files import load_inputs

        model, training, options, budget = load_inputs(path)
        classifier = cls(
            model.encoder.inputs, model.plan.preset, model.target.kind, seed=int(options["seed"])
        )
        classifier.budget = budget
        classifier._model = model
        classifier.training_ = training
        classifier.id_ = options.get("id")
        return classifier

    def _rows(
        self, data: Any, y: Any, groups: Any, other: Any, classes: Any, id: str | None
    ) -> RowSet:
        frame = as_frame(data)
        cells = read_cells(self.inputs, frame)
        labels = frame.column(y) if isinstance(y, str) else y
        if labels is None or isinstance(labels, (int, float)):
            raise InvalidParameterError(
                f"The 'y' parameter must be a column or labels. Got {labels!r} instead."
            )
        labels = labels if isinstance(labels, np.ndarray) and labels.ndim == 2 else list(labels)
        own = frame.column(groups) if isinstance(groups, str) else groups
        paths = None if id is None else [as_name(cell) for cell in frame.column(id)]
        if other is None:
            return make_rowset(cells, labels, classes, self.target, own, paths)
        more = as_frame(other)
        cells_of_other = self._read_others(more, cells)
        n = more.n
        if isinstance(labels, np.ndarray):
            labels = np.concatenate([labels, np.zeros((n, labels.shape[1]), dtype=labels.dtype)])
        else:
            labels = [*labels, *([None] * n)]
        if own is not None:
            there = groups if isinstance(groups, str) and groups in more.columns else None
            # a group of negatives is none of the known ones, whatever it is called
            of_other = [
                None if as_name(cell) is None else f"other {as_name(cell)}"
                for cell in (more.column(there) if there else [None] * n)
            ]
            own = [*own, *of_other]
        if paths is not None:
            there = id if id in more.columns else None
            paths += [as_name(cell) for cell in (more.column(there) if there else [None] * n)]
        return make_rowset(_joined(cells, cells_of_other), labels, classes, self.target, own, paths)

    def _read_others(self, frame: Frame, cells: Cells) -> Cells:
        sized = [
            replace(bands, size=images.shape[2:])
            for bands, images in zip(self.inputs.images, cells.images, strict=True)
        ]
        return read_cells(Inputs(sized, self.inputs.table, self.inputs.fusion), frame)


def _joined(first: Cells, second: Cells) -> Cells:
    return Cells(
        tuple(np.concatenate(pair) for pair in zip(first.images, second.images, strict=True)),
        np.concatenate([first.present, second.present]),
        tuple(
            (*one, *two) if isinstance(one, tuple) else np.concatenate([one, two])
            for one, two in zip(first.columns, second.columns, strict=True)
        ),
        (*first.errors, *second.errors),
    )
