"""``hf:OWNER/NAME``: an ONNX model on the Hugging Face hub, or a folder laid out like one."""

from __future__ import annotations

import re
from pathlib import Path

from outgroup.backbones.base import BACKBONES, BackboneFamily
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.backbones.onnx_file import CONFIG, load_onnx
from outgroup.errors import BackboneError, InvalidParameterError, MissingExtraError
from outgroup.images import Preprocessing

_MODEL = "onnx/model.onnx"
_FILES = [_MODEL, f"{_MODEL}_data*", f"{_MODEL}.data", CONFIG]
_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@BACKBONES.register("hf")
class HuggingFaceModel(BackboneFamily):
    """An ONNX model on the Hugging Face hub: ``onnx/model.onnx`` and its preprocessing.

    An argument that begins with ``.``, ``/`` or ``~`` is a local folder of the same layout.
    """

    spec = "hf:OWNER/NAME"
    summary = f"a model on the Hugging Face hub that has {_MODEL}; @REVISION pins it"
    licence = "the model's own, see its page"
    source = "https://huggingface.co/OWNER/NAME"

    @classmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> OnnxBackbone:
        """Return the model of the repository or in the folder that `argument` names."""
        if argument.startswith((".", "/", "~")) or Path(argument).is_absolute():
            folder, source = Path(argument).expanduser(), argument
        else:
            folder, source = _download(argument)
        if not (folder / _MODEL).is_file():
            raise BackboneError(
                f"{argument} has no {_MODEL}. Export it with 'optimum-cli export onnx', and name "
                f"the file with onnx:PATH."
            )
        return load_onnx(
            folder / _MODEL,
            folder / CONFIG,
            name=f"hf:{argument}",
            licence=cls.licence,
            source=source,
            preprocessing=preprocessing,
            output=output,
        )


def _download(argument: str) -> tuple[Path, str]:
    """Return the local folder of a repository, and its page."""
    match = _REPOSITORY.fullmatch(argument)
    if match is None:
        raise InvalidParameterError(
            f"The 'backbone' parameter must be 'hf:OWNER/NAME', 'hf:OWNER/NAME@REVISION' or "
            f"'hf:./FOLDER'. Got 'hf:{argument}' instead."
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("A backbone from the Hugging Face hub", "hub") from error
    try:
        folder = huggingface_hub.snapshot_download(
            match["repository"], revision=match["revision"], allow_patterns=_FILES
        )
    except Exception as error:  # the hub's client lets errors of its HTTP library through
        raise BackboneError(
            f"{argument} can't be downloaded from the Hugging Face hub: {error} Check the name and "
            f"the network, or copy the model here and name its folder: hf:./FOLDER"
        ) from error
    return Path(folder), f"https://huggingface.co/{match['repository']}"
