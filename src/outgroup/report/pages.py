"""Write HTML pages that contain their pictures and load nothing.

The values of a page are computed first, and then put into a template.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from outgroup._text import printable
from outgroup.calibration.certificate import percent
from outgroup.contamination import Suspect
from outgroup.errors import PoolError, UnreadableImageError
from outgroup.images import ImageSource, decode
from outgroup.predictions import Neighbour

#: Largest number of suspects on a page, as a browser holds all their pictures.
LIMIT = 500

#: Sides of the pictures of suspects and of known images, in pixels.
LARGE, SMALL = 200, 120

#: Returns the image of a suspect or of a known image; None where there is none to show.
Finder = Callable[["Suspect | Neighbour"], "ImageSource | None"]


@dataclass(frozen=True)
class Picture:
    """An image as base64-encoded JPEG with its size, or why it can't be shown."""

    data: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


def render(template: str, **values: Any) -> str:
    """Fill a file of ``templates`` with values; text is escaped and made printable."""
    return _environment().get_template(template).render(values)


def picture(image: Image.Image, side: int, quality: int = 80) -> Picture:
    """Return an image, scaled down to fit into a square of `side` pixels."""
    small = image.copy()
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return Picture(base64.b64encode(file.getvalue()).decode("ascii"), small.width, small.height)


def image_of(item: Suspect | Neighbour) -> ImageSource | None:
    """Return the image of a suspect or of a known image; None where there is none to show."""
    if isinstance(item, Suspect) and item.load is not None:
        return item.load()
    return item.path


def suspects_page(
    suspects: Sequence[Suspect],
    title: str = "Do these show one of your classes?",
    sentence: str = "",
    find: Finder = image_of,
) -> str:
    """Return an HTML page that asks whether each suspect shows its class.

    The first `LIMIT` suspects are shown beside their nearest known images; an image that can't be
    read is replaced by the reason. The page saves the answers as a CSV file with the columns
    ``path`` and ``label``; an empty label means none of the classes. `find` returns an image.
    """
    known: dict[str, Picture] = {}  # a known image is often near to many suspects

    def near(neighbour: Neighbour) -> dict[str, Any]:
        name = neighbour.path or f"row {neighbour.row}"
        if name not in known:
            known[name] = _found(find, neighbour, SMALL)
        label, distance = neighbour.label or "other", neighbour.distance
        return {"name": name, "picture": known[name], "label": label, "distance": distance}

    cards = [
        {
            "name": suspect.path or f"row {suspect.row}",
            "label": suspect.label,
            "share": percent(suspect.score),
            "picture": _found(find, suspect, LARGE),
            "nearest": [near(neighbour) for neighbour in suspect.nearest],
        }
        for suspect in suspects[:LIMIT]
    ]
    return render(
        "suspects.html",
        title=title,
        sentence=sentence,
        cards=cards,
        n_suspects=len(suspects),
        large=LARGE,
        small=SMALL,
    )


def _found(find: Finder, item: Suspect | Neighbour, side: int) -> Picture:
    try:
        source = find(item)
        if source is None:
            return Picture(problem="no picture")
        return picture(decode(source, min_side=side), side)
    except (UnreadableImageError, PoolError) as error:
        return Picture(problem=str(error))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("outgroup.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )


def _finalize(value: Any) -> Any:
    """Make text printable; markup made by a template is left as it is."""
    return printable(value) if type(value) is str else value
