"""The identity of an image: equal digests, equal pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from outgroup.images.decoding import decode
from outgroup.images.sources import ImageSource, read_source


def content_digest(source: ImageSource) -> str:
    """Return what identifies an image: equal digests, equal pixels.

    For a path it is the hash of the file's bytes, so it is the same for those bytes. A Pillow
    image is hashed as the upright RGB image that it decodes to, since its mode, palette,
    transparency and orientation all have a say in that.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        The image.

    Returns
    -------
    str
        32 hex digits (BLAKE2b, 128 bits).

    Raises
    ------
    UnreadableImageError
        If the file can't be read or the Pillow image can't be decoded.
    InvalidParameterError
        If `source` is nothing that could be an image.

    Examples
    --------
    >>> content_digest(b"abc")
    'cf4ab791c62b8d2b2109c90275287816'
    """
    data = read_source(source)
    if isinstance(data, bytes):
        return _hash(data, kind="")
    if isinstance(data, np.ndarray):
        return _hash(data.tobytes(), kind=f"array {data.dtype.str} {data.shape}")
    image = decode(data)
    return _hash(image.tobytes(), kind=f"image {image.size}")


def _hash(content: bytes, kind: str) -> str:
    """Hash the content; a `kind` keeps pixels apart from files that hold the same bytes."""
    digest = hashlib.blake2b(content, digest_size=16, person=b"pixels" if kind else b"")
    digest.update(kind.encode())
    return digest.hexdigest()
