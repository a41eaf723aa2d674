import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from outgroup.contamination import Suspect
from outgroup.errors import PoolError
from outgroup.predictions import Neighbour
from outgroup.report.pages import LIMIT, render, suspects_page

Picture = Callable[[str, int], Image.Image]


@pytest.fixture
def suspect(tmp_path: Path, make_picture: Picture) -> Suspect:
    for name, colour in (("one", "red"), ("known", "pink")):
        make_picture(colour, 1).save(tmp_path / f"{name}.png")
    near = Neighbour(str(tmp_path / "known.png"), "cat", 0.25)
    return Suspect(0, "cat", 0.4, (near, near), str(tmp_path / "one.png"))


def test_a_page_contains_its_pictures_and_loads_nothing(suspect: Suspect) -> None:
    page = suspects_page([suspect])
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 3
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in pictures]
    assert sizes == [(40, 32)] * 3  # small images are not enlarged
    assert "http:" not in page
    assert "https:" not in page
    assert len(re.findall(r"src=|href=|@import|url\(", page)) == len(pictures)
    assert "default-src 'none'" in page


def test_large_images_are_scaled_down(tmp_path: Path, make_picture: Picture) -> None:
    make_picture("red", 1).resize((1000, 800)).save(tmp_path / "large.png")
    page = suspects_page([Suspect(0, "cat", 0.4, (), str(tmp_path / "large.png"))])
    assert 'width="200" height="160"' in page


def test_a_page_shows_the_question_and_its_reasons(suspect: Suspect) -> None:
    page = suspects_page([suspect], title="Well?", sentence="1 of 5 images.")
    for text in ("<h1>Well?</h1>", "1 of 5 images.", "cat?", "40 %", "cat 0.25", suspect.path):
        assert str(text) in page


def test_a_suspect_without_neighbours_has_no_list_of_them(suspect: Suspect) -> None:
    alone = suspects_page([Suspect(0, "cat", 0.4, (), suspect.path)])
    assert "nearest known images" in suspects_page([suspect])
    assert "nearest known images" not in alone


def test_names_can_not_break_the_page() -> None:
    evil = "<script>alert(1)</script>\"'\udce9"
    near = (Neighbour(evil, evil, 0.1),)
    page = suspects_page([Suspect(0, evil, 0.5, near, evil)], evil, evil, find=lambda image: None)

    class Tags(HTMLParser):
        scripts = handlers = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.scripts += tag == "script"
            self.handlers += sum(name.startswith("on") for name, _ in attrs)

    tags = Tags()
    tags.feed(page)
    assert tags.scripts == 1  # that of the page
    assert tags.handlers == 0
    page.encode("utf-8")


def test_an_absent_image_is_named_but_not_shown(tmp_path: Path) -> None:
    page = suspects_page([Suspect(0, "cat", 0.5, (), str(tmp_path / "gone.png"))])
    assert "gone.png" in page
    assert "no such file" in page
    assert "<img" not in page


def test_a_suspect_may_load_its_image(make_picture: Picture) -> None:
    def damaged() -> Image.Image:
        raise PoolError("Image 1 of the pool is damaged.")

    suspects = [
        Suspect(0, "cat", 0.5, (), "no/such/place.png", lambda: make_picture("red", 1)),
        Suspect(1, "cat", 0.5, (), "no/such/place.png", damaged),
    ]
    page = suspects_page(suspects)
    assert page.count("<img") == 1
    assert "Image 1 of the pool is damaged." in page


def test_images_in_memory_are_found_by_row(make_picture: Picture) -> None:
    images = {3: make_picture("red", 1)}
    page = suspects_page([Suspect(3, "cat", 0.5, ())], find=lambda image: images.get(image.row))  # type: ignore[arg-type]
    assert page.count("<img") == 1
    assert "row 3" in page


def test_an_image_near_many_suspects_is_read_once(suspect: Suspect) -> None:
    asked = []

    def find(item: Suspect | Neighbour) -> str | None:
        asked.append(item)
        return item.path

    suspects_page([suspect, suspect], find=find)
    assert sum(isinstance(item, Neighbour) for item in asked) == 1


def test_a_long_list_is_cut_and_says_so() -> None:
    many = [Suspect(i, "cat", 0.5, (), f"{i}.png") for i in range(LIMIT + 7)]
    page = suspects_page(many, find=lambda image: None)
    assert page.count("<article") == LIMIT
    assert f"{LIMIT:,} of {LIMIT + 7:,} are shown" in page
    assert "are shown" not in suspects_page(many[:1], find=lambda image: None)


def test_a_template_without_its_values_is_an_error() -> None:
    with pytest.raises(Exception, match="'note' is undefined"):
        render("contact_sheet.html", title="Pool", strips=[])
