"""`FineTune`: what `ImageClassifier` takes to tune its network first."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from outgroup._numeric import require
from outgroup.backbones import Backbone, OnnxBackbone, cache_folder
from outgroup.classifier.tuning import PREFIX, Targets, Tuned
from outgroup.data import Samples
from outgroup.embeddings import ProgressBar
from outgroup.errors import BackboneError
from outgroup.finetune.tuning_data import (
    TUNED,
    UNSEEN,
    WATCHED,
    TuningImages,
    choose_images,
    read_pixels,
)
from outgroup.finetune.tuning_plan import MULTI_LABEL_OBJECTIVES, FineTunePlan, parse_objective
from outgroup.images import Preprocessing
from outgroup.torch_loop import Checkpoint, History, require_torch

if TYPE_CHECKING:
    import torch

    from outgroup.finetune.tunable_network import TunableNetwork

LITE0 = "efficientnet-lite0"


@dataclass(frozen=True)
class FineTune(FineTunePlan):
    """Tune the network on some of the images; the others measure it and calibrate the threshold.

    Parameters
    ----------
    unfreeze, objective, augment, balance, epochs, warm_up, patience, batch, ratio, learning_rate, \
decay, variants, hold_out
        See `FineTunePlan`.
    network : "timm:NAME", nn.Module or None, default=None
        The network in place of the bundled one: a pretrained one of timm, or any module from
        normalised images to embeddings, of which a copy is tuned.
    preprocessing : Preprocessing or None, default=None
        For the images of a module.
    device : str, default="auto"
        Device of torch; "auto": a GPU if there is one.
    resume : bool, default=True
        Whether an interrupted training goes on when the same training is asked for again.
    only_if_better : bool, default=True
        Whether the network stays as it was unless images that tuning has not seen show the tuned
        one to be better: negatives or, with several labels or columns, images without a label.

    Raises
    ------
    InvalidParameterError
        If a parameter can't be used as given.

    Examples
    --------
    >>> from outgroup import ImageClassifier
    >>> clf = ImageClassifier(finetune=FineTune(unfreeze="half", augment=["geometric", "mixup"]))
    >>> clf.fit("photos", other=["lookalikes", "odds_and_ends"])  # doctest: +SKIP
    """

    network: torch.nn.Module | str | None = field(default=None, compare=False)
    preprocessing: Preprocessing | None = None
    device: str = "auto"
    resume: bool = True
    only_if_better: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        network = self.network
        named = isinstance(network, str)
        fine = not isinstance(network, str) or (network[:5] == "timm:" and network != "timm:")
        must = "'timm:NAME', a module, or None for the bundled network"
        require(fine, "network", must, self.network)
        is_module = self.network is not None and not named
        must = "a Preprocessing with a module as network, and None without"
        fine = is_module == (self.preprocessing is not None)
        require(fine, "preprocessing", must, self.preprocessing)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values, and the name of a network of timm."""
        network = self.network if isinstance(self.network, str) else None
        return {**super().to_dict(), "network": network}

    def tune(
        self,
        samples: Samples,
        targets: Targets,
        collections: Sequence[str],
        backbone: Backbone,
        *,
        seed: int,
        threads: int | None,
        progress: bool | None,
    ) -> Tuned:
        """Tune the network on some of the images; see `outgroup.classifier.tuning.Tuner`."""
        require_torch("Fine-tuning")
        names = ", ".join(map(repr, MULTI_LABEL_OBJECTIVES))
        must = f"one of {names} where an image may have several labels"
        fine = parse_objective(self.objective)[0] in MULTI_LABEL_OBJECTIVES
        require(fine or not targets.several, "objective", must, self.objective)
        network, preprocessing, name = self._open_network(backbone)
        images = choose_images(
            samples, targets, collections, self.hold_out, seed, threads, progress
        )
        key = self._key(network, images, seed)
        checkpoint = None
        if self.resume:
            folder = Path(os.fspath(cache_folder())) / "finetune"
            checkpoint = Checkpoint(folder / f"{key[:32]}.pt", key)
        history = self._train(
            network, preprocessing, samples, images, checkpoint, seed, threads, progress
        )
        graph = network.to_onnx()
        if checkpoint is not None:
            checkpoint.path.unlink(missing_ok=True)
        tuned = OnnxBackbone(
            lambda: graph,
            name=f"{PREFIX}{name}",
            digest=hashlib.sha256(graph).hexdigest(),
            preprocessing=preprocessing,
            licence=backbone.licence,
            source=f"tuned from {name}: {backbone.source}",
        )
        seen = {row for row, part in zip(images.rows, images.parts, strict=True) if part != UNSEEN}
        unseen = [row for row in range(len(samples)) if row not in seen]
        return Tuned(tuned, unseen, self._info(images, history), self.only_if_better)

    def _open_network(self, backbone: Backbone) -> tuple[TunableNetwork, Preprocessing, str]:
        """Return the network to tune, the preprocessing of its images, and its name."""
        from outgroup.backbones.efficientnet_lite0 import load_weights
        from outgroup.finetune.tunable_network import Lite0, ModuleNetwork, network_from_timm

        if isinstance(self.network, str):
            found = network_from_timm(self.network.removeprefix("timm:"))
            return found, found.preprocessing, self.network
        if self.preprocessing is not None:
            module = ModuleNetwork(copy.deepcopy(self.network), self.preprocessing)
            return module, self.preprocessing, type(self.network).__name__
        if backbone.name != LITE0:
            raise BackboneError(
                f"The network {backbone.name!r} is an ONNX file, which can't be tuned. Take "
                f"{LITE0!r}, or give FineTune the network as 'timm:NAME' or as a module."
            )
        return Lite0(load_weights()), backbone.preprocessing, LITE0

    def _train(
        self,
        network: TunableNetwork,
        preprocessing: Preprocessing,
        samples: Samples,
        images: TuningImages,
        checkpoint: Checkpoint | None,
        seed: int,
        threads: int | None,
        progress: bool | None,
    ) -> History:
        """Tune the network in place on the images that are not held out."""
        from outgroup.finetune.objectives import choose_objective
        from outgroup.finetune.tuning_batches import TuningData, compute_inputs
        from outgroup.finetune.tuning_run import n_steps, train

        used = np.flatnonzero(images.parts != UNSEEN)
        parts = images.parts[used]
        start = network.first_step(self.unfreeze)
        with tempfile.TemporaryDirectory(prefix="outgroup-") as work:
            folder = Path(work)
            sources = [samples.sources[images.rows[i]] for i in used]
            pixels = read_pixels(sources, preprocessing, folder, threads, progress)
            inputs = compute_inputs(
                network,
                start,
                pixels,
                self.changes,
                self.variants,
                folder,
                seed=seed,
                threads=threads,
                progress=progress,
            )
            data = TuningData(
                inputs,
                images.targets.Y[used].astype(np.float32),
                np.array([images.collections[i] for i in used]),
                np.flatnonzero(parts == TUNED),
                np.flatnonzero(parts == WATCHED),
                images.targets.several,
            )
            with ProgressBar(n_steps(data, self), progress, what="tuning, steps") as bar:
                return train(
                    network,
                    data,
                    choose_objective(self.objective),
                    self,
                    seed=seed,
                    threads=threads,
                    device=self._device(),
                    checkpoint=checkpoint,
                    advance=bar.advance,
                )

    def _device(self) -> str:
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _key(self, network: TunableNetwork, images: TuningImages, seed: int) -> str:
        """Return the hash of all that decides the weights."""
        digest = hashlib.sha256(json.dumps([self.to_dict(), seed], sort_keys=True).encode())
        for name, value in network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().numpy().tobytes())
        targets = [images.targets.names, images.targets.Y.tolist(), images.targets.several]
        described = [images.digests, targets, images.collections, images.parts.tolist()]
        digest.update(json.dumps(described).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _info(self, images: TuningImages, history: History) -> dict[str, Any]:
        """Return how the network was tuned, for the model file."""
        (n_tuned, n_negatives_tuned), (n_watched, n_negatives_watched) = (
            images.counts(part) for part in (TUNED, WATCHED)
        )
        layers = {"last": "its last block", "half": "half of its blocks", "all": "all of it"}
        before, after = (f"{100 * history.epochs[i]['accepted']:.1f} %" for i in (0, history.best))
        if images.targets.several:
            found = (
                "where each label is found on 95 % of the images with it, it was found on "
                f"{before} of those without it before tuning and on {after} after"
            )
        else:
            found = (
                f"where 95 % of these images are kept, {before} of these negatives were accepted "
                f"before tuning and {after} after"
            )
        return {
            "plan": self.to_dict(),
            "tuned_on": images.class_counts(TUNED),
            "n_others_tuned_on": n_negatives_tuned,
            "watched": images.class_counts(WATCHED),
            "n_others_watched": n_negatives_watched,
            "epochs": history.epochs,
            "best_epoch": history.best,
            "sentence": f"The network was tuned ({layers[self.unfreeze]}) on {n_tuned:,} known "
            f"images and {n_negatives_tuned:,} negatives. Training was stopped by {n_watched:,} "
            f"other images and {n_negatives_watched:,} other negatives: {found} "
            f"(epoch {history.best}).",
        }
