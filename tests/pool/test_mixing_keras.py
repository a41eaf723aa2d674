"""What Keras asks of a generator, without Keras.

It takes the first batches to learn their types, puts them back, and then wants tuples of arrays
whose types stay the same (``keras/src/trainers/data_adapters/generator_data_adapter.py``).
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from outgroup.pool.mixing import mix


def forever(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from batches


def test_batches_keep_what_keras_learned_from_the_first_ones() -> None:
    rng = np.random.default_rng(0)
    batches = [
        (
            rng.random((n, 12, 12, 3), dtype=np.float32),
            np.eye(4, dtype=np.float32)[rng.integers(0, 3, n)],
            np.ones(n, dtype=np.float32),
        )
        for n in (8, 8, 5)
    ]
    mixed = mix(batches, rng.integers(0, 256, (30, 20, 20, 3), dtype=np.uint8), n_classes=3)
    generator = forever(mixed)
    assert isinstance(generator, types.GeneratorType)
    peeked = list(itertools.islice(generator, 2))
    signature = [(part.dtype, part.shape[1:]) for part in peeked[0]]
    epochs = list(itertools.islice(itertools.chain(peeked, generator), 3 * len(mixed)))
    assert len(epochs) == 9
    for batch, n in zip(epochs, (8, 8, 5) * 3, strict=True):
        assert isinstance(batch, tuple)
        assert [(part.dtype, part.shape[1:]) for part in batch] == signature
        assert all(len(part) == 2 * n for part in batch)
        assert batch[1][n:].argmax(axis=1).tolist() == [3] * n
        assert batch[2][n:].tolist() == [1.0] * n
