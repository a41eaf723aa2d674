"""Tuning the network itself, on classes and negatives. Needs the extra ``torch``.

`FineTune` is what `ImageClassifier` takes to tune its network. For training loops of one's own
there are `outgroup.finetune.losses`, `outgroup.finetune.blending`, `outgroup.finetune.loader` and
`OpenSetClassifier.from_outputs`. Importing this module loads no torch; the losses do.
"""

from outgroup.finetune.fine_tune import FineTune
from outgroup.finetune.plan import Plan

__all__ = ["FineTune", "Plan"]
