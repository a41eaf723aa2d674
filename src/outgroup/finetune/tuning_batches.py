"""What a training loop reads: the inputs of the tuned layers, and batches with negatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from outgroup._numeric import require
from outgroup.backbones import OnnxBackbone
from outgroup.embeddings import ProgressBar
from outgroup.finetune.augmentation import augment
from outgroup.finetune.objectives import target_rows
from outgroup.finetune.tunable_network import TunableNetwork
from outgroup.finetune.tuning_data import in_threads, rarest
from outgroup.finetune.tuning_plan import FineTunePlan
from outgroup.heads.head_losses import oversampled
from outgroup.images import Preprocessing
from outgroup.pool import Mixer, mix
from outgroup.pool.batch_arrays import Transform
from outgroup.pool.mixing import Batch, Layout, Mixed, Negatives, ShuffledNegatives

#: Images that are augmented, and run through the frozen layers, at a time.
CHUNK = 32

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TuningInputs:
    """What enters step `start` of the network, for rows: as it is, or augmented at random."""

    start: int
    plain: Callable[[Rows], torch.Tensor]
    augmented: Callable[[Rows, np.random.Generator], torch.Tensor]


def pixel_inputs(
    network: TunableNetwork, pixels: NDArray[np.uint8], names: Sequence[str]
) -> TuningInputs:
    """Return images (n, size, size, 3) as inputs, augmented anew each time."""

    def plain(rows: Rows) -> torch.Tensor:
        return network.normalised(torch.from_numpy(pixels[rows]))

    def augmented(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        return network.normalised(_augmented(pixels[rows], names, rng)) if names else plain(rows)

    return TuningInputs(0, plain, augmented)


def compute_inputs(
    network: TunableNetwork,
    start: int,
    pixels: NDArray[np.uint8],
    names: Sequence[str],
    n_variants: int,
    folder: Path,
    *,
    seed: int,
    threads: int | None = None,
    progress: bool | None = None,
) -> TuningInputs:
    """Run the frozen layers once, by ONNX Runtime, and return their activations as inputs.

    Augmented inputs are drawn from `n_variants` variants of each image. Activations are
    memory-mapped files in `folder`. Where the frozen layers can't be run by themselves, images are
    the inputs.
    """
    frozen = network.trunk(start)
    if frozen is None:
        return pixel_inputs(network, pixels, names)
    graph, shape = frozen
    trunk = OnnxBackbone(
        lambda: graph,
        name="trunk",
        digest="",
        preprocessing=Preprocessing(resize=network.size, crop=network.size),
        layers={"activations": int(np.prod(shape))},
        licence="",
        source="",
    )

    def run(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return trunk.run(image[np.newaxis])["activations"].reshape(shape)

    def images(variant: int) -> Iterator[NDArray[np.uint8]]:
        rng = np.random.default_rng([seed, variant])
        for begin in range(0, len(pixels), CHUNK):
            chunk = pixels[begin : begin + CHUNK]
            yield from _augmented(np.array(chunk), names, rng).numpy() if variant else chunk

    variants: list[NDArray[np.float32]] = []
    n_files = 1 + (n_variants if names else 0)
    with ProgressBar(n_files * len(pixels), progress, what="frozen layers") as bar:
        for variant in range(n_files):
            path, size = folder / f"activations-{variant}.npy", (len(pixels), *shape)
            out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=size)
            for i, activations in enumerate(in_threads(run, images(variant), threads, bar)):
                out[i] = activations
            variants.append(out)

    def plain(rows: Rows) -> torch.Tensor:
        return torch.from_numpy(variants[0][rows])

    def augmented(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        if n_files == 1:
            return plain(rows)
        chosen = 1 + rng.integers(n_files - 1, size=len(rows))
        found = [variants[v][i] for v, i in zip(chosen, rows, strict=True)]
        return torch.from_numpy(np.stack(found))

    return TuningInputs(start, plain, augmented)


@dataclass(frozen=True)
class TuningData:
    """Rows of `TuningInputs` with their targets (n, K) and the collection of each negative.

    Training learns from the rows `tuned` and is stopped by the rows `watched`. `several`: a row may
    have more than one label.
    """

    inputs: TuningInputs
    targets: NDArray[np.float32]
    collections: NDArray[np.str_]
    tuned: Rows
    watched: Rows
    several: bool = False


class TurnTaking:
    """Draws rows of several collections in turn, and none again before all of its collection."""

    def __init__(self, collections: Sequence[Rows]) -> None:
        self._decks = [ShuffledNegatives(rows[:, np.newaxis]) for rows in collections]
        self._drawn = 0

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Return rows of shape (n, 1), as `Mixer` draws them."""
        turns = (self._drawn + np.arange(n)) % len(self._decks)
        self._drawn += n
        rows = np.empty((n, 1), dtype=np.int64)
        for number, deck in enumerate(self._decks):
            rows[turns == number] = deck.draw(int((turns == number).sum()), rng)
        return rows


