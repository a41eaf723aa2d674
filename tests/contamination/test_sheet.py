import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from outgroup.contamination import Suspect, suspect_sheet
from outgroup.contamination.sheet import LIMIT
from outgroup.errors import PoolError
from outgroup.neighbours import Neighbour

Picture = Callable[[str, int], Image.Image]


@pytest.fixture
def suspect(tmp_path: Path, make_picture: Picture) -> Suspect:
    for name, colour in (("one", "red"), ("known", "pink")):
        make_picture(colour, 1).save(tmp_path / f"{name}.png")
    near = Neighbour(str(tmp_path / "known.png"), "cat", 0.25)
    return Suspect(0, "cat", 0.4, (near, near), str(tmp_path / "one.png"))


def test_a_page_holds_its_pictures_and_asks_for_nothing_else(suspect: Suspect) -> None:
    page = suspect_sheet([suspect])
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 3
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in pictures]
    assert sizes == [(40, 32)] * 3  # small ones are not blown up
    assert "http" not in page
    assert len(re.findall(r"src=|href=|@import|url\(", page)) == len(pictures)


def test_it_says_what_it_asks(suspect: Suspect) -> None:
    page = suspect_sheet([suspect], title="Well?", said="1 of 5 images.")
    for text in ("<h1>Well?</h1>", "1 of 5 images.", "cat?", "40 %", "cat 0.25", suspect.path):
        assert str(text) in page


def test_names_can_not_break_the_page() -> None:
    evil = "<script>alert(1)</script>\"'\udce9"
    near = (Neighbour(evil, evil, 0.1),)
    page = suspect_sheet([Suspect(0, evil, 0.5, near, evil)], evil, evil, find=lambda image: None)

    class Tags(HTMLParser):
        scripts = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.scripts += tag == "script"

    tags = Tags()
    tags.feed(page)
    assert tags.scripts == 1  # its own
    page.encode("utf-8")


def test_an_image_that_is_gone_is_named_and_not_shown(tmp_path: Path) -> None:
    page = suspect_sheet([Suspect(0, "cat", 0.5, (), str(tmp_path / "gone.png"))])
    assert "gone.png" in page
    assert "no such file" in page
    assert "<img" not in page


def test_an_image_that_is_at_no_path_is_asked_for(make_picture: Picture) -> None:
    def damaged() -> Image.Image:
        raise PoolError("Image 1 of the pool is damaged.")

    suspects = [
        Suspect(0, "cat", 0.5, (), "no/such/place.png", lambda: make_picture("red", 1)),
        Suspect(1, "cat", 0.5, (), "no/such/place.png", damaged),
    ]
    page = suspect_sheet(suspects)
    assert page.count("<img") == 1
    assert "Image 1 of the pool is damaged." in page


def test_images_in_memory_are_found_by_row(make_picture: Picture) -> None:
    images = {3: make_picture("red", 1)}
    page = suspect_sheet([Suspect(3, "cat", 0.5, ())], find=lambda image: images.get(image.row))  # type: ignore[arg-type]
    assert page.count("<img") == 1
    assert "row 3" in page


def test_a_long_list_says_how_much_of_it_is_there() -> None:
    many = [Suspect(i, "cat", 0.5, (), f"{i}.png") for i in range(LIMIT + 7)]
    page = suspect_sheet(many, find=lambda image: None)
    assert page.count("<article") == LIMIT
    assert f"{LIMIT:,} of {LIMIT + 7:,} are shown" in page
