"""Which labeler to take."""

from __future__ import annotations

from outgroup.multilabel.labelers.base import LABELERS, Labeler


def choose_labeler(name: str) -> Labeler:
    """Return an unfitted labeler by name.

    Parameters
    ----------
    name : str
        A registered name, or "auto" for "blend".

    Raises
    ------
    InvalidParameterError
        If there is no such labeler.

    Examples
    --------
    >>> choose_labeler("auto").name
    'blend'
    """
    return LABELERS.get("blend" if name == "auto" else name)()
