from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import Embedder, EmbeddingCache, Embeddings
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing


def colours(table: Embeddings) -> list[list[float]]:
    return table.layers["last"].round().tolist()


def test_rows_come_in_the_order_of_the_images(backbone: Any, photos: list[Path]) -> None:
    found = Embedder(backbone, threads=4).embed(photos)
    assert colours(found) == [[10 * i, i, 255 - i] for i in range(20)]
    assert found.layers["logits"].shape == (20, 2)
    assert found.layers["last"].dtype == np.float32
    assert found.errors == [None] * 20
    assert len(set(found.digests)) == 20


def test_same_image_gives_the_same_row_however_it_is_given(
    backbone: Any, photos: list[Path]
) -> None:
    path = photos[3]
    image = Image.open(path)
    sources = [path, str(path), path.read_bytes(), image, np.asarray(image)]
    found = Embedder(backbone).embed(sources)
    assert all(row == [30, 3, 252] for row in colours(found))


def test_unreadable_images_are_rows_of_nan_with_the_reason(
    backbone: Any, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(photos[0].read_bytes()[:30])
    found = Embedder(backbone).embed([photos[1], tmp_path / "broken.jpg", tmp_path / "none.jpg"])
    assert found.readable.tolist() == [True, False, False]
    assert found.errors[2] == "no such file"
    assert isinstance(found.errors[1], str)
    assert found.digests[1] is not None
    assert found.digests[2] is None
    assert np.isnan(found.layers["last"][1:]).all()
    assert np.isnan(found.layers["logits"][1:]).all()
    assert not np.isnan(found.layers["last"][0]).any()


def test_no_images_give_a_table_without_rows(backbone: Any) -> None:
    found = Embedder(backbone).embed([])
    assert len(found) == 0
    assert found.layers["last"].shape == (0, 3)
    assert list(Embedder(backbone).stream([])) == []


@pytest.mark.parametrize(("chunk", "sizes"), [(8, [8, 8, 4]), (20, [20]), (7, [7, 7, 6])])
def test_stream_yields_chunks_in_order(
    backbone: Any, photos: list[Path], chunk: int, sizes: list[int]
) -> None:
    tables = list(Embedder(backbone).stream(iter(photos), chunk=chunk))
    assert [len(table) for table in tables] == sizes
    reds = np.concatenate([table.layers["last"][:, 0] for table in tables])
    assert reds.round().tolist() == [10 * i for i in range(20)]


def test_stream_takes_only_a_few_images_before_they_are_needed(backbone: Any) -> None:
    taken = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield np.full((10, 10, 3), i % 256, np.uint8)

    stream = Embedder(backbone, threads=2).stream(frames(), chunk=10)
    assert len(next(stream)) == 10
    assert taken <= 10 + 8 * 2
    stream.close()
    assert taken < 1000


def test_embedding_does_not_depend_on_neighbours_order_or_threads_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTGROUP_CACHE", str(tmp_path))
    network = get_backbone("efficientnet-lite0")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (250, 240 + i, 3), dtype=np.uint8) for i in range(8)]
    expected = Embedder(network, threads=1).embed(images)
    threaded = Embedder(network, threads=4).embed(images)
    reverse = Embedder(network, threads=3).embed(images[::-1])
    alone = Embedder(network, threads=2).embed(images[5:6])
    for layer, rows in expected.layers.items():
        np.testing.assert_array_equal(threaded.layers[layer], rows)
        np.testing.assert_array_equal(reverse.layers[layer][::-1], rows)
        np.testing.assert_array_equal(alone.layers[layer][0], rows[5])


def test_second_run_infers_nothing(backbone: Any, photos: list[Path], tmp_path: Path) -> None:
    first = Embedder(backbone, cache=EmbeddingCache(tmp_path)).embed(photos)
    assert backbone.images == 20
    second = Embedder(backbone, cache=EmbeddingCache(tmp_path)).embed(photos[::-1])
    assert backbone.images == 20
    for layer, rows in first.layers.items():
        np.testing.assert_array_equal(second.layers[layer][::-1], rows)
    assert second.digests == first.digests[::-1]


