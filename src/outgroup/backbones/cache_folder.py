"""Where things are kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of everything that outgroup keeps and can make again; it may not exist yet.

    It is the environment variable ``OUTGROUP_CACHE`` if that is set, else the platform's cache
    folder of the user, e.g. ``~/.cache/outgroup`` on Linux.

    Returns
    -------
    Path
    """
    chosen = os.environ.get("OUTGROUP_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("outgroup", appauthor=False)
