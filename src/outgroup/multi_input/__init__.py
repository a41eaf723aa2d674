"""Networks with several inputs: images of one or more bands, and columns of a table.

They are an encoder like a backbone: rows in, layers out. Training needs torch; a trained encoder is
an ONNX graph and NumPy arrays.
"""

from outgroup.multi_input.inputs import Bands, Categorical, Inputs, Numeric
from outgroup.multi_input.network_plan import PRESETS, Block, Preset

__all__ = ["PRESETS", "Bands", "Block", "Categorical", "Inputs", "Numeric", "Preset"]
