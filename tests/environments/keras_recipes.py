"""Runs what docs/mixing.md says of Keras, with Keras itself.

    python tests/environments/keras_recipes.py --venv FOLDER

makes a virtual environment in FOLDER (once: a package index, a minute, 1 GB with the CPU build of
torch, which Keras computes with here), installs this project and Keras there, takes the code out of
the document, runs it on images made here and checks that the network learned, and learned from
negatives: as a class more, and as rows of zeros for sigmoids, with weights. Without ``--venv`` the
environment is the present one.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from recipes import COLOURS, NONE_OF_THEM, code, in_own_environment, pictures, versions

VERSIONS = {"keras": "3.15.1", "torch": "2.13.0"}
SIDE, EACH = 12, 96


def known(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of the classes, float32 from 0 to 1, and their numbers, shuffled."""
    x = np.concatenate([pictures(colour, EACH, seed, SIDE) for colour in COLOURS.values()])
    y = np.repeat(np.arange(len(COLOURS)), EACH)
    order = np.random.default_rng(seed).permutation(len(y))
    return x[order].astype(np.float32) / 255, y[order]


def network(n_outputs: int, activation: str, loss: str) -> Any:
    """Return one layer, which is enough for colours."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(n_outputs, activation=activation)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss)
    return model


def answers(model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a network says of new known images, their numbers, and of unknown ones."""
    x, y = known(1)
    unknown = pictures(NONE_OF_THEM, EACH, 1, SIDE).astype(np.float32) / 255
    return model.predict(x, verbose=0), y, model.predict(unknown, verbose=0)


def share(right: np.ndarray, what: str) -> float:
    """Return a share, which is to be more than 95 %."""
    found = float(np.mean(right))
    assert found > 0.95, f"{what}: {100 * found:.0f} %"
    return found


def a_class_for_other() -> None:
    """Run the document's example: negatives are one more class."""
    from outgroup.pool import mix

    x, y = known(0)
    model = network(len(COLOURS) + 1, "softmax", "sparse_categorical_crossentropy")
    given = {
        "mix": mix,
        "model": model,
        "batches": [(x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16)],
        "negatives": pictures(NONE_OF_THEM, 150, 2, 20),  # resized by `mix`
    }
    exec(code("mixing.md", "keras"), given)
    said, labels, unknown = answers(model)
    right = share(said.argmax(axis=1) == labels, "known images that get their class")
    other = share(unknown.argmax(axis=1) == len(COLOURS), "unknown images rejected")
    print(f"  a class more: {right:.0%} right, {other:.0%} of unknown images rejected")


def zero_rows() -> None:
    """Do what the text below it says: sigmoids, one-hot rows, weights."""
    from outgroup.pool import mix

    x, y = known(0)
    hot = np.eye(len(COLOURS), dtype=np.float32)[y]
    weights = np.ones(len(y), np.float32)
    rows = [slice(i, i + 16) for i in range(0, len(x), 16)]
    model = network(len(COLOURS), "sigmoid", "binary_crossentropy")
    given = {
        "mix": lambda batches, negatives, n_classes: mix(batches, negatives, target="zeros"),
        "model": model,
        "batches": [(x[i], hot[i], weights[i]) for i in rows],
        "negatives": pictures(NONE_OF_THEM, 150, 2, 20),
    }
    exec(code("mixing.md", "keras"), given)
    said, labels, unknown = answers(model)
    right = share(said.argmax(axis=1) == labels, "known images that get their class")
    lowest = np.quantile(said.max(axis=1), 0.05)
    other = share(unknown.max(axis=1) < lowest, "unknown images below 95 % of the known ones")
    print(f"  zero rows: {right:.0%} right, {other:.0%} of unknown images below known ones")


def main() -> None:
    if in_own_environment(__file__, __doc__, VERSIONS):
        return
    os.environ.setdefault("KERAS_BACKEND", "torch")
    print(f"{versions(VERSIONS)}\ndocs/mixing.md")
    a_class_for_other()
    zero_rows()
    print("Both ways run, and what they train learns from negatives.")


if __name__ == "__main__":
    main()
