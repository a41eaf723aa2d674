"""Networks with several inputs: images of one or more bands, and table columns.

Learning needs torch, and is in `learning` alone; a model that was learned is an ONNX graph and
NumPy arrays, and answers without it.
"""

from outgroup.multi_input.classifier import MultiInputClassifier
from outgroup.multi_input.declarations import Bands, Categorical, Inputs, Numeric
from outgroup.multi_input.plans import PRESETS, Block, Preset
from outgroup.multi_input.predictions import InputsPrediction, InputsPredictions

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
