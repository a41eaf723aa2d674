"""Networks with several inputs: images of one or more bands, and table columns.

Learning needs torch, and is in `learning` alone; a model that was learned is an ONNX graph and
NumPy arrays, and answers without it.
"""

from outgroup.inputs.classifier import MultiInputClassifier
from outgroup.inputs.declarations import Bands, Categorical, Inputs, Numeric
from outgroup.inputs.plans import PRESETS, Block, Preset
from outgroup.inputs.predictions import InputsPrediction, InputsPredictions

__all__ = [
    "PRESETS",
    "Bands",
    "Block",
    "Categorical",
    "Inputs",
    "InputsPrediction",
    "InputsPredictions",
    "MultiInputClassifier",
    "Numeric",
    "Preset",
]
