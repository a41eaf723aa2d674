from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup.errors import InvalidParameterError
from outgroup.pool.records import Counts
from outgroup.report.contact_sheet import write_sheet

Picture = Callable[[str, int], Image.Image]


class Collection:
    """The part of a pool that a contact sheet reads: images of named sources."""

    path = Path("collections/odds & ends")

    def __init__(self, sizes: dict[str, int], image: Image.Image) -> None:
        self.sizes, self.image = sizes, image

    def counts(self) -> dict[str, Counts]:
        return {name: Counts(kept=n) for name, n in self.sizes.items()}

    def rows(self, source: str) -> np.ndarray:
        names = np.repeat([*self.sizes], [*self.sizes.values()])
        return np.flatnonzero(names == source)

    def images(self, rows: np.ndarray) -> list[Image.Image]:
        return [self.image] * len(rows)


def page(sizes: dict[str, int], image: Image.Image, folder: Path, seed: int = 0) -> str:
    write_sheet(Collection(sizes, image), folder / "sheet.html", seed)  # type: ignore[arg-type]
    return (folder / "sheet.html").read_text("utf-8")


def test_a_page_shows_ten_images_of_each_source(tmp_path: Path, make_picture: Picture) -> None:
    html = page({"web": 25, "camera": 3, "empty": 0}, make_picture("red", 1), tmp_path)
    shown = [int(row) for row in re.findall(r'alt="image (\d+)"', html)]
    assert shown[:3] == [25, 26, 27]  # of the camera
    assert len({*shown[3:]} & {*range(25)}) == 10 == len(shown[3:])
    assert html.index("camera: 3 images") < html.index("web: 25 images")
    assert "empty" not in html
    assert "Pool odds &amp; ends" in html
    assert len(re.findall(r"src=|href=|@import|url\(", html)) == html.count("<img")


def test_the_seed_decides_which_images_are_shown(tmp_path: Path, make_picture: Picture) -> None:
    pages = [page({"web": 500}, make_picture("red", 1), tmp_path, seed) for seed in (0, 0, 1)]
    assert pages[0] == pages[1] != pages[2]


def test_of_many_sources_the_largest_are_shown(tmp_path: Path, make_picture: Picture) -> None:
    sizes = {f"source {i:03d}": 1 + (i >= 5) for i in range(105)}
    html = page(sizes, make_picture("red", 1), tmp_path)
    assert "The 100 largest of 105 sources." in html
    assert html.count("<h2>") == 100
    assert "source 004" not in html
    assert "source 005" in html


def test_names_can_not_break_the_page(tmp_path: Path, make_picture: Picture) -> None:
    html = page({"<script>alert(1)</script>\udce9": 1}, make_picture("red", 1), tmp_path)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;?: 1 images" in html


def test_a_picture_has_a_strip_for_each_source(tmp_path: Path, make_picture: Picture) -> None:
    heights = []
    for sizes in ({"web": 20}, {"web": 20, "Žirafa\n\udce9": 2}):
        collection = Collection(sizes, make_picture("red", 1))
        write_sheet(collection, tmp_path / "sheet.JPG")  # type: ignore[arg-type]
        with Image.open(tmp_path / "sheet.JPG") as sheet:
            assert sheet.format == "JPEG"
            heights.append(sheet.height)
            red = np.asarray(sheet)[..., 0].astype(int) - np.asarray(sheet)[..., 2] > 80
    assert heights[0] < heights[1]
    first, second = red[: heights[0]], red[heights[0] :]
    assert 4 * second.sum() < first.sum()


def test_another_ending_is_refused(tmp_path: Path, make_picture: Picture) -> None:
    collection = Collection({"web": 1}, make_picture("red", 1))
    with pytest.raises(InvalidParameterError, match=r"`sheet`: must be a file that ends in \.jpg"):
        write_sheet(collection, tmp_path / "sheet.png")  # type: ignore[arg-type]
