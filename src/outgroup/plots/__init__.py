"""Pictures as SVG text: nothing to install, and every browser shows them."""

from outgroup.plots.histogram import score_histogram
from outgroup.plots.shares import share_plot

__all__ = ["score_histogram", "share_plot"]
