from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import outgroup
from outgroup.cli import demo


@pytest.fixture(scope="module")
def data() -> demo.DemoData:
    return demo.load_data()


def test_images_of_the_demonstration_are_images(data: demo.DemoData) -> None:
    everything = [*data.train, *data.negatives, *data.test]
    for images in data.unknown.values():
        assert images
        everything += images
    for image in everything:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3


def test_no_image_is_both_learned_from_and_measured_on(data: demo.DemoData) -> None:
    learned = {image.tobytes() for image in [*data.train, *data.negatives]}
    assert not learned & {image.tobytes() for image in data.test}
    for images in data.unknown.values():
        assert not learned & {image.tobytes() for image in images}


def test_every_class_is_trained_and_tested(data: demo.DemoData) -> None:
    assert len(data.train) == len(data.train_labels)
    assert len(data.test) == len(data.test_labels)
    assert set(data.train_labels) == set(data.test_labels)
    assert len(data.unknown) >= 3


@pytest.mark.slow
def test_demonstration_leaves_a_model_and_a_picture(
    data: demo.DemoData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a fraction of the images: what is measured is not what is tested here."""
    few = demo.DemoData(
        train=data.train[::4],
        train_labels=data.train_labels[::4],
        negatives=data.negatives[::4],
        test=data.test[::12],
        test_labels=data.test_labels[::12],
        unknown={name: images[::12] for name, images in data.unknown.items()},
    )
    monkeypatch.setattr(demo, "load_data", lambda: few)
    result = demo.run_demo(tmp_path / "new" / "folder")

    assert result.rows[0].name == "outgroup"
    assert len(result.rows) == 3
    for row in result.rows:
        assert set(row.accepted) == set(few.unknown)
        assert row.right.n == row.rejected.n == len(few.test)
        assert row.right.k + row.rejected.k <= row.right.n
    ours, loose, strict = result.rows
    assert ours.right.value is not None
    assert ours.right.value > 0.5
    for name, images in few.unknown.items():
        assert ours.accepted[name].n == len(images)
        assert strict.accepted[name].k <= loose.accepted[name].k  # a higher bar accepts no more
    assert "At most" in result.certificate

    classifier = outgroup.load(result.model)
    assert set(classifier.classes) == set(few.train_labels)
    answers = classifier.predict(few.test)
    assert sum(label is None for label in answers.labels) == ours.rejected.k
    texts = "".join(ElementTree.parse(result.picture).getroot().itertext())
    assert all(name in texts for name in few.unknown)
