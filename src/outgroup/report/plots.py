"""Plot histograms of other-scores, and shares of unknown images accepted."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup._files import write_whole
from outgroup._text import printable
from outgroup.errors import InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".pdf", ".png", ".svg")
BINS = 60
KNOWN_COLOUR, OTHER_COLOUR, MEAN_COLOUR = "#2a6f97", "#c44536", "#555555"

#: Text of an .svg file stays text, and the same plot gives the same file.
SVG_SETTINGS: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "outgroup"}
PART_COLOURS = ("#c44536", "#e09f3e", "#6a994e", "#8e7dbe")

#: Ticks of an axis of shares.
TICKS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class ShareRow:
    """A share in a plot, its standard error, and the named shares that it is the mean of."""

    value: float
    error: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)


def check_plot(path: Path) -> None:
    """Raise an error if a plot can't be written: by its file ending, or without matplotlib."""
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidParameterError(
            f"Invalid `plot`: must be a file that ends in {', '.join(SUFFIXES)}, got {path}."
        )
    _figure(1.0)


def plot_scores(
    path: Path, scores: Mapping[str, ArrayLike], threshold: float, known: str, title: str
) -> None:
    """Plot a histogram of other-scores for each kind of image, and the threshold.

    Infinite scores and NaN are left out; `known` is the kind that has another colour.
    """
    values = {name: _finite(one) for name, one in scores.items()}
    everything = np.concatenate([*values.values(), [threshold]])
    # A few extreme scores would compress all others, so the outermost bins count them.
    low, high = np.quantile(everything, [0.005, 0.995])
    low, high = min(low, threshold), max(high, threshold)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    figure = _figure(0.9 + 0.85 * max(len(values), 1))
    axes = figure.subplots(max(len(values), 1), sharex=True, squeeze=False)[:, 0]
    for row, (name, one) in zip(axes, values.items(), strict=False):
        is_known = name == known
        colour = KNOWN_COLOUR if is_known else OTHER_COLOUR
        row.hist(np.clip(one, edges[0], edges[-1]), edges, color=colour)
        row.axvline(threshold, color="black", linestyle="--", linewidth=1)
        row.set_yticks([])
        row.spines[["left", "right", "top"]].set_visible(False)
        text = f"{printable(name)}\n{len(one):,} images"
        if len(one):
            text += f"\n{100 * np.mean(one > threshold):.1f} % rejected"
        _text(row, -0.02, 0.5, text, transform=row.transAxes, ha="right", va="center")
    top = {"transform": axes[0].get_xaxis_transform(), "ha": "center", "va": "bottom"}
    _text(axes[0], threshold, 1.0, f"threshold {threshold:.3g}", **top)
    axes[-1].set_xlabel("other-score: known to the left of the threshold, other to the right")
    _save(figure, path, title)


def plot_shares(path: Path, rows: Mapping[str, ShareRow], chosen: str | None, title: str) -> None:
    """Plot shares, one a row and the chosen one emphasised; small shares have more room."""
    figure = _figure(1.2 + 0.3 * max(len(rows), 1))
    axis: Axes = figure.subplots()
    names = list(dict.fromkeys(name for row in rows.values() for name in row.parts))
    for i, name in enumerate(names):
        shown = [(row.parts[name], y) for y, row in enumerate(rows.values()) if name in row.parts]
        colour = PART_COLOURS[i % len(PART_COLOURS)]
        x, y = zip(*shown, strict=True)
        axis.scatter(x, y, s=22, color=colour, alpha=0.75, label=name, clip_on=False)
    top = 0.05
    for at, (name, row) in enumerate(rows.items()):
        colour = KNOWN_COLOUR if name == chosen else MEAN_COLOUR
        weight = "bold" if name == chosen else "normal"
        low, high = max(row.value - 2 * row.error, 0.0), row.value + 2 * row.error
        axis.plot([low, high], [at, at], color=colour, linewidth=2)
        axis.scatter([row.value], [at], s=50, color=colour, zorder=3, clip_on=False)
        side = {"transform": axis.get_yaxis_transform(), "va": "center", "weight": weight}
        _text(axis, -0.02, at, printable(name), ha="right", **side)
        _text(axis, 1.03, at, f"{100 * row.value:.1f} %", ha="left", **side)
        top = max(top, high, *row.parts.values())
    axis.set_xscale("function", functions=(_root, np.square))
    axis.set_xlim(0.0, min(top, 1.0) * 1.02)
    ticks = [tick for tick in TICKS if tick <= top]
    axis.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    axis.tick_params(axis="x", labelsize=9)
    axis.set_yticks([])
    axis.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axis.spines[["left", "right", "top"]].set_visible(False)
    axis.grid(axis="x", color="#e3e3e3")
    if names:
        axis.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(names), frameon=False)
    _save(figure, path, title)


def _figure(height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Drawing a plot", "plot") from error
    return Figure(figsize=(8.0, height), layout="constrained")


def _text(axis: Axes, x: float, y: float, text: str, **options: Any) -> None:
    axis.text(x, y, text, parse_math=False, **options)


def _save(figure: Figure, path: Path, title: str) -> None:
    from matplotlib import rc_context

    figure.suptitle(printable(title), x=0.02, ha="left", weight="bold", parse_math=False)
    buffer, kind = io.BytesIO(), path.suffix.lower().removeprefix(".")
    dates: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with warnings.catch_warnings(), rc_context(SVG_SETTINGS):
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font does not have
        figure.savefig(buffer, format=kind, metadata=dates.get(kind))
    write_whole(path, buffer.getvalue())


def _finite(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    return values[np.isfinite(values)]


def _root(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(shares, 0.0))