def test_cache_follows_the_content_and_not_the_name(
    backbone: Any, photos: list[Path], tmp_path: Path
) -> None:
    embedder = Embedder(backbone, cache=EmbeddingCache(tmp_path))
    embedder.embed(photos)
    photos[0].rename(tmp_path / "renamed.png")
    photos[1].write_bytes(photos[2].read_bytes())
    found = embedder.embed([tmp_path / "renamed.png", photos[1]])
    assert colours(found) == [[0, 0, 255], [20, 2, 253]]
    assert backbone.images == 20


def test_backbones_and_preprocessings_never_share_an_entry(
    make_backbone: Callable[..., Any], photos: list[Path], tmp_path: Path
) -> None:
    cache = EmbeddingCache(tmp_path)
    others = [
        make_backbone("one"),
        make_backbone("two"),
        make_backbone("one", Preprocessing(resize=9, crop=8)),
    ]
    for other in others:
        Embedder(other, cache=cache).embed(photos)
    assert [other.images for other in others] == [20, 20, 20]


def test_unreadable_images_are_tried_again(backbone: Any, tmp_path: Path) -> None:
    embedder = Embedder(backbone, cache=EmbeddingCache(tmp_path / "cache"))
    path = tmp_path / "late.png"
    assert embedder.embed([path]).errors == ["no such file"]
    Image.new("RGB", (9, 9)).save(path)
    assert embedder.embed([path]).errors == [None]


class FailingBackbone:
    """Stands for a network that breaks at the third image."""

    def __init__(self, inner: Any, error: BaseException) -> None:
        self.inner = inner
        self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        if self.inner.images == 3:
            raise self.error
        result: dict[str, np.ndarray] = self.inner.run(images)
        return result


def embedding_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("outgroup-embed")]


def test_failing_network_is_an_error_and_not_a_row(
    backbone: Any, photos: list[Path], tmp_path: Path
) -> None:
    failing: Any = FailingBackbone(backbone, BackboneError("broken"))
    cache = EmbeddingCache(tmp_path)
    with pytest.raises(BackboneError, match="broken"):
        Embedder(failing, threads=1, cache=cache).embed(photos)
    assert embedding_threads() == []
    assert len(EmbeddingCache(tmp_path)) == 3


def test_interrupt_ends_the_threads_and_keeps_what_is_finished(
    backbone: Any, photos: list[Path], tmp_path: Path
) -> None:
    def interrupted() -> Iterator[Path]:
        yield from photos[:10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Embedder(backbone, threads=1, cache=EmbeddingCache(tmp_path)).stream(interrupted()))
    assert embedding_threads() == []
    assert 0 < len(EmbeddingCache(tmp_path)) <= 10
    assert len(EmbeddingCache(tmp_path)) == backbone.images


def test_source_of_another_type_is_an_invalid_argument(backbone: Any) -> None:
    sources: Any = [None]
    with pytest.raises(InvalidParameterError, match="got NoneType"):
        Embedder(backbone).embed(sources)


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_threads_must_be_a_positive_integer(backbone: Backbone, threads: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `threads`: must be a positive"):
        Embedder(backbone, threads=threads)


@pytest.mark.parametrize("chunk", [0, -1, 2.0])
def test_chunk_must_be_a_positive_integer(backbone: Backbone, chunk: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `chunk`: must be a positive"):
        Embedder(backbone).stream([], chunk=chunk)


def test_quick_work_prints_nothing_though_progress_is_asked_for(
    backbone: Any, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    Embedder(backbone, progress=True).embed(photos)
    assert capsys.readouterr() == ("", "")


def test_all_cores_are_used_where_affinity_is_unknown(
    backbone: Any, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert len(Embedder(backbone).embed(photos)) == 20
