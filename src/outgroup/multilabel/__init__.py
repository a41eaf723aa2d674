"""Several answers an image: labels of which any number may apply, or several columns of classes.

`LabelsModel` has a sigmoid and a threshold for each label, and its answer may be the empty list.
`OutputsModel` has an `OpenSetModel`, with an "other" of its own, for each column.
"""

from outgroup.multilabel.label_predictions import LabelPredictions, LabelsPrediction
from outgroup.multilabel.labelers import LABELERS, Labeler, choose_labeler
from outgroup.multilabel.model import LabelsModel, fit_labels
from outgroup.multilabel.output_predictions import (
    OutputPredictions,
    OutputsPrediction,
    output_class,
)
from outgroup.multilabel.outputs import OutputsModel, fit_outputs
from outgroup.multilabel.training_set import LabelTrainingSet

__all__ = [
    "LABELERS",
    "LabelPredictions",
    "LabelTrainingSet",
    "Labeler",
    "LabelsModel",
    "LabelsPrediction",
    "OutputPredictions",
    "OutputsModel",
    "OutputsPrediction",
    "choose_labeler",
    "fit_labels",
    "fit_outputs",
    "output_class",
]
