"""The zoo as embeddings, for benchmarks of what comes after them.

The folder holds ``train``, ``test``, ``other_near``, ``pool``, ``test_unknown_near`` and
``test_unknown_far``, each with a folder a class or kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgroup.backbones import get_backbone
from outgroup.classifier.negatives import embedded_garbage
from outgroup.data import Samples, from_images
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.training_set import TrainingSet

PARTS = ("train", "test", "other_near", "pool", "test_unknown_near", "test_unknown_far")


@dataclass
class Embedded:
    """Embeddings of images by layer, which part and folder each is from, and of garbage."""

    layers: dict[str, np.ndarray]
    part: np.ndarray
    kind: np.ndarray
    probes: dict[str, dict[str, np.ndarray]]

    @classmethod
    def load(cls, root: Path, parts: Sequence[str] = PARTS) -> Embedded:
        """Embed the parts that are named, and garbage, or take them from the cache."""
        samples = {part: from_images(root / part) for part in parts}
        every = Samples.concatenate(samples.values())
        embedder = Embedder(get_backbone("efficientnet-lite0"), cache=EmbeddingCache())
        layers = embedder.embed(every.sources).layers
        part = np.repeat(list(samples), [len(s) for s in samples.values()])
        return cls(layers, part, np.array(every.origins), embedded_garbage(embedder, seed=0))

    def rows(self, part: str, kinds: Sequence[str] | None = None) -> np.ndarray:
        """Return the rows of a part, or of some of its folders."""
        mask = self.part == part
        return np.flatnonzero(mask if kinds is None else mask & np.isin(self.kind, kinds))

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the embeddings of rows by layer."""
        return {name: values[rows] for name, values in self.layers.items()}

    def training_set(self, known: np.ndarray, negatives: np.ndarray) -> TrainingSet:
        """Return a training set of known rows, named by their folder, negatives and probes."""
        rows = np.concatenate([known, negatives])
        return TrainingSet.from_labels(
            self.take(rows),
            [*map(str, self.kind[known]), *(None for _ in negatives)],
            origins=self.kind[rows].tolist(),
            collections=self.part[rows].tolist(),
            probes=self.probes,
        )