class TuningBatches:
    """The batches of fine-tuning: every known row once an epoch, and new negatives in each.

    Drawing negatives continues from epoch to epoch, so epochs must be asked for in order.
    """

    def __init__(self, data: TuningData, plan: FineTunePlan, seed: int) -> None:
        self._targets, self._size = data.targets, plan.batch
        y, tuned = rarest(data.targets), data.tuned
        known, negatives = tuned[y[tuned] >= 0], tuned[y[tuned] < 0]
        self._rows = known[oversampled(y[known])] if plan.balance == "oversample" else known
        self._mixer = None
        if len(negatives):
            names = data.collections[negatives]
            draws = TurnTaking([negatives[names == name] for name in np.unique(names)])
            self._mixer = Mixer(draws, plan.ratio, target="zeros", seed=seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return math.ceil(len(self._rows) / self._size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Rows, NDArray[np.float32]]]:
        """Yield the rows of each batch of the next epoch, shuffled by `rng`, and their targets."""
        rows = self._rows[rng.permutation(len(self._rows))]
        for begin in range(0, len(rows), self._size):
            known = rows[begin : begin + self._size]
            batch = known[:, np.newaxis], self._targets[known]
            mixed, targets = batch if self._mixer is None else self._mixer(batch)
            yield mixed[:, 0], targets


def with_negatives(
    loader: Iterable[Batch],
    negatives: Negatives,
    n_classes: int,
    ratio: float = 1.0,
    *,
    fresh: bool = True,
    transform: Transform | None = None,
    layout: Layout | None = None,
    seed: int = 0,
) -> Mixed:
    """Add negatives to the batches of a loader, and make targets of shape (n, K).

    Parameters
    ----------
    loader : iterable of (x, y)
        Such as a ``DataLoader``: images, and class indices from 0 to K - 1.
    n_classes : int
        K.
    negatives, ratio, fresh, transform, layout, seed
        As for `outgroup.pool.mix`. Negatives that are shaped like the images of a batch are taken
        as they are.

    Returns
    -------
    Mixed
        Batches; as many as the loader has, and can be iterated as often.

    Raises
    ------
    InvalidParameterError
        If a parameter can't be used as given.
    InvalidDataError
        From the iteration: if the negatives don't fit the batches.

    Examples
    --------
    >>> loader = [(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0]))]
    >>> for x, targets in with_negatives(loader, torch.ones(5, 3, 8, 8), n_classes=2):
    ...     print(x.shape, targets.tolist())
    torch.Size([4, 3, 8, 8]) [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    whole = isinstance(n_classes, int) and not isinstance(n_classes, bool)
    require(whole and n_classes >= 1, "n_classes", "a whole number of at least 1", n_classes)
    return mix(
        _OneHotLoader(loader, n_classes),
        negatives,
        ratio,
        fresh=fresh,
        target="zeros",
        transform=transform,
        layout=layout,
        seed=seed,
    )


class _OneHotLoader:
    """The batches of a loader with one-hot rows for class indices."""

    def __init__(self, loader: Iterable[Any], n_classes: int) -> None:
        self._loader, self._n_classes = loader, n_classes

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x, y in self._loader:
            yield x, target_rows(torch.as_tensor(y), self._n_classes)

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]


def _augmented(
    images: NDArray[np.uint8], names: Sequence[str], rng: np.random.Generator
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return augment(torch.from_numpy(images), names, generator)
