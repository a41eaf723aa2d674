"""Augmented images: what stays, what varies, and the targets of blends."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from PIL import Image, ImageOps  # noqa: E402

from outgroup.finetune import augmentation as a  # noqa: E402
from outgroup.finetune import tuning_plan  # noqa: E402
from outgroup.finetune.augmentation import BLENDS, CHANGES, augment  # noqa: E402


@pytest.fixture
def images() -> torch.Tensor:
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 256, (12, 4, 4, 3)), np.ones((1, 8, 8, 1)))
    return torch.from_numpy(coarse.astype(np.uint8))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", CHANGES)
def test_images_change_one_by_one_and_by_the_seed_alone(name: str, images: torch.Tensor) -> None:
    same = images[:1].repeat(12, 1, 1, 1)
    torch.manual_seed(1)
    first = augment(same, [name], seeded())
    torch.manual_seed(2)
    assert torch.equal(first, augment(same, [name], seeded()))
    assert not torch.equal(first, augment(same, [name], seeded(1)))
    assert len({bytes(image.numpy()) for image in first}) > 6
    assert first.dtype == torch.uint8
    assert first.shape == same.shape


def test_the_change_of_an_image_does_not_depend_on_the_others(images: torch.Tensor) -> None:
    """A draw belongs to a place in the batch."""
    other = torch.cat([images[:6], 255 - images[6:]])
    for name in CHANGES:
        found, again = (augment(batch, [name], seeded()) for batch in (images, other))
        assert torch.equal(found[:6], again[:6])


def test_geometric_moves_pixels_and_adds_no_colours() -> None:
    flat = torch.full((5, 32, 32, 3), 77, dtype=torch.uint8)
    assert torch.equal(augment(flat, ["geometric"], seeded()), flat)


def test_colour_leaves_everything_in_its_place() -> None:
    half = torch.zeros(8, 16, 16, 3, dtype=torch.uint8)
    half[:, :, 8:] = 200
    found = augment(half, ["colour"], seeded()).float()
    assert (found.std(dim=1) < 1e-3).all()  # rows are alike, as before
    assert (found[:, :, 12].mean(1) > found[:, :, 3].mean(1)).all()


def test_changes_agree_with_pillow() -> None:
    noise = np.random.default_rng(0).normal(120, 30, (2, 224, 224, 3))
    images = torch.from_numpy(noise.clip(0, 255).astype(np.uint8))
    x = images.permute(0, 3, 1, 2).float() / 255.0
    pictures = [Image.fromarray(image.numpy()) for image in images]
    one = torch.ones(len(x))
    for found, expected in (
        (a.equalize(x), ImageOps.equalize),
        (a.auto_contrast(x), ImageOps.autocontrast),
        (a.solarize(x, 128 / 255 * one), ImageOps.solarize),
        (a.posterize(x, 4 * one), lambda p: ImageOps.posterize(p, 4)),
    ):
        wanted = np.stack([np.asarray(expected(picture)) for picture in pictures])
        found = (found * 255).permute(0, 2, 3, 1).numpy()
        assert np.abs(found - wanted).max() <= 4.0  # Pillow counts in whole steps


def rows(x: torch.Tensor) -> torch.Tensor:
    targets = torch.zeros(len(x), 3)
    targets[:3] = torch.eye(3)
    return targets


@pytest.mark.parametrize("name", BLENDS)
def test_targets_are_blended_as_pixels_are(name: str) -> None:
    """Each image has a channel of its own, so shares can be read off the pixels."""
    n = 12
    x = torch.eye(n)[:, :, None, None].expand(n, n, 8, 8).contiguous()
    mixed, targets = BLENDS[name](x, rows(x), np.random.default_rng(0))
    shares = mixed.mean((2, 3))
    torch.testing.assert_close(shares.sum(1), torch.ones(n))
    torch.testing.assert_close(targets, shares[:, :3])
    with_negative = (shares[:, :3].sum(1) < 0.99) & (shares[:, :3].sum(1) > 0.01)
    assert with_negative.any()
    none = shares[:, 3:].sum(1)
    torch.testing.assert_close(1 - targets.sum(1), none)


def test_blends_depend_on_the_seed_alone() -> None:
    x, targets = torch.rand(6, 3, 8, 8, generator=seeded()), torch.eye(6)
    for blend in BLENDS.values():
        first, again = (blend(x, targets, np.random.default_rng(3)) for _ in range(2))
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_every_augmentation_of_the_plan_exists() -> None:
    assert set(tuning_plan.IMAGE_CHANGES) == set(CHANGES)
    assert set(tuning_plan.IMAGE_BLENDS) == set(BLENDS)
