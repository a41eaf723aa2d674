"""Are the promises of a fitted model kept? A small version of benchmarks/certificates.py."""

import numpy as np
import pytest
from scipy.stats import binomtest

from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError
from outgroup.model import fit_model
from outgroup.strategies import STRATEGIES
from outgroup.training_set import TrainingSet

REPEATS = 40


def world(rng: np.random.Generator, d: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return means of three classes and four kinds of negatives, and a falling spectrum."""
    spread = (1.0 + np.arange(d)) ** -0.5
    means = rng.normal(size=(7, d))
    return 4 * means / np.linalg.norm(means, axis=1, keepdims=True), spread * np.sqrt(
        d / (spread**2).sum()
    )


def layers_of(name: str, X: np.ndarray) -> dict[str, np.ndarray]:
    """Return rows as embeddings, and as answers of a backbone for whatever reads these."""
    return {"last": X, "logits": X} if name in ("imagenet", "one-class") else {"last": X}


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES.names())
def test_promises_of_out_of_fold_scores_hold_for_the_final_model(name: str) -> None:
    broken = broken_others = of_others = 0
    kept = []
    for repeat in range(REPEATS):
        rng = np.random.default_rng([STRATEGIES.names().index(name), repeat])
        negatives = STRATEGIES.get(name).needs_others or repeat % 2 == 0
        means, spread = world(rng)

        def draw(
            which: np.ndarray,
            means: np.ndarray = means,
            spread: np.ndarray = spread,
            rng: np.random.Generator = rng,
        ) -> dict[str, np.ndarray]:
            noise = rng.normal(size=(len(which), len(spread))) * spread
            return layers_of(name, (means[which] + noise).astype(np.float32))

        kinds = np.r_[np.arange(120) % 3, 3 + np.arange(80 * negatives) % 4]
        data = TrainingSet(draw(kinds), np.where(kinds < 3, kinds, -1), ("a", "b", "c"))
        fixed = STRATEGIES.get(name).fixed_threshold is not None  # keeps what it happens to keep
        model = fit_model(data, STRATEGIES.get(name)(), Budget() if fixed else Budget(0.05))
        fresh = model.predict(draw(np.arange(8_000) % 3)).other_score
        rejected = (fresh > model.threshold).mean()
        broken += rejected > model.certificate.promises[0].bound
        kept.append(1 - rejected)
        if negatives:
            fresh = model.predict(draw(3 + np.arange(8_000) % 4)).other_score
            accepted = (fresh <= model.threshold).mean()
            broken_others += accepted > model.certificate.promises[1].bound
            of_others += 1
    assert binomtest(broken, REPEATS, 0.05, alternative="greater").pvalue > 0.001
    assert binomtest(broken_others, of_others, 0.05, alternative="greater").pvalue > 0.001
    assert np.mean(kept) < 0.999  # something is rejected, so there is something to promise


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_too_few_images_are_refused_and_not_promised(name: str) -> None:
    rng = np.random.default_rng(0)
    kinds = np.r_[np.arange(45) % 3, np.full(30, 3)]
    X = rng.normal(size=(75, 8)) + 4 * np.eye(4, 8)[kinds]
    data = TrainingSet(layers_of(name, X), np.where(kinds < 3, kinds, -1), ("a", "b", "c"))
    with pytest.raises(InfeasibleTargetError, match="Add 14 more"):
        fit_model(data, STRATEGIES.get(name)(), Budget(0.05))
