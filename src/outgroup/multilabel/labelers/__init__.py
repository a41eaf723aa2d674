"""Labelers: ways to say which of several labels an image has.

To add one, write a module here with one class that derives from `Labeler` and registers itself.
"""

from outgroup.multilabel.labelers.base import LABELERS, Labeler, LabelScores
from outgroup.multilabel.labelers.choosing import choose_labeler

__all__ = ["LABELERS", "LabelScores", "Labeler", "choose_labeler"]
