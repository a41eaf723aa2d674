"""``onnx:PATH``: an ONNX image network in a file of one's own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from outgroup.backbones._hf_preprocessing import OUTPUT_KEY, preprocessing_from_config, read_config
from outgroup.backbones._onnx_adapter import ADAPTER_VERSION, adapt
from outgroup.backbones._onnx_weights import read_onnx
from outgroup.backbones.base import BACKBONES, BackboneFamily
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing

CONFIG = "preprocessor_config.json"


@BACKBONES.register("onnx")
class OnnxFile(BackboneFamily):
    """An ONNX image network in a file, with a ``preprocessor_config.json`` beside it."""

    spec = "onnx:PATH"
    summary = f"your own network: one float image input; {CONFIG} beside it"
    licence = "the network's own"
    source = "a file of yours"

    @classmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> OnnxBackbone:
        """Return the backbone in the file `argument`."""
        if not argument:
            raise InvalidParameterError(
                "The 'backbone' parameter must be 'onnx:PATH' with the path of an ONNX file. "
                "Got 'onnx:' instead."
            )
        path = Path(argument)
        return load_onnx(
            path,
            path.parent / CONFIG,
            name=f"onnx:{argument}",
            licence=cls.licence,
            source=cls.source,
            preprocessing=preprocessing,
            output=output,
        )


def load_onnx(
    path: Path,
    config_path: Path,
    *,
    name: str,
    licence: str,
    source: str,
    preprocessing: Preprocessing | None,
    output: str | None,
) -> OnnxBackbone:
    """Return the backbone in an ONNX file.

    Parameters
    ----------
    path, config_path : Path
        The network, and the Hugging Face preprocessing configuration that it may have.
    name, licence, source : str
        See `Backbone`.
    preprocessing : Preprocessing or None
        How images are resized and normalised; None reads it from `config_path`.
    output : str or None
        The output that is the embedding; None asks the configuration, then the usual names.

    Returns
    -------
    OnnxBackbone

    Raises
    ------
    BackboneError
        If the network can't be used, or nothing says how its images are to be prepared.
    """
    model, file_digest = read_onnx(path)
    config = read_config(config_path) if config_path.exists() else {}
    if preprocessing is None:
        if not config:
            raise BackboneError(
                f"Nothing says how images are prepared for {path}. Put the model's {CONFIG} at "
                f"{config_path}, or pass preprocessing=Preprocessing(...)."
            )
        preprocessing = preprocessing_from_config(config)
    output = output or config.get(OUTPUT_KEY)
    graph = adapt(model, preprocessing, output)
    # The serialised graph is not what is hashed: another version of onnx may write other bytes.
    parts = [ADAPTER_VERSION, file_digest, output, preprocessing.mean, preprocessing.std]
    return OnnxBackbone(
        lambda: graph,
        name=name,
        digest=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        preprocessing=preprocessing,
        licence=licence,
        source=source,
    )
