from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from outgroup._text import printable
from outgroup.errors import InvalidParameterError, MissingExtraError
from outgroup.report.plots import (
    BINS,
    KNOWN_COLOUR,
    OTHER_COLOUR,
    PART_COLOURS,
    ShareRow,
    check_plot,
    plot_scores,
    plot_shares,
)

pytest.importorskip("matplotlib")

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
HOSTILE = [
    "</text><script>alert(1)</script>",
    "a & b",
    'quo"te',
    "Žirafa 🦒",
    "$x$",
    "\0\x0b\udce9\n",
]


class Drawn:
    """What an .svg file shows."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.parse(path).getroot()
        self.texts = [text.text or "" for text in self.root.iter(f"{SVG}text")]
        _, _, self.width, self.height = map(float, self.root.attrib["viewBox"].split())

    def bars(self, colour: str) -> list[tuple[float, float, float, float]]:
        """Left, right, top and bottom of each bar of this colour that has a height."""
        found = []
        for path in self.root.iter(f"{SVG}path"):
            if f"fill: {colour}" in path.get("style", "") and path.get("clip-path"):
                numbers = np.array([float(n) for n in path.attrib["d"].replace("z", "").split()
                                    if n not in "MLz"]).reshape(-1, 2)  # fmt: skip
                (left, top), (right, bottom) = numbers.min(axis=0), numbers.max(axis=0)
                if bottom > top:
                    found.append((left, right, top, bottom))
        return found

    def dots(self, *colours: str) -> list[tuple[float, float, str]]:
        """Place and colour of each dot of these colours, those of the legend included."""
        return [
            (float(dot.attrib["x"]), float(dot.attrib["y"]), colour)
            for dot in self.root.iter(f"{SVG}use")
            for colour in colours
            if f"fill: {colour}" in dot.get("style", "") and "x" in dot.attrib
        ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plot.svg"


class TestScores:
    def test_each_kind_is_drawn_with_its_counts(self, file: Path) -> None:
        rng = np.random.default_rng(0)
        scores = {"cats": rng.normal(0, 1, 1200), "lego": rng.normal(4, 1, 50), "faces": [9.0]}
        plot_scores(file, scores, 2.0, "cats", "What is other?")
        drawn = Drawn(file)
        for text in ("What is other?", "cats", "lego", "faces", "1,200 images", "50 images"):
            assert text in drawn.texts
        assert "threshold 2" in drawn.texts
        assert f"{100 * np.mean(scores['cats'] > 2.0):.1f} % rejected" in drawn.texts
        assert "100.0 % rejected" in drawn.texts
        assert drawn.bars(KNOWN_COLOUR)
        assert drawn.bars(OTHER_COLOUR)
        for left, right, top, bottom in drawn.bars(KNOWN_COLOUR) + drawn.bars(OTHER_COLOUR):
            assert 0 <= left < right <= drawn.width
            assert 0 <= top < bottom <= drawn.height

    def test_a_tie_with_the_threshold_is_known(self, file: Path) -> None:
        plot_scores(file, {"cats": [0.5, 0.6]}, 0.5, "cats", "")
        assert "50.0 % rejected" in Drawn(file).texts

    def test_an_extreme_score_does_not_compress_the_others(self, file: Path) -> None:
        scores = np.append(np.linspace(0, 1, 999), 1e9)
        plot_scores(file, {"cats": scores}, 0.5, "cats", "")
        assert len(Drawn(file).bars(KNOWN_COLOUR)) == BINS

    @pytest.mark.parametrize("scores", [[], [0.5], [0.5, 0.5], [-3.0], [np.nan, 0.2, np.inf]])
    def test_few_scores_are_drawn_too(self, file: Path, scores: list[float]) -> None:
        plot_scores(file, {"cats": [0.1, 0.9], "x": scores}, 0.5, "cats", "")
        finite, drawn = int(np.isfinite(scores).sum()), Drawn(file)
        assert f"{finite} images" in drawn.texts
        assert bool(drawn.bars(OTHER_COLOUR)) == bool(finite)
        assert sum("rejected" in text for text in drawn.texts) == 1 + bool(finite)

    @pytest.mark.parametrize("scores", [{}, {"cats": []}, {"cats": [0.5, 0.5]}])
    def test_scores_without_any_spread_are_drawn(
        self, file: Path, scores: dict[str, list[float]]
    ) -> None:
        plot_scores(file, scores, 0.5, "cats", "nothing")
        assert "nothing" in Drawn(file).texts

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_are_only_text(self, file: Path, name: str) -> None:
        plot_scores(file, {name: [0.1], "other": [0.9]}, 0.5, name, name)
        drawn = Drawn(file)
        assert drawn.texts.count(printable(name)) == 2
        assert not list(drawn.root.iter(f"{SVG}script"))


class TestShares:
    def test_larger_shares_are_farther_to_the_right(self, file: Path) -> None:
        rows = {"a": ShareRow(0.0), "b": ShareRow(0.04, 0.01), "c": ShareRow(0.5, 0.1)}
        rows["d <&>"] = ShareRow(1.0)
        plot_shares(file, rows, "b", "Accepted")
        drawn = Drawn(file)
        for text in ("Accepted", "a", "d <&>", "0.0 %", "4.0 %", "50.0 %", "100.0 %"):
            assert text in drawn.texts
        dots = drawn.dots(KNOWN_COLOUR, "#555555")
        assert [x for x, _, _ in dots] == sorted({x for x, _, _ in dots})
        assert [y for _, y, _ in dots] == sorted(y for _, y, _ in dots)
        assert [colour == KNOWN_COLOUR for _, _, colour in dots] == [False, True, False, False]
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y, _ in dots)

    def test_parts_of_a_mean_have_one_colour_in_all_rows_and_are_explained(
        self, file: Path
    ) -> None:
        rows = {
            "a": ShareRow(0.2, 0, {"near": 0.1, "far": 0.3}),
            "b": ShareRow(0.1, 0, {"near": 0.1, "far": 0.1}),
            "c": ShareRow(0.1, 0, {"far": 0.1}),
        }
        plot_shares(file, rows, None, "")
        drawn = Drawn(file)
        assert {"near", "far"} <= {*drawn.texts}
        colours = [colour for _, _, colour in drawn.dots(*PART_COLOURS)]
        assert [colours.count(colour) for colour in PART_COLOURS[:2]] == [3, 4]  # one in the legend

    @pytest.mark.parametrize("rows", [{}, {"a": ShareRow(0.0)}, {"a": ShareRow(0.99, 0.3)}])
    def test_any_rows_are_drawn(self, file: Path, rows: dict[str, ShareRow]) -> None:
        plot_shares(file, rows, "none of them", "title")
        assert len(Drawn(file).dots("#555555")) == len(rows)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_are_only_text(self, file: Path, name: str) -> None:
        plot_shares(file, {name: ShareRow(0.1)}, name, name)
        assert Drawn(file).texts.count(printable(name)) == 2


@pytest.mark.parametrize(
    ("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("PDF", b"%PDF")]
)
def test_the_ending_decides_the_kind_of_file(tmp_path: Path, ending: str, start: bytes) -> None:
    first, second = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}"
    for path in (first, second):
        check_plot(path)
        plot_scores(path, {"cats": [0.1, 0.9]}, 0.5, "cats", "Žirafa 🦒")
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == second.read_bytes()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"`plot`: must be a file that ends in \.pdf"):
        check_plot(tmp_path / "plot.gif")


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"outgroup\[plot\]"):
        check_plot(tmp_path / "plot.svg")
