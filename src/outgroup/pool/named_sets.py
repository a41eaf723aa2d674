"""The table of open image sets that have a short name.

The facts of each are from the pages named in `NamedSet.seen`, as they were found in a stored copy
of the public web; the hub itself was not asked. They are for people to choose by: nothing is
refused for them, and a set that has changed since is read as it is. Sets of which place, number or
size could not be verified are not in the list. Sizes that a page rounds to megabytes are rounded
here, and the words of `NamedSet.classes` are chosen by hand: they are the usual ones, not all.

Terms are "unclear" where whoever published the set had no licence of the photographers to pass on,
or names none. That may do for research, and not for a product.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

NON_COMMERCIAL, UNCLEAR, FREE = "non-commercial", "unclear", "free"


@dataclass(frozen=True)
class NamedSet:
    """One image set.

    Parameters
    ----------
    name : str
        What comes behind ``hf:``.
    repository : str
        Its data set repository on the Hugging Face hub.
    files : str
        The files in there, as a pattern; all splits, since a pool needs no test set.
    splits : tuple of str
        The splits that these are.
    column : str
        The column of the images.
    images, size : int
        The number of images, and bytes to download.
    resolution : str
        Width and height, about.
    terms : {"free", "non-commercial", "unclear"}
        What kind of licence it is.
    licence : str
        The licence in words, or what is known of it.
    homepage : str
        The page of those who made it.
    classes : tuple of str
        Common classes that are in it, in the singular: the overlap to mind.
    seen : tuple of str
        Pages that the facts are from.
    """

    name: str
    repository: str
    files: str
    splits: tuple[str, ...]
    column: str
    images: int
    size: int
    resolution: str
    terms: str
    licence: str
    homepage: str
    classes: tuple[str, ...]
    seen: tuple[str, ...]

    @property
    def spec(self) -> str:
        """The same as a place on the hub, which `open_source` takes too."""
        return f"hf://datasets/{self.repository}/{self.files}#{self.column}"

    @property
    def terms_and_licence(self) -> str:
        """The licence, with a plain word in front where it is no free one."""
        return self.licence if self.terms == FREE else f"{self.terms}: {self.licence}"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return {**asdict(self), "spec": self.spec}


_HUB = "https://huggingface.co/datasets"
_IMAGENET = "ImageNet's photos, for research and education only"

SETS = (
    NamedSet(
        "caltech256",
        "bitmind/caltech-256",
        "data/train-*",
        ("train",),
        "image",
        30_607,
        1_199_630_975,
        "various sizes",
        UNCLEAR,
        "none is named; photos found by image search",
        "https://data.caltech.edu/records/nyy15-4j048",
        (
            *("people", "dog", "horse", "bird", "car", "face", "animal", "vehicle", "tool"),
            "instrument",
        ),
        (f"{_HUB}/bitmind/caltech-256/raw/main/README.md",),
    ),
    NamedSet(
        "dtd",
        "tanganke/dtd",
        "data/*.parquet",
        ("train", "test"),
        "image",
        5_640,
        629_499_529,
        "270 to 1,060 px wide",
        NON_COMMERCIAL,
        "made available for research purposes",
        "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        ("texture", "pattern", "fabric"),
        (
            f"{_HUB}/tanganke/dtd",
            f"{_HUB}/Voxel51/Describable-Textures-Dataset",
            f"{_HUB}/tanganke/dtd/blame/cd52f56b97bb45a25246b6b3fd24531e3b0d4405/README.md",
        ),
    ),
    NamedSet(
        "eurosat",
        "timm/eurosat-rgb",
        "data/*.parquet",
        ("train", "validation", "test"),
        "image",
        27_000,
        92_078_756,
        "64 x 64 px",
        FREE,
        "MIT",
        "https://github.com/phelber/eurosat",
        ("satellite", "forest", "river", "lake", "highway", "field"),
        (f"{_HUB}/timm/eurosat-rgb/blob/main/README.md",),
    ),
    NamedSet(
        "food101",
        "ethz/food101",
        "data/*.parquet",
        ("train", "validation"),
        "image",
        101_000,
        5_059_972_308,
        "512 px at most",
        UNCLEAR,
        "Foodspotting's photos; beyond scientific fair use, ask their owners",
        "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
        ("food", "cake", "salad", "soup", "pizza", "steak", "sushi", "ice cream", "hamburger"),
        (
            f"{_HUB}/ethz/food101/commit/1ac27ab4707a642b84c229d077056d0f25a62fa7",
            f"{_HUB}/ethz/food101/commit/cf7c2d4cac1653f1f0644754ec98d506ae715f7d",
        ),
    ),
    NamedSet(
        "imagenette",
        "jonathanli/imagenette2-320-split",
        "data/*.parquet",
        ("train", "test"),
        "image",
        13_394,
        347_951_372,
        "320 px or more",
        NON_COMMERCIAL,
        _IMAGENET,
        "https://github.com/fastai/imagenette",
        (
            *("fish", "dog", "cassette player", "chain saw", "church", "French horn", "truck"),
            *("gas pump", "golf ball", "parachute"),
        ),
        (f"{_HUB}/jonathanli/imagenette2-320-split/blob/main/README.md",),
    ),
    NamedSet(
        "oxford-flowers",
        "nkirschi/oxford-flowers",
        "data/*.parquet",
        ("train", "test"),
        "image",
        8_189,
        346_200_000,
        "500 to 1,020 px wide",
        UNCLEAR,
        "unknown, says its card",
        "https://www.robots.ox.ac.uk/~vgg/data/flowers",
        ("flower", "plant", "rose", "sunflower", "lily", "orchid", "tulip"),
        (
            f"{_HUB}/nelorth/oxford-flowers/blob/main/README.md",
            f"{_HUB}/nelorth/oxford-flowers/tree/main/data",
            f"{_HUB}/nelorth/oxford-flowers/viewer/default/train",
            f"{_HUB}/Voxel51/OxfordFlowers102/viewer/default/train",
        ),
    ),
    NamedSet(
        "oxford-pets",
        "timm/oxford-iiit-pet",
        "data/*.parquet",
        ("train", "test"),
        "image",
        7_349,
        791_000_000,
        "various sizes",
        FREE,
        "CC BY-SA 4.0",
        "https://www.robots.ox.ac.uk/~vgg/data/pets/",
        ("cat", "dog", "pet", "animal"),
        (
            f"{_HUB}/timm/oxford-iiit-pet/tree/main/data",
            "https://www.tensorflow.org/datasets/catalog/oxford_iiit_pet.md.txt",
        ),
    ),
    NamedSet(
        "resisc45",
        "timm/resisc45",
        "data/*.parquet",
        ("train", "validation", "test"),
        "image",
        31_500,
        425_300_000,
        "256 x 256 px",
        UNCLEAR,
        "unknown, says its card; from Google Earth",
        "https://arxiv.org/abs/1703.00121",
        ("satellite", "airplane", "beach", "bridge", "church", "forest", "lake", "ship", "stadium"),
        (
            f"{_HUB}/timm/resisc45/tree/main/data",
            f"{_HUB}/timm/resisc45/viewer/default/train",
            f"{_HUB}/blanchon/RESISC45/blob/main/README.md",
        ),
    ),
    NamedSet(
        "stl10",
        "tanganke/stl10",
        "data/*.parquet",
        ("train", "test"),
        "image",
        13_000,
        231_000_000,
        "96 x 96 px",
        NON_COMMERCIAL,
        _IMAGENET,
        "https://ai.stanford.edu/~acoates/stl10/",
        ("cat", "dog", "car", "bird", "airplane", "deer", "horse", "monkey", "ship", "truck"),
        (
            f"{_HUB}/tanganke/stl10/tree/main/data",
            "https://tensorflow.org/datasets/catalog/stl10",
            f"{_HUB}/Chiranjeev007/STL-10_Subset/commit/293369ba0d5368f87dde6f133fd20282d4a7d86c",
        ),
    ),
    NamedSet(
        "tiny-imagenet",
        "zh-plus/tiny-imagenet",
        "data/*.parquet",
        ("train", "valid"),
        "image",
        110_000,
        160_600_000,
        "64 x 64 px",
        NON_COMMERCIAL,
        _IMAGENET,
        "https://www.kaggle.com/c/tiny-imagenet",
        (
            *("cat", "dog", "people", "car", "bird", "fish", "insect", "food", "animal", "bear"),
            *("bus", "butterfly", "cow", "elephant", "frog", "fruit", "furniture", "lion"),
            *("monkey", "pig", "sheep", "snake", "spider", "vehicle"),
        ),
        (
            f"{_HUB}/zh-plus/tiny-imagenet/tree/b427d143d5e9bf39d5132c552063f3c5ba3facd6/data",
            f"{_HUB}/zh-plus/tiny-imagenet/viewer/default/train",
            f"{_HUB}/thethinkmachine/tiny-imagenet/blob/main/README.md",
        ),
    ),
)
