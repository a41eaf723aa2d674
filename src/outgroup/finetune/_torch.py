"""torch, or which extra installs it."""

from __future__ import annotations

from outgroup.errors import MissingExtraError

try:
    import torch as torch
    from torch import nn as nn
    from torch.nn import functional as functional
except ImportError as error:
    raise MissingExtraError("Fine-tuning", "torch") from error

__all__ = ["functional", "nn", "torch"]
