"""`FineTune`: what `ImageClassifier` is given to tune its network."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup.backbones import Backbone, cache_folder
from outgroup.classifier.tuner import Targets, Tuned
from outgroup.data import Samples
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.finetune.objectives import OBJECTIVES, choose_objective
from outgroup.finetune.plan import Plan
from outgroup.images import Preprocessing

if TYPE_CHECKING:
    from outgroup.finetune.network import TunableNetwork

LITE0 = "efficientnet-lite0"


@dataclass(frozen=True)
class FineTune(Plan):
    """Tune the network on some of the images; the others say if it got better, and calibrate it.

    Parameters
    ----------
    unfreeze, objective, augment, balance, epochs, warm_up, patience, batch, ratio, learning_rate, \
decay, variants, hold_out
        See `Plan`.
    network : "timm:NAME", nn.Module or None, default=None
        Another network than the bundled one: of timm, pretrained; or any module that takes
        normalised images and gives embeddings; a copy of it is tuned.
    preprocessing : Preprocessing or None
        Of a module's images.
    device : str, default="auto"
        Of torch; "auto": the GPU if there is one.
    resume : bool, default=True
        Whether an interrupted training goes on where it was, when the same is asked for again.
    only_if_better : bool, default=True
        Whether the network stays as it came unless images that tuning has not seen show the tuned
        one to be better: negatives, or with several labels or columns those without a label.

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

    network: Any = field(default=None, compare=False)
    preprocessing: Preprocessing | None = None
    device: str = "auto"
    resume: bool = True
    only_if_better: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.network, str)
        if named and not (self.network.startswith("timm:") and len(self.network) > len("timm:")):
            raise InvalidParameterError(
                "The 'network' parameter must be 'timm:NAME', a module, or None for the bundled "
                f"network. Got {self.network!r} instead."
            )
        is_module = self.network is not None and not named
        if is_module != (self.preprocessing is not None):
            raise InvalidParameterError(
                "The 'preprocessing' parameter must be a Preprocessing with a module of one's own, "
                f"and None without. Got {self.preprocessing!r} instead."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values, and the name of a network of timm."""
        plan = {f.name: getattr(self, f.name) for f in fields(Plan)}
        plan["augment"] = list(self.augment)
        return {**plan, "network": self.network if isinstance(self.network, str) else None}

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
        """See `outgroup.classifier.tuner.Tuner`.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        BackboneError
            If the network can't be tuned.
        InvalidDataError
            If there are too few images, or no negatives.
        InvalidParameterError
            If the objective gives an image one class, and it may have several.
        """
        from outgroup.finetune.tuning import tune_backbone

        if targets.several and not choose_objective(self.objective).takes_several:
            fit = [name for name, one in OBJECTIVES if one.takes_several]
            raise InvalidParameterError(
                f"The 'objective' parameter must be one of {', '.join(map(repr, fit))} where an "
                f"image may have several labels. Got {self.objective!r} instead."
            )
        network, preprocessing, name = self._open(backbone)
        tuned = tune_backbone(
            network,
            preprocessing,
            backbone,
            name,
            self,
            samples,
            targets,
            collections,
            seed=seed,
            threads=threads,
            progress=progress,
            device=self._device(),
            folder=self._folder(),
        )
        return replace(tuned, only_if_better=self.only_if_better)

    def _open(self, backbone: Backbone) -> tuple[TunableNetwork, Preprocessing, str]:
        from outgroup.backbones.efficientnet_lite0 import load_weights
        from outgroup.finetune.foreign import ModuleNetwork, network_from_timm
        from outgroup.finetune.network import Lite0

        if isinstance(self.network, str):
            found = network_from_timm(self.network.removeprefix("timm:"))
            return found, found.preprocessing, self.network
        if self.network is not None:
            assert self.preprocessing is not None
            module = ModuleNetwork(copy.deepcopy(self.network), self.preprocessing)
            return module, self.preprocessing, type(self.network).__name__
        if backbone.name != LITE0:
            raise BackboneError(
                f"The network {backbone.name!r} is an ONNX file, which can't be tuned. Take "
                f"{LITE0!r}, or give FineTune the network as 'timm:NAME' or as a module."
            )
        return Lite0(load_weights()), backbone.preprocessing, LITE0

    def _device(self) -> str:
        from outgroup.finetune._torch import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _folder(self) -> Path | None:
        return Path(os.fspath(cache_folder())) / "finetune" if self.resume else None
