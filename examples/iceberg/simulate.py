"""Radar chips of icebergs and ships, in the format of Kaggle's Statoil/C-CORE ``train.json``.

The competition's data can't be passed on; these stand in for them. What is modelled:

* **Sea.** Backscatter by wind and incidence angle: CMOD5.N for VV [1], turned into HH by
  Thompson's polarisation ratio [2]; HV by Vachon and Wolfe [3], who find it linear in wind and the
  same at all angles; and a noise floor, which is what HV mostly shows.
* **Speckle.** The mean of four looks of correlated complex noise (gamma), times a gamma texture
  with correlation in swell direction: K-distributed intensity [4].
* **Icebergs.** Irregular blobs, with volume scattering: cross-polarised returns only some 7 dB
  below co-polarised ones, and returns that fall with the angle. Some have bright points.
* **Ships.** Slim hulls with a few bright points, cross-polarised returns some 9 dB below
  co-polarised ones, the same at all angles.
* **Scenes.** Chips of one scene share wind, sea and incidence angle, and often the label, as ships
  and icebergs are in different waters. So the angle tells the scene, and by it the label, until
  scenes are kept together. In one scene of twelve the angle is "na".

The distributions of the two kinds overlap in every single measure; their centres and widths are
set by hand, from what the literature on dual-polarised C-band detection describes, not fitted to
the real chips. Figures from these data say how methods compare, not how good they are at sea.

[1] H. Hersbach, CMOD5.N: A C-band geophysical model function for equivalent neutral wind, ECMWF
    Technical Memorandum 554, 2008.
[2] D. Thompson, T. Elfouhaily and B. Chapron, Polarization ratio for microwave backscattering from
    the ocean surface at low to moderate incidence angles, IGARSS 1998 (alpha = 0.6).
[3] P. Vachon and J. Wolfe, C-band cross-polarization wind speed retrieval, IEEE Geoscience and
    Remote Sensing Letters 8 (2011), 456-459.
[4] C. Oliver and S. Quegan, Understanding Synthetic Aperture Radar Images, 2004, chapter 5.

    python simulate.py --rows 1600 --seed 0 --out train.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[np.float64]

SIDE = 75
LOOKS = 4
#: Kinds of chips that are neither.
UNKNOWN = ("clutter", "land edge", "saturated")

C = np.array(
    [
        *(-0.6878, -0.7957, 0.3380, -0.1728, 0.0000, 0.0040, 0.1103, 0.0159, 6.7329, 2.7713),
        *(-2.2885, 0.4971, -0.7250, 0.0450, 0.0066, 0.3222, 0.0120, 22.7000, 2.0813, 3.0000),
        *(8.3659, -3.3428, 1.3236, 6.2437, 2.3893, 0.3249, 4.1590, 1.6930),
    ]
)


def cmod5n(wind: float, direction: float, angle: float) -> float:
    """Return the VV backscatter of the sea, linear, by CMOD5.N [1].

    Parameters
    ----------
    wind : float
        Equivalent neutral wind at 10 m, in m/s.
    direction : float
        Angle between wind and look direction, in degrees.
    angle : float
        Incidence angle in degrees.
    """
    c = np.concatenate([[0.0], C])  # the paper counts from 1
    x = (angle - 40.0) / 25.0
    a0 = c[1] + c[2] * x + c[3] * x**2 + c[4] * x**3
    a1, a2 = c[5] + c[6] * x, c[7] + c[8] * x
    gamma = c[9] + c[10] * x + c[11] * x**2
    s0, s = c[12] + c[13] * x, a2 * wind
    a3 = 1.0 / (1.0 + np.exp(-max(s, s0)))
    if s < s0:
        a3 *= (s / s0) ** (s0 * (1.0 - a3))
    b0 = a3**gamma * 10.0 ** (a0 + a1 * wind)
    b1 = c[15] * wind * (0.5 + x - np.tanh(4.0 * (x + c[16] + c[17] * wind)))
    b1 = (c[14] * (1.0 + x) - b1) / (np.exp(0.34 * (wind - c[18])) + 1.0)
    y0, pn = c[19], c[20]
    a = y0 - (y0 - 1.0) / pn
    b = 1.0 / (pn * (y0 - 1.0) ** (pn - 1.0))
    v0 = c[21] + c[22] * x + c[23] * x**2
    d1, d2 = c[24] + c[25] * x + c[26] * x**2, c[27] + c[28] * x
    v2 = wind / v0 + 1.0
    if v2 < y0:
        v2 = a + b * (v2 - 1.0) ** pn
    b2 = (-d1 + d2 * v2) * np.exp(-v2)
    turn = np.deg2rad(direction)
    return float(b0 * (1.0 + b1 * np.cos(turn) + b2 * np.cos(2.0 * turn)) ** 1.6)


def sea(wind: float, direction: float, angle: float) -> tuple[float, float]:
    """Return the mean HH and HV backscatter of the sea in dB, without noise [1, 2, 3]."""
    tangent = np.tan(np.deg2rad(angle)) ** 2
    ratio = ((1.0 + 0.6 * tangent) / (1.0 + 2.0 * tangent)) ** 2
    return 10.0 * np.log10(cmod5n(wind, direction, angle) * ratio), 0.592 * wind - 35.6


def simulate(n: int, seed: int = 0, per_scene: float = 5.0) -> dict[str, Any]:
    """Return chips of icebergs and ships as columns.

    Parameters
    ----------
    n : int
        How many.
    seed : int, default=0
        Of everything; other seeds have other scenes.
    per_scene : float, default=5.0
        Chips in a scene, on average.

    Returns
    -------
    dict
        "id", "band_1" and "band_2" ((n, 75, 75) float32, HH and HV in dB), "inc_angle" (numbers and
        "na"), "is_iceberg" (0 or 1), and "scene", which the real data do not have.
    """
    draws = np.random.default_rng([1, seed])
    rows: list[tuple[Any, ...]] = []
    scene = 0
    while len(rows) < n:
        around = _scene(draws)
        share = draws.beta(0.7, 0.7)  # of icebergs
        angle: Any = "na" if draws.random() < 1 / 12 else round(around["angle"], 4)
        for _ in range(min(1 + draws.poisson(per_scene - 1), n - len(rows))):
            iceberg = int(draws.random() < share)
            power = _iceberg(draws, around) if iceberg else _ship(draws, around)
            rows.append((*_chip(draws, around, power), angle, iceberg, scene))
        scene += 1
    return _columns(rows, seed, "sim")


def simulate_unknown(kind: str, n: int, seed: int = 0) -> dict[str, Any]:
    """Return chips that are neither: "clutter", "land edge" or "saturated", a scene each."""
    draws = np.random.default_rng([2 + UNKNOWN.index(kind), seed])
    rows = []
    for scene in range(n):
        around = _scene(draws)
        nothing = np.zeros((2, SIDE, SIDE))
        if kind == "land edge":
            bands = _chip(draws, around, *_land(draws))
        elif kind == "saturated":
            kinds = (_iceberg, _ship)
            bands = _chip(draws, around, kinds[draws.integers(2)](draws, around))
            ceiling = draws.uniform(-5.0, 5.0)  # of the receiver; a strong source is in the beam
            bands = tuple(np.minimum(band + draws.uniform(20.0, 35.0), ceiling) for band in bands)
        else:
            bands = _chip(draws, around, nothing)
        rows.append((*bands, round(around["angle"], 4), 0, scene))
    return _columns(rows, seed, kind.replace(" ", "-"))


def to_records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of ``train.json``: bands are flat lists."""
    found = []
    for i, name in enumerate(columns["id"]):
        bands = {
            band: [round(float(value), 6) for value in columns[band][i].ravel()]
            for band in ("band_1", "band_2")
        }
        rest = {key: columns[key][i] for key in ("inc_angle", "is_iceberg")}
        found.append({"id": name, **bands, **rest})
    return found


