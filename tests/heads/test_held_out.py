"""Do held-out logits of every head look like those of new images in the final model?

A head whose logits grow with the number of rows it learned from fails here: a fold learns from
fewer than the final model.
"""

from typing import Any

import numpy as np
import pytest

from outgroup.heads import HEADS
from outgroup.model import fit_model
from outgroup.strategies import STRATEGIES
from outgroup.training_set import TrainingSet

REPEATS = 12
STRATEGY = {
    name: next(
        s for s, taker in STRATEGIES if taker.takes_head and issubclass(cls, taker.takes_head)
    )
    for name, cls in HEADS
}


def rejected(head: Any, strategy: str, seed: int) -> float:
    """Share of new known rows above a threshold that 5 % are expected to be above."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(7, 64))
    means *= 4 / np.linalg.norm(means, axis=1, keepdims=True)

    def draw(kinds: np.ndarray) -> dict[str, np.ndarray]:
        return {"last": (means[kinds] + rng.normal(size=(len(kinds), 64))).astype(np.float32)}

    kinds = np.r_[np.arange(300) % 3, 3 + np.arange(100) % 4]
    data = TrainingSet(draw(kinds), np.where(kinds < 3, kinds, -1), ("a", "b", "c"))
    model = fit_model(data, STRATEGIES.get(strategy)(head=head), seed=seed)  # type: ignore[call-arg]
    return float((model.predict(draw(np.arange(6000) % 3)).other_score > model.threshold).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS.names())
def test_a_held_out_threshold_rejects_as_many_new_known_rows_as_expected(name: str) -> None:
    shares = [rejected(HEADS.get(name)(), STRATEGY[name], seed) for seed in range(REPEATS)]
    # 12 thresholds from 300 rows each: the mean has a standard error of 0.35 points or less
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)
