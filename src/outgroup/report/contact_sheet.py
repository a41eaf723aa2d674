"""Write a contact sheet of a pool: a few images of each source, in a JPEG file or HTML page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from outgroup._files import write_whole
from outgroup._text import printable
from outgroup.errors import InvalidParameterError
from outgroup.pool.reader import PoolReader
from outgroup.pool.records import Counts
from outgroup.report.pages import picture, render

SUFFIXES = (".jpg", ".jpeg", ".html")
_PER_SOURCE = 10
_MAX_SOURCES = 100
_TILE = (100, 84)
_GAP, _LINE = 6, 20
_INK, _PAPER = (32, 32, 32), (255, 255, 255)


@dataclass(frozen=True)
class _Strip:
    """A few images of one source."""

    title: str
    rows: npt.NDArray[np.int64]
    images: list[Image.Image]


def write_sheet(pool: PoolReader, path: Path, seed: int = 0) -> None:
    """Write ten random images of each of the hundred largest sources, as .jpg, .jpeg or .html."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidParameterError(
            f"Invalid `sheet`: must be a file that ends in {', '.join(SUFFIXES)}, got {path}."
        )
    counts = {name: n for name, n in pool.counts().items() if n.kept}
    largest = sorted(counts, key=lambda name: (-counts[name].kept, name))[:_MAX_SOURCES]
    note = f"Up to {_PER_SOURCE} images of each source, drawn at random."
    if len(largest) < len(counts):
        note += f" The {len(largest)} largest of {len(counts)} sources."
    strips = _strips(pool, counts, sorted(largest), seed)
    if path.suffix.lower() == ".html":
        shown = (
            {
                "title": strip.title,
                "pictures": [
                    {"name": f"image {row}", "data": picture(image, 192, quality=85).data}
                    for row, image in zip(strip.rows, strip.images, strict=True)
                ],
            }
            for strip in strips
        )
        title = f"Pool {pool.path.name}"
        page = render("contact_sheet.html", title=title, note=note, strips=shown)
        write_whole(path, page.encode("utf-8"))
    else:
        buffer = io.BytesIO()
        _picture(note, len(largest), strips).save(buffer, "JPEG", quality=90)
        write_whole(path, buffer.getvalue())


def _strips(
    pool: PoolReader, counts: Mapping[str, Counts], names: list[str], seed: int
) -> Iterator[_Strip]:
    rng = np.random.default_rng(seed)
    for name in names:
        rows = pool.rows(name)
        drawn = np.sort(rng.choice(rows, min(_PER_SOURCE, len(rows)), replace=False))
        yield _Strip(f"{name}: {counts[name].kept:,} images", drawn, pool.images(drawn))


def _picture(note: str, n: int, strips: Iterator[_Strip]) -> Image.Image:
    width = _PER_SOURCE * (_TILE[0] + _GAP) + _GAP
    height = n * (_LINE + _TILE[1] + _GAP) + _LINE + 2 * _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    draw.text((_GAP, _GAP), note, _INK, font)
    top = _LINE + _GAP
    for strip in strips:
        draw.text((_GAP, top), printable(strip.title), _INK, font)
        for i, image in enumerate(strip.images):
            sheet.paste(_tile(image), (_GAP + i * (_TILE[0] + _GAP), top + _LINE))
        top += _LINE + _TILE[1] + _GAP
    return sheet


def _tile(image: Image.Image) -> Image.Image:
    """Return the image, scaled down to fit, in the centre of a tile."""
    small = image.copy()
    small.thumbnail(_TILE)
    tile = Image.new("RGB", _TILE, _PAPER)
    tile.paste(small, ((_TILE[0] - small.width) // 2, (_TILE[1] - small.height) // 2))
    return tile
