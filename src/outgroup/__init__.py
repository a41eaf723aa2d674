"""Image classifiers that know when an image is none of their classes."""

__version__ = "0.1.0"
