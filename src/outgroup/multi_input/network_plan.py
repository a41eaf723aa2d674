"""The shape of a network as data, from which the torch module and the ONNX graph are built."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from outgroup._component import OTHER, UNSEEN
from outgroup._numeric import require
from outgroup.errors import InvalidParameterError
from outgroup.label_schema import LabelSchema
from outgroup.multi_input.inputs import Inputs, require_one_of


@dataclass(frozen=True)
class OutputLayer:
    """What the outputs of a network mean."""

    kind: str  #: "binary" (one sigmoid), "multi-class" or "multi-label"
    classes: tuple[str, ...]  #: sorted names
    gate: bool = False  #: whether one more output tells known rows from negatives

    @property
    def schema(self) -> LabelSchema:
        """Outputs and classes of the model."""
        several = self.kind == "multi-label"
        return (LabelSchema.multi_label if several else LabelSchema.single)(self.classes)

    @property
    def n_scores(self) -> int:
        """Number of outputs that stand for classes."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def width(self) -> int:
        """Number of all outputs."""
        return self.n_scores + self.gate

    def encode(self, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the outputs should be, (n, width), NaN where the loss ignores it."""
        known = (targets >= 0).any(axis=1)
        wanted = np.full((len(targets), self.width), np.nan, dtype=np.float32)
        if self.kind == "multi-label":
            wanted[:, : self.n_scores] = np.where(targets == UNSEEN, np.nan, targets == 0)
        elif self.kind == "binary":
            wanted[known, 0] = targets[known, 0]
        else:
            wanted[known, : self.n_scores] = np.eye(len(self.classes))[targets[known, 0]]
        if self.gate:
            wanted[:, -1] = known
        return wanted

    def others(self, n: int) -> NDArray[np.float32]:
        """Return what the outputs are to be for n negatives."""
        return self.encode(np.full((n, len(self.schema.outputs)), OTHER))

    def other_scores(self, logits: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
        """Return other-scores (n,) by name: "confidence", "label:..." of each label, "gate"."""
        scores = -np.asarray(logits, dtype=np.float64)
        found = {}
        if self.kind == "multi-class":
            found["confidence"] = scores[:, : self.n_scores].min(axis=1)
        if self.kind == "multi-label":
            found = {f"label:{name}": scores[:, k] for k, name in enumerate(self.classes)}
        return {**found, "gate": scores[:, -1]} if self.gate else found

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each class (n, K) for logits (n, width)."""
        scores = np.asarray(logits, dtype=np.float64)[:, : self.n_scores]
        if self.kind == "multi-class":
            return np.asarray(softmax(scores, axis=1))
        found = np.asarray(expit(scores))
        return np.column_stack([1.0 - found, found]) if self.kind == "binary" else found


@dataclass(frozen=True)
class Block:
    """A 3 x 3 convolution with "same" padding, ReLU, and 2 x 2 maximum pooling if `pool`."""

    channels: int
    stride: int = 1
    pool: bool = True


@dataclass(frozen=True)
class Branch:
    """Convolutions over one image input, or over several stacked as channels."""

    name: str
    sources: tuple[int, ...]  #: indices of these inputs
    channels: int  #: of all of them together
    size: tuple[int, int]  #: height and width


@dataclass(frozen=True)
class Preset:
    """The architecture of a network, and how it is trained."""

    blocks: tuple[Block, ...]  #: convolutions of every branch
    join: str  #: "flatten" the last maps, or "pool" their mean and maximum
    hidden: tuple[int, ...]  #: sizes of the dense layers behind the fusion
    joint: bool = False  #: whether there is one more branch, over all bands
    norm: bool = False  #: batch normalisation, folded into the convolutions afterwards
    symmetries: int = 1  #: flips and transposed flips to average over: 1, 4 (flips) or 8
    members: int = 1  #: networks to average; each learns from all folds but one
    epochs: int = 20  #: passes over the rows
    batch: int = 32  #: rows a step
    rate: float = 1e-3  #: Adam's learning rate
    decay: float = 0.0  #: decoupled weight decay
    cosine: bool = False  #: whether the learning rate falls along a cosine
    average: float = 0.0  #: memory of the moving average of weights; 0: none
    augment: bool = False  #: whether each batch is flipped and transposed at random
    dropout: float = 0.0  #: before the first dense layer
    input_dropout: float = 0.0  #: share of rows that lose each image input, or the table
    made_others: float = 0.0  #: negatives made of each batch (`make_others`), as a share of it

    def __post_init__(self) -> None:
        require_one_of("join", self.join, ("flatten", "pool"))
        require(self.symmetries in (1, 4, 8), "symmetries", "1, 4 or 8", self.symmetries)


#: `two-branch` is one small branch for each image, merged by their mean, ten dense units and Adam.
PRESETS: dict[str, Preset] = {
    "two-branch": Preset(
        blocks=(Block(8), Block(16), Block(16)), join="flatten", hidden=(10,), epochs=20
    ),
    "two-branch-plus": Preset(
        blocks=(Block(16, stride=2, pool=False), Block(24), Block(32), Block(48)),
        join="pool",
        hidden=(32,),
        joint=True,
        norm=True,
        symmetries=4,
        members=3,
        epochs=24,
        rate=3e-3,
        decay=1e-2,
        cosine=True,
        average=0.99,
        augment=True,
        dropout=0.2,
        input_dropout=0.05,
        made_others=0.25,
    ),
}


@dataclass(frozen=True)
class Plan:
    """The shape of one network."""

    branches: tuple[Branch, ...]
    images: tuple[tuple[int, tuple[int, int]], ...]  #: channels, and height and width
    table: int  #: number of encoded table columns
    outputs: int  #: number of logits
    fusion: str
    preset: Preset

    def map_size(self, branch: Branch) -> tuple[int, int]:
        """Return height and width of the last maps of a branch."""
        height, width = branch.size
        for block in self.preset.blocks:
            height, width = (-(-side // block.stride) for side in (height, width))
            if block.pool:
                height, width = height // 2, width // 2
        return height, width

    def features(self, branch: Branch) -> int:
        """Return the number of features of a branch."""
        channels = self.preset.blocks[-1].channels
        height, width = self.map_size(branch)
        return 2 * channels if self.preset.join == "pool" else channels * height * width

    @property
    def merged(self) -> int:
        """Number of features behind the fusion."""
        each = [self.features(branch) for branch in self.branches]
        return sum(each) if self.fusion == "concat" else max(each, default=0)

    @property
    def dense(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each dense layer; the first also reads which images are missing."""
        widths = [self.merged + self.table + len(self.images), *self.preset.hidden, self.outputs]
        return tuple(pairwise(widths))

    @property
    def symmetries(self) -> int:
        """Number of copies of an image that outputs are averaged over; only squares turn."""
        if not self.branches:
            return 1
        square = all(branch.size[0] == branch.size[1] for branch in self.branches)
        return self.preset.symmetries if square else min(self.preset.symmetries, 4)


def make_plan(inputs: Inputs, preset: Preset, table: int, outputs: int) -> Plan:
    """Return the plan of a network for inputs whose image sizes are known."""
    images = tuple((bands.channels, bands.size or (0, 0)) for bands in inputs.images)
    sizes = [size for _, size in images]
    alike, every = len({*sizes}) <= 1, tuple(range(len(sizes)))
    channels = sum(bands.channels for bands in inputs.images)
    if inputs.fusion == "early" and sizes:
        require(alike, "fusion", "'mean' or 'concat' for images of different sizes", "early")
        branches = [Branch("bands", every, channels, sizes[0])]
    else:
        branches = [
            Branch(bands.name, (i,), bands.channels, sizes[i])
            for i, bands in enumerate(inputs.images)
        ]
        if preset.joint and alike and len(sizes) > 1:
            branches.append(Branch("all bands", every, channels, sizes[0]))
    plan = Plan(tuple(branches), images, table, outputs, inputs.fusion, preset)
    for branch in branches:
        if min(plan.map_size(branch)) < 1:
            height, width = branch.size
            raise InvalidParameterError(
                f"Images of {branch.name!r} are {height} x {width} pixels, too small for the "
                "convolutions of this preset. Enlarge them, or pass a Preset with fewer blocks."
            )
    same = len({plan.features(branch) for branch in branches}) <= 1
    allowed = "'concat' for images of different sizes whose maps are flattened"
    require(same or inputs.fusion == "concat", "fusion", allowed, inputs.fusion)
    return plan
