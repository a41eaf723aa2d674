"""Fine-tuning of the network itself on classes and negatives. Needs the extra ``torch``.

`FineTune` is what `ImageClassifier` takes to tune its network. The losses, the blends and
`with_negatives` serve training loops of your own. Importing this package does not import torch;
names that need it are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from outgroup.finetune.fine_tune import FineTune
from outgroup.finetune.tuning_plan import FineTunePlan
from outgroup.torch_loop import require_torch

if TYPE_CHECKING:
    from outgroup.finetune.augmentation import cutmix, mixup
    from outgroup.finetune.objectives import (
        class_weights,
        focal_sigmoid,
        focal_softmax,
        objectosphere,
        other_class,
        outlier_exposure,
        target_rows,
        zero_row_bce,
    )
    from outgroup.finetune.tuning_batches import with_negatives

__all__ = [
    "FineTune",
    "FineTunePlan",
    "class_weights",
    "cutmix",
    "focal_sigmoid",
    "focal_softmax",
    "mixup",
    "objectosphere",
    "other_class",
    "outlier_exposure",
    "target_rows",
    "with_negatives",
    "zero_row_bce",
]

_MODULES = {"cutmix": "augmentation", "mixup": "augmentation", "with_negatives": "tuning_batches"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_torch("Fine-tuning")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'objectives')}"), name)
