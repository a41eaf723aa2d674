"""What a classifier learns of an image: one class, any number of labels, a class in each column."""

from outgroup.classifier.tasks.base import Learned, Means, Task, Way
from outgroup.classifier.tasks.choosing import checked_tuner, choose_task
from outgroup.classifier.tasks.one_class import OneClass

__all__ = ["Learned", "Means", "OneClass", "Task", "Way", "checked_tuner", "choose_task"]
