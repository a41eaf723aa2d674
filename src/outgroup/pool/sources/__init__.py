"""Sources: everything that images of a pool can be read from.

==========================================  ====================================================
what is given                               what is read, in this order
==========================================  ====================================================
a folder                                    every file, sorted by path; archives and Parquet
                                            files in it are read; the source is the sub-folder
``photos.tar``, ``.tar.gz``, ``.tgz``,      the members; the source is the outermost folder in
``.tar.bz2``, ``.tar.xz``, ``photos.zip``   there, or else the archive's name
``shard-{000000..000099}.tar``              WebDataset shards; "source" and "group" of
                                            ``KEY.json`` are those of ``KEY.jpg``
``data/*.parquet``, ``photos.parquet#img``  the rows of a column of images: the Hugging Face
                                            layout, bytes, or paths of local files
``hf://datasets/OWNER/NAME@REV/PATH``       the same files on the Hugging Face hub
``hf:NAME``                                 an image set of the list in `outgroup.pool.named`
``photos.csv``, a DataFrame                 the column "path"; "source" and "group" if there are
an iterable                                 images, pairs (image, source), or `Incoming`
==========================================  ====================================================

Of every one of them: the order is the same each time; a file that is none of an image's is left out
and counted (`PoolSource.skipped`); nothing is unpacked onto the disk, and no more than a few images
are in memory at once. Damage doesn't keep what is behind it from being read, where that can be
found: `PoolSourceError` comes last, so that one broken shard of a thousand costs one shard. A
source without a single image raises `InvalidDataError`.

URLs are not downloaded: an image server that is slow, gone or hostile is a task of its own, and
there are good tools for it, whose shards can be read here.

A new kind of source is a new module here with one class that registers itself.
"""

from __future__ import annotations

from outgroup.pool.sources.base import SOURCES, PoolSource
from outgroup.pool.sources.opening import open_source

__all__ = ["SOURCES", "PoolSource", "open_source"]