def _scene(draws: np.random.Generator) -> dict[str, float]:
    return {
        "angle": float(draws.uniform(30.0, 46.0)),
        "wind": float(np.clip(7.0 * draws.weibull(2.2), 2.0, 16.0)),
        "direction": float(draws.uniform(0.0, 360.0)),
        "order": int(draws.integers(4, 17)),  # of the gamma texture
        "swell": float(draws.uniform(1.5, 4.0)),
        "swell_direction": int(draws.integers(2)),
        "noise": float(draws.normal(-28.0, 1.0)),  # dB
    }


def _chip(
    draws: np.random.Generator,
    around: dict[str, float],
    target: Array,
    cover: Array | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both bands in dB: sea, or what covers it, and a target, speckled, above the noise."""
    texture = _texture(draws, around)
    bands = []
    for band, mean in enumerate(sea(around["wind"], around["direction"], around["angle"])):
        power = 10.0 ** (mean / 10.0) * texture
        if cover is not None:
            power = np.where(cover[band] > 0, cover[band], power)
        power = power + target[band] + 10.0 ** (around["noise"] / 10.0)
        intensity = power * _speckle(draws)
        bands.append((10.0 * np.log10(intensity)).astype(np.float32))
    return bands[0], bands[1]


def _speckle(draws: np.random.Generator) -> Array:
    total = np.zeros((SIDE, SIDE))
    for _ in range(LOOKS):
        parts = [gaussian_filter(draws.normal(size=(SIDE, SIDE)), 0.6) for _ in range(2)]
        total += parts[0] ** 2 + parts[1] ** 2
    result: Array = total / total.mean()
    return result


def _texture(draws: np.random.Generator, around: dict[str, float]) -> Array:
    along = (around["swell"], 3 * around["swell"])
    widths = along if around["swell_direction"] else along[::-1]
    total = np.zeros((SIDE, SIDE))
    for _ in range(2 * int(around["order"])):
        field = gaussian_filter(draws.normal(size=(SIDE, SIDE)), widths, mode="wrap")
        total += (field / field.std()) ** 2
    return total / (2 * int(around["order"]))


def _place(draws: np.random.Generator) -> tuple[Array, Array]:
    """Return coordinates along and across a target somewhere near the middle, turned at random."""
    middle = (SIDE - 1) / 2 + draws.normal(0.0, 2.5, size=2)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    turn = draws.uniform(0.0, np.pi)
    dx, dy = x - middle[0], y - middle[1]
    return dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)


def _point(along: Array, across: Array, at: float) -> Array:
    """Return the response to a point: a main lobe, and side lobes along both axes."""
    main = np.exp(-((along - at) ** 2 + across**2) / (2 * 0.9**2))
    lobes = np.exp(-np.abs(along - at) / 4.0 - across**2) + np.exp(
        -np.abs(across) / 4.0 - (along - at) ** 2
    )
    result: Array = main + 0.01 * lobes
    return result


def _iceberg(draws: np.random.Generator, around: dict[str, float]) -> Array:
    along, across = _place(draws)
    length = float(np.clip(8.0 * np.exp(draws.normal(0.0, 0.45)), 3.0, 28.0))
    slim = draws.uniform(0.35, 1.0)
    bearing = np.arctan2(across / slim, along)
    edge = 1.0 + sum(
        draws.normal(0.0, 0.22 / k) * np.cos(k * bearing + draws.uniform(0, 2 * np.pi))
        for k in (2, 3, 4, 5)
    )
    radius = np.hypot(along, across / slim) / (length / 2)
    body = 1.0 / (1.0 + np.exp((radius - edge) * length * 0.8))
    patches = np.exp(gaussian_filter(draws.normal(size=(SIDE, SIDE)), 1.3) * 3.5)
    past = around["angle"] - 38.0
    level = draws.normal(-7.5, 3.5) - 0.25 * past
    ratio = draws.normal(7.0, 2.0) - 0.1 * past
    hh = body * patches / 1.5 * 10.0 ** (level / 10.0)
    hv = hh * 10.0 ** (-ratio / 10.0)
    for _ in range(draws.poisson(0.7)):  # facets that look at the radar
        bright = 10.0 ** (draws.normal(level + 5.0, 3.0) / 10.0)
        lobe = _point(along, across, draws.uniform(-0.4, 0.4) * length)
        hh, hv = hh + bright * lobe, hv + bright * 10.0 ** (-draws.normal(9.0, 2.0) / 10.0) * lobe
    return np.stack([hh, hv])


def _ship(draws: np.random.Generator, around: dict[str, float]) -> Array:
    along, across = _place(draws)
    length = float(np.clip(9.0 * np.exp(draws.normal(0.0, 0.45)), 3.0, 30.0))
    width = max(length / draws.uniform(3.0, 7.0), 1.6)
    radius = np.maximum(np.abs(along) / (length / 2), np.abs(across) / (width / 2))
    hull = 1.0 / (1.0 + np.exp((radius - 1.0) * width * 1.5))
    level = draws.normal(-8.5, 3.5)
    ratio = draws.normal(9.0, 2.2)
    hh = hull * 10.0 ** (level / 10.0)
    hv = hh * 10.0 ** (-ratio / 10.0)
    for _ in range(draws.poisson(2.0)):  # bridge, masts, cranes
        bright = 10.0 ** (draws.normal(level + 5.0, 3.5) / 10.0)
        lobe = _point(along, across, draws.uniform(-0.5, 0.5) * length)
        hh, hv = hh + bright * lobe, hv + bright * 10.0 ** (-draws.normal(9.0, 3.0) / 10.0) * lobe
    return np.stack([hh, hv])


def _land(draws: np.random.Generator) -> tuple[Array, Array]:
    """Return no target, and land on one side of a coast."""
    turn, offset = draws.uniform(0, 2 * np.pi), draws.uniform(-20.0, 20.0)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2
    coast = gaussian_filter(draws.normal(size=(SIDE, SIDE)), 6.0) * 60.0
    land = x * np.cos(turn) + y * np.sin(turn) + coast > offset
    hills = np.exp(gaussian_filter(draws.normal(size=(SIDE, SIDE)), 2.5) * 5.0)
    hh = 10.0 ** (draws.normal(-10.0, 2.5) / 10.0) * hills
    hv = hh * 10.0 ** (-draws.normal(7.0, 1.5) / 10.0)
    return np.zeros((2, SIDE, SIDE)), np.stack([hh, hv]) * land


def _columns(rows: list[tuple[Any, ...]], seed: int, prefix: str) -> dict[str, Any]:
    hh, hv, angles, labels, scenes = zip(*rows, strict=True)
    return {
        "id": [f"{prefix}-{seed}-{i:05d}" for i in range(len(rows))],
        "band_1": np.stack(hh),
        "band_2": np.stack(hv),
        "inc_angle": list(angles),
        "is_iceberg": list(labels),
        "scene": [f"{prefix}-{seed}-{scene}" for scene in scenes],
    }


def main() -> None:
    """Write a file like ``train.json``."""
    parser = argparse.ArgumentParser(description="Simulated chips of icebergs and ships.")
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=("known", *UNKNOWN), default="known")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.kind == "known":
        columns = simulate(given.rows, given.seed)
    else:
        columns = simulate_unknown(given.kind, given.rows, given.seed)
    given.out.write_text(json.dumps(to_records(columns)))


if __name__ == "__main__":
    main()
