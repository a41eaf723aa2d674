"""The saved model: one file, versioned, without pickle, checked when it is opened."""

from outgroup.artifact.contents import ModelContents, TrainingInfo
from outgroup.artifact.kinds import FORMAT_VERSION, Model, kind_of
from outgroup.artifact.reading import load_model
from outgroup.artifact.writing import save_model

__all__ = [
    "FORMAT_VERSION",
    "Model",
    "ModelContents",
    "TrainingInfo",
    "kind_of",
    "load_model",
    "save_model",
]
