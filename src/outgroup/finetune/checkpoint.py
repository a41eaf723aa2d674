"""The state of a training on disk, so that a killed one goes on where it was.

It is written to a temporary name and renamed, and read with ``weights_only=True``: tensors, numbers
and texts come out of it, and no code.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from outgroup.finetune._torch import torch


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state, whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder is made if missing.
    state : dict
        Tensors, numbers, texts, and lists and dicts of these.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """Return the state in a file, None if there is none of this training.

    Parameters
    ----------
    path : Path
    key : str
        What the state must bear as "key": a hash of all that decides the training.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception:  # damaged or foreign: torch raises many kinds. Training starts anew.
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None
