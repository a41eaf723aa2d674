"""``pool.json``: what a pool is made with, fixed when it is created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outgroup.backbones import Backbone
from outgroup.embeddings import namespace
from outgroup.errors import PoolError
from outgroup.pool.checksums import Space
from outgroup.pool.files import SETTINGS, write_durably
from outgroup.pool.stored_images import StoredForm

FORMAT = 1
_KIND = "outgroup pool"


@dataclass(frozen=True)
class Settings:
    """What decides the bytes of a pool beside its images.

    Parameters
    ----------
    backbone : str
        The spec of the network.
    namespace : str
        What stands for all that decides an embedding: weights, preprocessing, layers.
    layers : mapping of str to int
        The dimension of each layer that is kept.
    images : StoredForm
        How images are kept.
    """

    backbone: str
    namespace: str
    layers: Mapping[str, int]
    images: StoredForm

    @classmethod
    def for_backbone(cls, backbone: Backbone) -> Settings:
        """Return the settings of a new pool."""
        form = StoredForm.for_network(backbone.preprocessing)
        return cls(backbone.name, namespace(backbone), dict(backbone.layers), form)

    @property
    def space(self) -> Space:
        """Which embeddings are written with the images."""
        return Space(self.backbone, self.namespace, self.layers)

    def write(self, folder: Path) -> None:
        """Write them; a pool that has them is complete."""
        data = {
            "kind": _KIND,
            "format": FORMAT,
            "backbone": self.backbone,
            "namespace": self.namespace,
            "layers": dict(self.layers),
            "images": self.images.to_dict(),
        }
        write_durably(folder / SETTINGS, json.dumps(data, indent=2).encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Read the settings of a pool.

        Raises
        ------
        PoolError
            If there is no pool, or one that this version can't read.
        """
        path = folder / SETTINGS
        try:
            data = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise PoolError(
                f"{folder}: there is no pool. Make one with: outgroup pool build {folder} FOLDER"
            ) from None
        except OSError as error:
            raise PoolError(f"{path}: can't be read ({error.strerror}).") from error
        except ValueError as error:
            raise PoolError(f"{path}: not the settings of a pool ({error}).") from error
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise PoolError(f"{path}: not the settings of a pool.")
        if not isinstance(data.get("format"), int) or data["format"] > FORMAT:
            raise PoolError(
                f"{path}: a pool of format {data.get('format')}, and this version of outgroup "
                f"reads up to {FORMAT}. Update outgroup."
            )
        try:
            layers = {str(name): int(dim) for name, dim in data["layers"].items()}
            images = StoredForm.from_dict(data["images"])
            return cls(str(data["backbone"]), str(data["namespace"]), layers, images)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise PoolError(f"{path}: not the settings of a pool ({error!r}).") from error
