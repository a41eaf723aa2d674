from xml.etree import ElementTree

import pytest

from outgroup.plots import share_plot
from outgroup.plots.shares import CHOSEN_COLOUR, LEFT, Share

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> tuple[list[str], list[tuple[float, float, str]]]:
    """The texts, and the dots as (x, y, colour), all within the picture."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    dots = [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"]), dot.attrib["fill"])
        for dot in root.iter(f"{SVG}circle")
    ]
    assert all(0 <= x <= width and 0 <= y <= height for x, y, _ in dots)
    for line in root.iter(f"{SVG}line"):
        assert all(0 <= float(line.attrib[end]) <= width for end in ("x1", "x2"))
    return [text.text or "" for text in root.iter(f"{SVG}text")], dots


def test_larger_shares_are_farther_to_the_right_and_none_is_on_the_axis() -> None:
    rows = {"a": Share(0.0), "b": Share(0.04, 0.01), "c": Share(0.5, 0.1), "d <&>": Share(1.0)}
    texts, dots = drawn(share_plot(rows, "b", "Accepted"))
    assert [x for x, _, _ in dots] == sorted(x for x, _, _ in dots)
    assert dots[0][0] == LEFT
    assert [y for _, y, _ in dots] == sorted(y for _, y, _ in dots)
    assert [colour == CHOSEN_COLOUR for _, _, colour in dots] == [False, True, False, False]
    for text in ("Accepted", "a", "d <&>", "0.0 %", "4.0 %", "50.0 %", "100.0 %"):
        assert text in texts


def test_the_parts_of_a_mean_have_one_colour_in_all_rows_and_are_explained() -> None:
    rows = {"a": Share(0.2, 0, {"x": 0.1, "y": 0.3}), "b": Share(0.1, 0, {"x": 0.1, "y": 0.1})}
    texts, dots = drawn(share_plot(rows, None, ""))
    key = {texts[1 + i]: colour for i, (_, _, colour) in enumerate(dots[:2])}
    assert set(key) == {"x", "y"}
    assert [colour for _, _, colour in dots].count(key["x"]) == 3


@pytest.mark.parametrize("rows", [{}, {"a": Share(0.0)}, {"a": Share(0.99, 0.3)}])
def test_any_rows_are_drawn(rows: dict[str, Share]) -> None:
    _, dots = drawn(share_plot(rows, "none of them", "title"))
    assert len(dots) == len(rows)
