"""Whatever the user has, as a source."""

from __future__ import annotations

from typing import Any

from outgroup.errors import InvalidParameterError
from outgroup.pool.containers._columns import NO_DOWNLOAD, URL
from outgroup.pool.sources.base import SOURCES, PoolSource


def open_source(source: Any, name: str | None = None) -> PoolSource:
    """Return what is given as a source; nothing is read yet.

    Parameters
    ----------
    source : object
        A folder, file, pattern, table, place on the hub, name or iterable; see the table in
        `outgroup.pool.sources`. A source is returned as it is.
    name : str or None, default=None
        The source of all its images; None for what they say themselves.

    Raises
    ------
    InvalidParameterError
        If it is none of these, or is not there.
    MissingExtraError
        If reading it needs a package that is not there.

    Examples
    --------
    >>> source = open_source([b"the bytes of a file"], name="web")
    >>> [incoming.source for incoming in source], source.length()
    (['web'], 1)
    """
    if isinstance(source, PoolSource):
        return source
    for _name, kind in SOURCES:
        if kind.accepts(source):
            return kind(source, name)
    if isinstance(source, str) and URL.match(source):
        raise InvalidParameterError(
            f"The 'source' parameter must be a local path, or a place on the Hugging Face hub that "
            f"begins with hf://. Got {source!r} instead: {NO_DOWNLOAD}."
        )
    forms = "; ".join(source.form for _kind, source in SOURCES)
    raise InvalidParameterError(
        f"The 'source' parameter must be a source of images ({forms}). Got {type(source).__name__} "
        "instead."
    )
