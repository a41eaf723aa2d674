"""What training reads: pixels, or what the frozen part of the network makes of them, from disk.

The part that is not tuned gives the same for the same image, epoch after epoch, so it is run once
for each image, by ONNX Runtime, and with augmentation once for each of a few variants. Arrays are
memory-mapped files: how many images there are is no matter of memory.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import OnnxBackbone
from outgroup.embeddings import ProgressBar
from outgroup.finetune._torch import torch
from outgroup.finetune.augment import augment
from outgroup.finetune.network import TunableNetwork
from outgroup.images import Preprocessing

#: Images that are changed, and run, at a time.
CHUNK = 32

Rows = NDArray[np.int64]


class Inputs(ABC):
    """What goes into the part of the network that is tuned.

    Attributes
    ----------
    start : int
        The first step of the network that is still to be taken.
    """

    start: int

    @abstractmethod
    def plain(self, rows: Rows) -> torch.Tensor:
        """Return images as they are, as `TunableNetwork.forward` takes them at `start`."""

    @abstractmethod
    def changed(self, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Return images changed at random, if there is augmentation."""


class PixelInputs(Inputs):
    """Images, changed anew each time.

    Parameters
    ----------
    network : TunableNetwork
        For its normalisation.
    pixels : ndarray of shape (n, size, size, 3), uint8
        May be a memory map.
    names : sequence of str
        Augmentations.
    """

    start = 0

    def __init__(
        self, network: TunableNetwork, pixels: NDArray[np.uint8], names: Sequence[str]
    ) -> None:
        self._network, self._pixels, self._names = network, pixels, names

    def plain(self, rows: Rows) -> torch.Tensor:
        """See `Inputs.plain`."""
        return self._network.normalised(torch.from_numpy(self._pixels[rows]))

    def changed(self, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """See `Inputs.changed`."""
        images = torch.from_numpy(self._pixels[rows])
        if self._names:
            images = augment(images, self._names, seeded(rng))
        return self._network.normalised(images)


class ActivationInputs(Inputs):
    """What the frozen part of the network makes of the images and of variants of them.

    Parameters
    ----------
    start : int
        See `Inputs`.
    variants : list of ndarray of shape (n, channels, height, width), float32
        First of the images as they are, then of the variants.
    """

    def __init__(self, start: int, variants: list[NDArray[np.float32]]) -> None:
        self.start, self._variants = start, variants

    def plain(self, rows: Rows) -> torch.Tensor:
        """See `Inputs.plain`."""
        return torch.from_numpy(self._variants[0][rows])

    def changed(self, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """See `Inputs.changed`: one of the variants of each image."""
        if len(self._variants) == 1:
            return self.plain(rows)
        chosen = 1 + rng.integers(len(self._variants) - 1, size=len(rows))
        return torch.from_numpy(
            np.stack([self._variants[v][i] for v, i in zip(chosen, rows, strict=True)])
        )


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
) -> Inputs:
    """Return what to train on, computed as far as it stays the same.

    Parameters
    ----------
    network : TunableNetwork
    start : int
        The first step that is tuned.
    pixels : ndarray of shape (n, size, size, 3), uint8
    names : sequence of str
        Augmentations; none makes no variants.
    n_variants : int
        Variants of each image where they are made beforehand.
    folder : Path
        Where arrays are put.
    seed, threads, progress
        As for `ImageClassifier`.
    """
    graph = network.trunk(start)
    if graph is None:
        return PixelInputs(network, pixels, names)
    shape = network.activation_shape(start)
    trunk = OnnxBackbone(
        lambda: graph,
        name="trunk",
        digest="",
        preprocessing=Preprocessing(resize=network.size, crop=network.size),
        layers={"activations": int(np.prod(shape))},
        licence="",
        source="",
    )
    count = 1 + (n_variants if names else 0)
    variants: list[NDArray[np.float32]] = []
    with ProgressBar(count * len(pixels), progress, what="frozen layers") as bar:
        for variant in range(count):
            out = np.lib.format.open_memmap(
                folder / f"activations-{variant}.npy",
                mode="w+",
                dtype=np.float32,
                shape=(len(pixels), *shape),
            )
            rng = np.random.default_rng([seed, variant])

            def pictures(rows: slice, variant: int = variant, rng: np.random.Generator = rng):  # type: ignore[no-untyped-def]
                return _variant(pixels[rows], names, rng) if variant else pixels[rows]

            _run(trunk, pictures, out, threads, bar)
            variants.append(out)
    return ActivationInputs(start, variants)


def seeded(rng: np.random.Generator) -> torch.Generator:
    """Return a generator of torch's that the next draw of NumPy's decides."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _variant(
    pixels: NDArray[np.uint8], names: Sequence[str], rng: np.random.Generator
) -> NDArray[np.uint8]:
    changed: NDArray[np.uint8] = augment(
        torch.from_numpy(np.array(pixels)), names, seeded(rng)
    ).numpy()
    return changed


def _run(
    trunk: OnnxBackbone,
    pictures: Callable[[slice], NDArray[np.uint8]],
    out: NDArray[np.float32],
    threads: int | None,
    bar: ProgressBar,
) -> None:
    """Run the frozen part on all images: as many at a time as there are threads."""
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        for begin in range(0, len(out), CHUNK):
            images = pictures(slice(begin, begin + CHUNK))
            rows = pool.map(lambda image: trunk.run(image[np.newaxis])["activations"][0], images)
            for i, row in enumerate(rows):
                out[begin + i] = row.reshape(out.shape[1:])
                bar.advance()
