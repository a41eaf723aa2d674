"""Model files: one file, versioned, without pickle, checked when it is opened."""

from outgroup.artifact.codec import TrainingInfo
from outgroup.artifact.file import FORMAT_VERSION, ModelContents, load_model, save_model

__all__ = [
    "FORMAT_VERSION",
    "ModelContents",
    "TrainingInfo",
    "load_model",
    "save_model",
]
