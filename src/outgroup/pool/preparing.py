"""From an incoming image to what is kept of it: read, hashed, decoded, shrunk, encoded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from outgroup.errors import UnreadableImageError
from outgroup.images import ImageSource, content_digest, decode_with_size, read_source
from outgroup.images.reasons import decoder_reasons
from outgroup.pool.batch import NewImage
from outgroup.pool.fingerprints import fingerprint
from outgroup.pool.incoming import Incoming
from outgroup.pool.stored_images import StoredForm


@dataclass(frozen=True)
class Prepared:
    """An incoming image, and what became of it.

    Parameters
    ----------
    source, origin : str
        As text that can be stored.
    stamp : str or None
        As for `NewImage`.
    digest : str or None
        Hash of the original; None if there was nothing to hash.
    image : NewImage or None
        What is to be kept; None if the content is known already, or can't be read.
    error : str or None
        Why it can't be read.
    """

    source: str
    origin: str
    stamp: str | None
    digest: str | None
    image: NewImage | None
    error: str | None = None


def prepare(
    incoming: Incoming, stamp: str | None, form: StoredForm, is_known: Callable[[str], bool]
) -> Prepared:
    """Return what is to be kept of an image; several threads do this at a time.

    Parameters
    ----------
    incoming : Incoming
    stamp : str or None
        Its file's stamp.
    form : StoredForm
        How it is kept.
    is_known : callable
        Tells whether an image of this digest is in the pool; it is then not decoded.

    Raises
    ------
    InvalidParameterError
        If it is nothing that could be an image.
    """
    source, origin = storable(incoming.source), storable(incoming.origin)
    digest = None
    try:
        data = read_source(incoming.image)
        digest = content_digest(data)
        if is_known(digest):
            return Prepared(source, origin, stamp, digest, None)
        original, size = decode_with_size(data, min_side=form.shorter)
        with decoder_reasons("image"):
            small = form.shrink(original)
            jpeg = form.encode(small)
            # Of the whole image: how much is cropped depends on how large it was.
            bits = fingerprint(original)
    except UnreadableImageError as error:
        return Prepared(source, origin, stamp, digest, None, str(error))
    image = NewImage(
        source=source,
        origin=origin,
        group=None if incoming.group is None else storable(incoming.group),
        width=size[0],
        height=size[1],
        stored_width=small.width,
        stored_height=small.height,
        n_bytes=_n_bytes(data, size),
        digest=digest,
        fingerprint=bits,
        jpeg=jpeg,
        checksum=content_digest(jpeg),
        stamp=stamp,
    )
    return Prepared(source, origin, stamp, digest, image)


def storable(text: str) -> str:
    r"""Return text that a database can hold; bytes of a file name that are no text become escapes.

    >>> storable("caf\udce9.jpg")
    'caf\\udce9.jpg'
    """
    return str(text).encode("utf-8", "backslashreplace").decode()


def file_stamp(image: ImageSource) -> str | None:
    """Return what changes when a file changes: its size and time; None for what is no file.

    >>> file_stamp(b"the bytes themselves") is None
    True
    """
    if not isinstance(image, (str, os.PathLike)):
        return None
    try:
        status = os.stat(image)
    except (OSError, ValueError):  # what is wrong with it is found out when it is read
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def _n_bytes(data: object, size: tuple[int, int]) -> int:
    if isinstance(data, bytes):
        return len(data)
    return data.nbytes if isinstance(data, np.ndarray) else 3 * size[0] * size[1]
