"""Folders, tables and arrays as one thing: `Samples`, with label, group and origin.

Nothing here opens an image. A file that is no image becomes a sample like any other and is reported
with a reason by whoever decodes it; what is left out here is listed in `Samples.skipped`.

Three kinds of label, never mixed up:

==========================  ===================================  ==============================
label                       in a CSV or DataFrame                in Python
==========================  ===================================  ==============================
a class                     its name (7 and 7.0 are ``"7"``)     its name
other (none of these)       an empty cell                        ``None`` in `Samples.labels`
unlabelled (nobody knows)   no cell, NaN or None, or no column   a source in `Samples.unlabelled`
==========================  ===================================  ==============================
"""

from __future__ import annotations

from outgroup.data.arrays import from_arrays
from outgroup.data.csv_files import from_csv
from outgroup.data.folders import from_folder, from_images
from outgroup.data.frames import from_frame
from outgroup.data.label_tables import (
    LabelTable,
    label_matrix,
    load_label_columns,
    load_label_lists,
)
from outgroup.data.loading import load_samples
from outgroup.data.samples import Samples, Skipped
from outgroup.data.values import MISSING

__all__ = [
    "MISSING",
    "LabelTable",
    "Samples",
    "Skipped",
    "from_arrays",
    "from_csv",
    "from_folder",
    "from_frame",
    "from_images",
    "label_matrix",
    "load_label_columns",
    "load_label_lists",
    "load_samples",
]
