"""Picture sheets: some images of each source, to see at a glance what a pool is made of."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from outgroup.errors import InvalidParameterError
from outgroup.pool.records import Counts

SUFFIXES = (".jpg", ".jpeg", ".html")
_PER_SOURCE = 10
_MOST_SOURCES = 100
_TILE = (100, 84)
_GAP, _LINE = 6, 20
_INK, _PAPER = (32, 32, 32), (255, 255, 255)

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }}
h2 {{ font-size: 1rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere }}
img {{ height: 96px; margin: 0 4px 4px 0; border-radius: 3px }}
</style>
<h1>{title}</h1>
<p>{note}</p>
{rows}"""


class _Sampled(Protocol):
    """What a sheet asks of a pool."""

    path: Path

    def counts(self) -> dict[str, Counts]: ...
    def rows(self, source: str | None = None) -> npt.NDArray[np.int64]: ...
    def images(self, rows: npt.NDArray[np.int64]) -> list[Image.Image]: ...


@dataclass(frozen=True)
class _Strip:
    """A few images of one source."""

    title: str
    rows: npt.NDArray[np.int64]
    images: list[Image.Image]


def write_sheet(pool: _Sampled, path: Path, seed: int = 0) -> None:
    """Write a picture sheet: ten images of each source, drawn at random.

    Parameters
    ----------
    pool : Pool
    path : Path
        Ends in .jpg, .jpeg or .html; a page holds its pictures in itself.
    seed : int
        Of what is drawn.

    Raises
    ------
    InvalidParameterError
        If the file is to be something else.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidParameterError(
            f"The 'sheet' parameter must be a file that ends in {', '.join(SUFFIXES)}. "
            f"Got {path} instead."
        )
    counts = {name: n for name, n in pool.counts().items() if n.kept}
    largest = sorted(counts, key=lambda name: (-counts[name].kept, name))[:_MOST_SOURCES]
    note = f"Up to {_PER_SOURCE} images of each source, drawn at random."
    if len(largest) < len(counts):
        note += f" The {len(largest)} largest of {len(counts)} sources."
    strips = _strips(pool, counts, sorted(largest), seed)
    if path.suffix.lower() == ".html":
        path.write_text(_page(f"Pool {pool.path.name}", note, strips), "utf-8")
    else:
        _picture(note, len(largest), strips).save(path, "JPEG", quality=90)


def _strips(
    pool: _Sampled, counts: Mapping[str, Counts], names: list[str], seed: int
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
        draw.text((_GAP, top), strip.title, _INK, font)
        for i, image in enumerate(strip.images):
            sheet.paste(_tile(image), (_GAP + i * (_TILE[0] + _GAP), top + _LINE))
        top += _LINE + _TILE[1] + _GAP
    return sheet


def _tile(image: Image.Image) -> Image.Image:
    """Return the image as large as fits, in the middle of an empty tile."""
    small = image.copy()
    small.thumbnail(_TILE)
    tile = Image.new("RGB", _TILE, _PAPER)
    tile.paste(small, ((_TILE[0] - small.width) // 2, (_TILE[1] - small.height) // 2))
    return tile


def _page(title: str, note: str, strips: Iterator[_Strip]) -> str:
    rows = []
    for strip in strips:
        pictures = "".join(
            f'<img alt="image {row}" title="image {row}" src="{_data(image)}">'
            for row, image in zip(strip.rows, strip.images, strict=True)
        )
        rows.append(f"<h2>{html.escape(strip.title)}</h2>\n<div>{pictures}</div>")
    return _PAGE.format(title=html.escape(title), note=html.escape(note), rows="\n".join(rows))


def _data(image: Image.Image) -> str:
    small = image.copy()
    small.thumbnail((192, 192))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
