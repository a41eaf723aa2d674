"""Read labelled images from folders, tables and arrays, as `Samples`.

No image is opened here. A file that is no image becomes a sample like any other; whoever decodes it
reports it. Files that are left out are listed in `Samples.skipped`.

There are three kinds of label:

===================================  ===================================  ==========================
label                                in a CSV file or DataFrame           in `Samples`
===================================  ===================================  ==========================
a class                              its name (7 and 7.0 are ``"7"``)     its name in `labels`
other: none of the classes           an empty cell                        None in `labels`
unlabelled: nobody knows the class   no cell, NaN or None, or no column   a source in `unlabelled`
===================================  ===================================  ==========================
"""

from __future__ import annotations

from outgroup.data.folders import from_folder, from_images
from outgroup.data.label_tables import LabelReader, LabelTable
from outgroup.data.samples import Samples, Skipped, path_of
from outgroup.data.tables import from_arrays, from_csv, from_frame, load_samples
from outgroup.data.values import MISSING

__all__ = [
    "MISSING",
    "LabelReader",
    "LabelTable",
    "Samples",
    "Skipped",
    "from_arrays",
    "from_csv",
    "from_folder",
    "from_frame",
    "from_images",
    "load_samples",
    "path_of",
]
