"""Shares in a row each: a dot with its uncertainty, and what it is the mean of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from outgroup.plots._svg import WIDTH, opening, text

ROW, TOP, LEFT, RIGHT, BOTTOM = 30, 84, 230, 70, 44
MEAN_COLOUR, CHOSEN_COLOUR = "#555", "#2a6f97"
PART_COLOURS = ("#c44536", "#e09f3e", "#6a994e", "#8e7dbe")

#: Lines of the grid, as shares.
GRID = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Share:
    """One row.

    Parameters
    ----------
    value : float
        The share, from 0 to 1.
    error : float
        Its standard error; the line is as long as two of them on either side.
    parts : dict of str to float
        Shares that it is the mean of, by name.
    """

    value: float
    error: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)


def share_plot(rows: Mapping[str, Share], chosen: str | None, title: str) -> str:
    """Draw shares below each other, on an axis that gives small ones more room.

    Parameters
    ----------
    rows : mapping of str to Share
        In the order from top to bottom.
    chosen : str or None
        The row that stands out.
    title : str
        Heading.

    Returns
    -------
    str
        An SVG document.

    Examples
    --------
    >>> svg = share_plot({"softmax": Share(0.3), "blend": Share(0.02, 0.01)}, "blend", "Accepted")
    >>> svg[:4], svg.count("<circle")
    ('<svg', 2)
    """
    top = max([0.05, *(s.value + 2 * s.error for s in rows.values())])
    top = min(1.0, max([top, *(p for s in rows.values() for p in s.parts.values())]))
    height = TOP + ROW * len(rows) + BOTTOM
    bottom = height - BOTTOM

    def x_of(share: float) -> float:
        room = WIDTH - LEFT - RIGHT
        return LEFT + math.sqrt(min(max(share, 0.0), top) / top) * room

    lines = opening(height, title)
    names = list(dict.fromkeys(name for s in rows.values() for name in s.parts))
    colours = {name: PART_COLOURS[i % len(PART_COLOURS)] for i, name in enumerate(names)}
    x = LEFT
    for name in names:
        lines.append(f'<circle cx="{x}" cy="51" r="4" fill="{colours[name]}"/>')
        lines.append(f'<text x="{x + 10}" y="55" fill="#555">{text(name)}</text>')
        x += 26 + 7 * len(name)
    for share in GRID:
        if share <= top:
            lines.append(
                f'<line x1="{x_of(share):.1f}" x2="{x_of(share):.1f}" y1="{TOP - 8}" '
                f'y2="{bottom}" stroke="#e3e3e3"/>'
                f'<text x="{x_of(share):.1f}" y="{bottom + 20}" fill="#555" '
                f'text-anchor="middle">{share * 100:.0f} %</text>'
            )
    for i, (name, row) in enumerate(rows.items()):
        y = TOP + ROW * i + ROW / 2 - 6
        colour = CHOSEN_COLOUR if name == chosen else MEAN_COLOUR
        weight = ' font-weight="600"' if name == chosen else ""
        low, high = x_of(row.value - 2 * row.error), x_of(row.value + 2 * row.error)
        lines += [
            f'<text x="16" y="{y + 5}"{weight}>{text(name)}</text>',
            *(
                f'<circle cx="{x_of(part):.1f}" cy="{y}" r="4" fill="{colours[of]}" '
                'fill-opacity="0.75"/>'
                for of, part in row.parts.items()
            ),
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
            'stroke-width="2"/>',
            f'<circle cx="{x_of(row.value):.1f}" cy="{y}" r="6" fill="{colour}"/>',
            f'<text x="{WIDTH - 14}" y="{y + 5}" text-anchor="end"{weight}>'
            f"{row.value * 100:.1f} %</text>",
        ]
    return "\n".join([*lines, "</svg>"])
