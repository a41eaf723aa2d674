"""What an image in memory is called."""

from __future__ import annotations

from outgroup.errors import UnreadableImageError
from outgroup.images import ImageSource, content_digest


def origin_of(image: ImageSource, source: str, place: str) -> str:
    """Return a name for an image that lies nowhere: what it looks like.

    The number in a stream would be another one whenever the stream is another one, and the same one
    for two streams. The hash of the image is neither.

    Parameters
    ----------
    image : ImageSource
        No path.
    source : str
        The collection it is of.
    place : str
        What it is called if it can't be decoded.

    Examples
    --------
    >>> origin_of(b"abc", "memory", "image 7")
    'memory!cf4ab791c62b8d2b2109c90275287816'
    """
    try:
        return f"{source}!{content_digest(image)}"
    except UnreadableImageError:
        return f"{source}!{place}"
