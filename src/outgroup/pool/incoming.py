"""What a source of negatives gives: an image, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from outgroup.images import ImageSource


@dataclass(frozen=True)
class Incoming:
    """An image on its way into a pool.

    Parameters
    ----------
    image : ImageSource
        A path, the bytes of a file, a Pillow image or an array. Not opened yet, so that it may turn
        out to be none.
    source : str
        The collection it is of, such as the name of a folder; what "by source" counts.
    origin : str
        Where it was found: its path or URL, for a member of an archive with the member's name
        behind a ``!``. The same place has the same origin whenever the source is read again.
    group : str or None, default=None
        Images that belong together, such as frames of one video; they are held out together.

    Examples
    --------
    >>> Incoming("sofas/1.jpg", source="sofas", origin="sofas/1.jpg")
    Incoming(image='sofas/1.jpg', source='sofas', origin='sofas/1.jpg', group=None)
    """

    image: ImageSource
    source: str
    origin: str
    group: str | None = None
