from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from outgroup import Pool
from outgroup.backbones import get_backbone
from outgroup.classifier.pool_images import images_of
from outgroup.embeddings import Embedder
from outgroup.errors import InvalidParameterError, MissingExtraError
from outgroup.pool.engines import get_engine
from outgroup.pool.engines._embedding import EngineEmbedder


def test_wrong_engine_is_named_with_those_that_exist(pool: Pool) -> None:
    with pytest.raises(InvalidParameterError, match=r"must be one of 'local', 'ray'. Got 'rya'"):
        pool.add([], engine="rya")
    with pytest.raises(InvalidParameterError, match=r"must be a name or an Engine. Got 3"):
        get_engine(3)


def test_missing_ray_is_named_with_the_command_that_installs_it(
    pool: Pool, some: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "outgroup\[ray\]"'):
        pool.add(some(0, 40), engine="ray")
    assert len(pool) == 30
    assert pool.add(some(30, 40)).images == 10  # nothing is locked


def test_local_map_keeps_the_order_and_takes_nothing_ahead() -> None:
    taken = []

    def numbers():  # type: ignore[no-untyped-def]
        for i in range(5):
            taken.append(i)
            yield i

    found = get_engine("local").map(lambda: lambda i: i * i, numbers())
    assert next(found) == 0
    assert taken == [0]
    assert list(found) == [1, 4, 9, 16]


@pytest.mark.parametrize("same", [True, False])
def test_images_of_a_pool_are_embedded_as_on_this_machine_wherever_they_came_from(
    pool: Pool, bag: SimpleNamespace, same: bool
) -> None:
    images = images_of(pool, list(pool))  # they were in memory only, so there is no such file
    network = bag.QuickNetwork() if same else get_backbone("efficientnet-lite0")
    (here,) = Embedder(network, progress=False).stream(images, 30)
    (there,) = EngineEmbedder(get_engine("local"), network).stream(images, 30)
    assert there.errors == here.errors == [None] * 30
    assert there.digests == here.digests == [record.digest for record in pool]
    for name, rows in here.layers.items():
        np.testing.assert_array_equal(there.layers[name], rows)


def test_backbone_that_went_to_another_process_computes_the_same() -> None:
    network = get_backbone("efficientnet-lite0")
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    again = pickle.loads(pickle.dumps(network))
    for layer, rows in network.run(images).items():
        np.testing.assert_array_equal(again.run(images)[layer], rows)
    assert (again.digest, again.layers) == (network.digest, network.layers)
