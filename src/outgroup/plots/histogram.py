"""Histograms of other-scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.plots._svg import WIDTH, opening, text

ROW, TOP, LEFT, BOTTOM = 92, 64, 190, 46
BINS = 60
KNOWN_COLOUR, OTHER_COLOUR = "#2a6f97", "#c44536"


def score_histogram(
    scores: Mapping[str, ArrayLike], threshold: float, known: str, title: str
) -> str:
    """Draw a histogram of other-scores for each kind of image, and the threshold across all.

    Parameters
    ----------
    scores : mapping of str to array-like of shape (n,)
        Other-scores by kind, in the order of the rows; higher = more other. Those that are not
        finite, as of images that could not be read, are left out and not counted.
    threshold : float
        Left of it an image is known, right of it other.
    known : str
        Which kind is the known one; it is drawn in another colour.
    title : str
        Heading.

    Returns
    -------
    str
        An SVG document.

    Examples
    --------
    >>> svg = score_histogram({"cats": [0.1, 0.2], "lego": [0.9]}, 0.5, "cats", "Scores")
    >>> svg[:4], svg.count("<rect") > 3
    ('<svg', True)
    """
    values = {name: _finite(s) for name, s in scores.items()}
    everything = np.concatenate([*values.values(), [threshold]])
    # Few far-off scores would press all others together; they are counted in the end bins.
    low, high = np.quantile(everything, [0.005, 0.995])
    low, high = min(low, threshold), max(high, threshold)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    height = TOP + ROW * len(values) + BOTTOM

    def x_of(value: float) -> float:
        share = (value - edges[0]) / (edges[-1] - edges[0])
        return LEFT + float(np.clip(share, 0.0, 1.0)) * (WIDTH - LEFT - 20)

    lines = opening(height, title)
    for row, (name, one) in enumerate(values.items()):
        base = TOP + ROW * (row + 1) - 12
        colour = KNOWN_COLOUR if name == known else OTHER_COLOUR
        lines += _row(name, one, threshold, base, name == known)
        counts, _ = np.histogram(np.clip(one, edges[0], edges[-1]), edges)
        scale = (ROW - 26) / max(int(counts.max(initial=0)), 1)
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                tall = max(count * scale, 1.5)
                lines.append(
                    f'<rect x="{x_of(left):.1f}" y="{base - tall:.1f}" fill="{colour}" '
                    f'width="{x_of(right) - x_of(left) - 0.5:.1f}" height="{tall:.1f}"/>'
                )
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{base}" y2="{base}" stroke="#bbb"/>')
    x, bottom = x_of(threshold), height - BOTTOM
    lines += [
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 10}" y2="{bottom}" stroke="#222" '
        'stroke-dasharray="5 4"/>',
        f'<text x="{x:.1f}" y="{TOP - 16}" text-anchor="middle">threshold {threshold:.3g}</text>',
        f'<text x="{LEFT}" y="{height - 16}" fill="#555">known ←</text>',
        f'<text x="{WIDTH - 20}" y="{height - 16}" fill="#555" text-anchor="end">'
        "→ other (other-score)</text>",
        "</svg>",
    ]
    return "\n".join(lines)


def _row(
    name: str,
    scores: NDArray[np.float64],
    threshold: float,
    base: int,
    is_known: bool,
) -> list[str]:
    share = f"{100 * np.mean(scores > threshold):.1f} %" if len(scores) else "none"
    said = f"{share} {'called other' if is_known else 'caught'}"
    return [
        f'<text x="16" y="{base - 34}" font-weight="600">{text(name)}</text>',
        f'<text x="16" y="{base - 17}" fill="#555">{len(scores):,} images</text>',
        f'<text x="16" y="{base - 2}" fill="#555">{said}</text>',
    ]


def _finite(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    return values[np.isfinite(values)]
