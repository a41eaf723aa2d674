"""Formats of files that hold many images; a new one is a new module here.

==========  ===================================  ================================================
name        endings                              what is read
==========  ===================================  ================================================
``tar``     .tar .tar.gz .tgz .tar.bz2 .tbz2     members from the first to the last, never all at
            .tar.xz .txz .tar.zst                once; WebDataset's ``KEY.json`` beside its images
``zip``     .zip                                 the same, in the order of its directory
``parquet`` .parquet                             rows, from one row group after the other
==========  ===================================  ================================================

Nothing is unpacked onto the disk. Of archives only regular files are taken; hidden and system files
such as ``__MACOSX`` and files too large for an image are left out, and say so.
"""

from __future__ import annotations

from outgroup.pool.containers.base import (
    CONTAINERS,
    Container,
    Log,
    Member,
    StoredFile,
    container_for,
)

__all__ = ["CONTAINERS", "Container", "Log", "Member", "StoredFile", "container_for"]
