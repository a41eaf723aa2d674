"""The saved model: one file, versioned, without pickle, checked when it is opened."""

from outgroup.artifact.contents import FORMAT_VERSION, ModelContents, TrainingInfo
from outgroup.artifact.reading import load_model
from outgroup.artifact.writing import save_model

__all__ = ["FORMAT_VERSION", "ModelContents", "TrainingInfo", "load_model", "save_model"]
