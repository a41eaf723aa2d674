"""A pool: a collection of images that are of none of the classes, kept on disk.

>>> import tempfile
>>> import numpy as np
>>> pool = Pool.create(tempfile.mkdtemp())
>>> added = pool.add([Incoming(np.zeros((40, 60, 3), np.uint8), source="blank", origin="#0")])
>>> len(pool), pool[0].source
(1, 'blank')
"""

from __future__ import annotations

from outgroup.pool.mixing import Mixer, mix
from outgroup.pool.pool import DEFAULT_BACKBONE, Pool
from outgroup.pool.records import KEPT, QUARANTINED, Added, Counts, Incoming, Record, Unreadable
from outgroup.pool.storage import Settings
from outgroup.pool.verification import Problem, Verification

__all__ = [
    "DEFAULT_BACKBONE",
    "KEPT",
    "QUARANTINED",
    "Added",
    "Counts",
    "Incoming",
    "Mixer",
    "Pool",
    "Problem",
    "Record",
    "Settings",
    "Unreadable",
    "Verification",
    "mix",
]
