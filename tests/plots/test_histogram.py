from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from outgroup.plots import score_histogram
from outgroup.plots.histogram import BINS, KNOWN_COLOUR, OTHER_COLOUR

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> tuple[list[str], list[ElementTree.Element]]:
    """The texts, and the bars, all within the picture."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    bars = [bar for bar in root.iter(f"{SVG}rect") if "x" in bar.attrib]
    for bar in bars:
        x, y = float(bar.attrib["x"]), float(bar.attrib["y"])
        assert 0 <= x <= x + float(bar.attrib["width"]) <= width
        assert 0 <= y <= y + float(bar.attrib["height"]) <= height
    return [text.text or "" for text in root.iter(f"{SVG}text")], bars


def test_all_kinds_are_drawn_with_their_counts() -> None:
    rng = np.random.default_rng(0)
    scores = {"cats": rng.normal(0, 1, 1200), "lego": rng.normal(4, 1, 50), "faces": [9.0]}
    texts, bars = drawn(score_histogram(scores, 2.0, "cats", "What is other?"))
    for text in ("What is other?", "cats", "lego", "faces", "1,200 images", "50 images"):
        assert text in texts
    assert "threshold 2" in texts
    assert f"{100 * np.mean(scores['cats'] > 2.0):.1f} % called other" in texts
    assert "100.0 % caught" in texts
    colours = [bar.attrib["fill"] for bar in bars]
    assert set(colours) == {KNOWN_COLOUR, OTHER_COLOUR}
    assert len(bars) <= 3 * BINS


def test_a_tie_with_the_threshold_is_known() -> None:
    texts, _ = drawn(score_histogram({"cats": [0.5, 0.6]}, 0.5, "cats", ""))
    assert "50.0 % called other" in texts


def test_far_off_scores_are_counted_in_the_last_bin() -> None:
    scores = np.append(np.linspace(0, 1, 999), 1e9)
    _, bars = drawn(score_histogram({"cats": scores}, 0.5, "cats", ""))
    assert len(bars) == BINS


@pytest.mark.parametrize("scores", [[], [0.5], [0.5, 0.5], [-3.0], [np.nan, 0.2, np.inf]])
def test_few_scores_are_drawn_too(scores: list[float]) -> None:
    texts, bars = drawn(score_histogram({"cats": [0.1, 0.9], "x": scores}, 0.5, "cats", ""))
    finite = int(np.isfinite(scores).sum())
    assert f"{finite} images" in texts
    others = [bar for bar in bars if bar.attrib["fill"] == OTHER_COLOUR]
    assert bool(others) == bool(finite)
    if not finite:
        assert "none caught" in texts


@pytest.mark.parametrize("scores", [{}, {"cats": []}, {"cats": [0.5, 0.5]}])
def test_picture_without_any_spread_is_valid(scores: dict[str, list[float]]) -> None:
    drawn(score_histogram(scores, 0.5, "cats", "nothing"))


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>", "a & b", 'quo"te', "Žirafa 🦒", "\0\x0b\udce9\n"]
)
def test_hostile_names_are_only_text(name: str) -> None:
    svg = score_histogram({name: [0.1], "other": [0.9]}, 0.5, name, name)
    root = ElementTree.fromstring(svg.encode("utf-8"))
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "rect", "text", "line")
    }
    shown = "".join(char if char.isprintable() else "?" for char in name)
    texts, _ = drawn(svg)
    assert texts.count(shown) == 2
