"""Seeded arrays that another library's detectors and ours are given alike; NumPy alone.

Known embeddings as they leave a ReLU, in three classes; a linear layer that was not fitted to them,
so that both sides have the same one; and rows to be scored. Logits are moderate: where the other
library clips probabilities at 1e-7, they are not that small.
"""

import numpy as np

SEED = 20260101
CLASSES, ROWS, COLUMNS = 3, 40, 16
KNOWN = 120

Arrays = dict[str, np.ndarray]


def inputs(seed: int = SEED) -> Arrays:
    """Return the arrays by name: known, y, rows, weights, bias, known_logits, logits."""
    rng = np.random.default_rng(seed)
    y = np.arange(KNOWN) % CLASSES
    centres = 1.5 * rng.random((CLASSES, COLUMNS))
    known = np.maximum(0.4 * rng.normal(size=(KNOWN, COLUMNS)) + centres[y], 0.0)
    rows = np.maximum(rng.normal(size=(ROWS, COLUMNS)) + 0.5, 0.0)
    weights = centres - centres.mean(axis=0) + 0.1 * rng.normal(size=(CLASSES, COLUMNS))
    bias = 0.3 * rng.normal(size=CLASSES)
    return {
        "known": known,
        "y": y,
        "rows": rows,
        "weights": weights,
        "bias": bias,
        "known_logits": known @ weights.T + bias,
        "logits": rows @ weights.T + bias,
    }
