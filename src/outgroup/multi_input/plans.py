"""The shape of a network as data: what the torch module and the ONNX graph are both built from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from outgroup.errors import InvalidParameterError
from outgroup.multi_input.declarations import Inputs, check_one_of


@dataclass(frozen=True)
class Block:
    """A convolution of 3 x 3 with "same" padding, ReLU, and a maximum over 2 x 2 or none.

    Parameters
    ----------
    channels : int
        Of its output.
    stride : int, default=1
        Of the convolution.
    pool : bool, default=True
        Whether the maximum follows.
    """

    channels: int
    stride: int = 1
    pool: bool = True


@dataclass(frozen=True)
class Branch:
    """Convolutions over one image input or several.

    Parameters
    ----------
    name : str
        What it is called in reasons.
    sources : tuple of int
        Which image inputs it reads, as channels.
    channels : int
        Of all of them together.
    size : (int, int)
        Height and width.
    """

    name: str
    sources: tuple[int, ...]
    channels: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Preset:
    """What can be chosen about a network, and how it learns.

    Parameters
    ----------
    blocks : tuple of Block
        Of every branch.
    join : {"flatten", "pool"}
        Whether the last maps are taken as they are, or their mean and their maximum.
    hidden : tuple of int
        Dense layers behind the fusion.
    joint : bool
        Whether a branch over all bands stands beside those of each.
    norm : bool
        Batch normalisation behind each convolution, folded into it when training is over.
    symmetries : int
        Flips and turns over which answers are averaged: 1, 4 (flips) or 8.
    members : int
        Networks that answer together; each learns from all folds but one.
    epochs, batch : int
        Passes over the rows, and rows a step.
    rate : float
        Adam's learning rate.
    decay : float
        Decoupled weight decay.
    cosine : bool
        Whether the rate falls to zero along a cosine.
    average : float
        Weights are averaged over steps with this memory; 0: not at all.
    augment : bool
        Whether each batch is flipped and turned at random, one of the eight ways.
    dropout : float
        Of the features before the first dense layer.
    input_dropout : float
        Share of rows that lose each image input, and the table, while learning.
    made_others : float
        Negatives that are made of the images of each batch, as a share of it, and that one more
        output learns to tell from known ones (see `outgroup.multi_input.made`).
    """

    blocks: tuple[Block, ...]
    join: str
    hidden: tuple[int, ...]
    joint: bool = False
    norm: bool = False
    symmetries: int = 1
    members: int = 1
    epochs: int = 20
    batch: int = 32
    rate: float = 1e-3
    decay: float = 0.0
    cosine: bool = False
    average: float = 0.0
    augment: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0
    made_others: float = 0.0

    def __post_init__(self) -> None:
        check_one_of("join", self.join, ("flatten", "pool"))
        if self.symmetries not in (1, 4, 8):
            raise InvalidParameterError(
                f"The 'symmetries' parameter must be 1, 4 or 8. Got {self.symmetries!r} instead."
            )


#: The network of the forum, and what became of it. `two-branch` is one small branch for each band,
#: features merged (by mean), the table joined, ten dense units, Adam and nothing else.
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
        batch=32,
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
    """The shape of one network.

    Parameters
    ----------
    branches : tuple of Branch
        Convolutional branches.
    images : tuple of (int, (int, int))
        Channels, and height and width, of each image input.
    table : int
        Encoded table columns.
    outputs : int
        Logits.
    fusion : {"mean", "concat", "early"}
        How features of the branches are merged.
    preset : Preset
        The rest.
    """

    branches: tuple[Branch, ...]
    images: tuple[tuple[int, tuple[int, int]], ...]
    table: int
    outputs: int
    fusion: str
    preset: Preset

    @property
    def n_images(self) -> int:
        """Image inputs."""
        return len(self.images)

    def map_size(self, branch: Branch) -> tuple[int, int]:
        """Return height and width of the last maps of a branch."""
        height, width = branch.size
        for block in self.preset.blocks:
            height, width = (-(-side // block.stride) for side in (height, width))
            if block.pool:
                height, width = height // 2, width // 2
        return height, width

    def features(self, branch: Branch) -> int:
        """Return how many features a branch has."""
        channels = self.preset.blocks[-1].channels
        height, width = self.map_size(branch)
        return 2 * channels if self.preset.join == "pool" else channels * height * width

    @property
    def merged(self) -> int:
        """Features behind the fusion."""
        each = [self.features(branch) for branch in self.branches]
        return sum(each) if self.fusion == "concat" else max(each, default=0)

    @property
    def dense(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each dense layer; the columns, and what is missing, are joined."""
        widths = [self.merged + self.table + self.n_images, *self.preset.hidden, self.outputs]
        return tuple(pairwise(widths))

    @property
    def symmetries(self) -> int:
        """Over how many flips and turns answers are averaged; only squares can be turned."""
        if not self.branches:
            return 1
        square = all(branch.size[0] == branch.size[1] for branch in self.branches)
        return self.preset.symmetries if square else min(self.preset.symmetries, 4)


def make_plan(inputs: Inputs, preset: Preset, table: int, outputs: int) -> Plan:
    """Lay out a network for inputs of stated sizes.

    Raises
    ------
    InvalidParameterError
        If images are too small or differ in size where they must not.

    Examples
    --------
    >>> from outgroup.multi_input.declarations import Bands
    >>> inputs = Inputs([Bands("hh", size=(75, 75)), Bands("hv", size=(75, 75))])
    >>> plan = make_plan(inputs, PRESETS["two-branch"], table=2, outputs=1)
    >>> plan.merged, plan.dense
    (1296, ((1300, 10), (10, 1)))
    """
    sizes = [(bands.size or (0, 0)) for bands in inputs.images]
    alike = len({*sizes}) <= 1
    every = tuple(range(len(sizes)))
    all_channels = sum(bands.channels for bands in inputs.images)
    if inputs.fusion == "early" and sizes:
        if not alike:
            raise InvalidParameterError(
                "The 'fusion' parameter must be 'mean' or 'concat' for images of different sizes. "
                "Got 'early' instead."
            )
        branches = [Branch("bands", every, all_channels, sizes[0])]
    else:
        branches = [
            Branch(bands.name, (i,), bands.channels, sizes[i])
            for i, bands in enumerate(inputs.images)
        ]
        if preset.joint and alike and len(sizes) > 1:
            branches.append(Branch("all bands", every, all_channels, sizes[0]))
    images = tuple((bands.channels, size) for bands, size in zip(inputs.images, sizes, strict=True))
    plan = Plan(tuple(branches), images, table, outputs, inputs.fusion, preset)
    for branch in branches:
        if min(plan.map_size(branch)) < 1:
            height, width = branch.size
            raise InvalidParameterError(
                f"Images of {branch.name!r} are {height} x {width} pixels, too small for the "
                "convolutions of this preset. Enlarge them, or pass a Preset with fewer blocks."
            )
    if inputs.fusion == "mean" and len({plan.features(branch) for branch in branches}) > 1:
        raise InvalidParameterError(
            "The 'fusion' parameter must be 'concat' where flattened features differ in number, "
            "as those of images of different sizes do. Got 'mean' instead."
        )
    return plan
