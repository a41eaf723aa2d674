"""Batches of a real ``DataLoader``; PyTorch is an extra, and without it these are skipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outgroup.errors import InvalidDataError
from outgroup.pool.mixing import Mixer, mix

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (extra 'torch')")

N, K = 22, 3
NEGATIVES = np.random.default_rng(0).integers(0, 256, (40, 20, 30, 3), dtype=np.uint8)


def loader(**options: Any) -> Any:
    torch.manual_seed(0)
    images, labels = torch.rand(N, 3, 16, 16), torch.arange(N) % K
    data = torch.utils.data.TensorDataset(images, labels)
    return torch.utils.data.DataLoader(data, batch_size=8, **options)


@pytest.mark.parametrize(
    "workers", [{}, {"num_workers": 2, "multiprocessing_context": "forkserver"}]
)
def test_batches_of_a_data_loader_get_negatives(workers: dict[str, Any]) -> None:
    mixed = mix(loader(shuffle=True, **workers), NEGATIVES, n_classes=K)
    assert len(mixed) == 3
    for _epoch in range(2):
        known = 0
        for batch in mixed:
            assert isinstance(batch, list)  # as the default collate function gives it
            images, labels = batch
            n = len(images) // 2
            assert images.shape == (2 * n, 3, 16, 16)
            assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
            assert labels[n:].tolist() == [K] * n
            assert int(labels[:n].max()) < K
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            known += n
        assert known == N


def test_network_learns_to_say_other_from_them() -> None:
    torch.manual_seed(0)
    centres = 4 * torch.eye(K, 8)
    x = torch.cat([centres[k] + 0.3 * torch.randn(40, 8) for k in range(K)])
    y = torch.arange(K).repeat_interleave(40)
    data = torch.utils.data.TensorDataset(x, y)
    batches = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    others = np.random.default_rng(0).normal(0, 0.3, (500, 8)) + 4 * np.eye(8)[5]
    network = torch.nn.Linear(8, K + 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    mixed = mix(batches, others[:400], n_classes=K)
    for _ in range(15):
        for inputs, targets in mixed:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
    new = torch.from_numpy(others[400:]).float()
    assert float((network(new).argmax(dim=1) == K).float().mean()) == 1.0
    assert float((network(x).argmax(dim=1) == y).float().mean()) > 0.99


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_type_of_the_batch_is_kept(dtype: str) -> None:
    batch = (torch.rand(2, 4).to(getattr(torch, dtype)), torch.eye(K, dtype=torch.bool)[:2])
    x, y = Mixer(np.full((5, 4), 0.5), target="zeros")(batch)
    assert x.dtype == getattr(torch, dtype)
    assert x[2:].float().tolist() == [[0.5] * 4] * 2
    assert y.dtype == torch.bool
    assert y[2:].any().item() is False


def test_device_of_the_batch_is_kept() -> None:
    """A tensor on the device "meta" has a shape and no numbers, so no accelerator is needed."""
    batch = (torch.zeros(2, 4, device="meta"), [0, 1])
    x, y = Mixer(np.ones((5, 4)), n_classes=2)(batch)
    assert (x.device.type, tuple(x.shape), y) == ("meta", (4, 4), [0, 1, 2, 2])


def test_channels_come_first_if_the_shape_leaves_it_open() -> None:
    blue = np.zeros((1, 3, 3, 3), np.uint8)
    blue[..., 2] = 255
    x, _ = Mixer(blue, n_classes=1)((torch.ones(1, 3, 4, 3), torch.zeros(1, dtype=torch.long)))
    assert x[1, :, 0, 0].tolist() == [0, 0, 1]


def test_labels_of_names_become_a_list() -> None:
    x = torch.zeros(2, 4)
    mixer = Mixer(np.ones((5, 4)), target="none")
    assert mixer((x, torch.tensor([1, 0])))[1] == [1, 0, None, None]
    assert mixer((x, ("cat", "dog")))[1] == ("cat", "dog", None, None)


def test_transform_may_return_a_tensor() -> None:
    def normalise(images: np.ndarray) -> Any:
        return (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25

    batch = (torch.randn(2, 3, 16, 16), torch.tensor([0, 1]))
    with pytest.raises(InvalidDataError, match="'transform'"):
        Mixer(NEGATIVES, n_classes=K)(batch)
    x, _ = Mixer(np.full((3, 16, 16, 3), 255, np.uint8), n_classes=K, transform=normalise)(batch)
    assert x[2:].unique().tolist() == [2.0]


def test_negatives_may_be_tensors() -> None:
    negatives = torch.arange(12.0).reshape(6, 2)
    x, _ = Mixer(negatives, ratio=3, n_classes=1)((torch.zeros(2, 2), torch.tensor([0, 0])))
    assert sorted(x[2:].tolist()) == negatives.tolist()

    class Source:
        def draw(self, n: int, rng: np.random.Generator) -> Any:
            return negatives[:n]

    x, _ = Mixer(Source(), n_classes=1)((torch.zeros(2, 2), torch.tensor([0, 0])))
    assert x[2:].tolist() == negatives[:2].tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 3]), "go up to 3"),
        (torch.tensor([0, 1], dtype=torch.int8), "int8 can't hold 200"),
        (torch.tensor([True, False]), "whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, message: str) -> None:
    n_classes = 200 if labels.dtype == torch.int8 else K
    with pytest.raises(InvalidDataError, match=message):
        Mixer(np.ones((5, 4)), n_classes=n_classes)((torch.zeros(2, 4), labels))
