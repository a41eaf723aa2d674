"""Negatives for learning, drawn from a pool or mixed into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from outgroup.data import from_images
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.pool.dealing import Dealing
from outgroup.pool.mixing import Mixed, mix
from outgroup.pool.records import Rows
from outgroup.pool.sample import Sample
from outgroup.pool.sampling import Chunk, draw, shares
from outgroup.synthetic import draw as draw_synthetic

if TYPE_CHECKING:
    from outgroup.pool.pool import Pool


class DrawsNegatives:
    """What a `Pool` does for those who learn from it."""

    def sample(
        self,
        n: int,
        known: Any = None,
        *,
        near: float | None = None,
        far: float | None = None,
        synthetic: float | None = None,
        exclude: Iterable[str] = (),
        layer: str = "last",
        seed: int = 0,
    ) -> Sample:
        """Draw negatives: near the known classes, from everywhere, and synthetic ones.

        Near ones teach where a class ends, and are not drawn too much alike; far ones are uniform
        by source; synthetic ones cure garbage. What is in quarantine is never drawn: run
        `outgroup pool purge` first, or the nearest ones are images of the classes themselves.

        Parameters
        ----------
        n : int
            How many in all.
        known : folder, images, ndarray of shape (k, d), or None
            Images of the known classes, or their embeddings by the pool's backbone, of `layer`;
            needed for near ones.
        near, far, synthetic : float or None
            Shares, which add up to 1. None for all three: 0.5, 0.4 and 0.1, or without `known`
            0, 0.9 and 0.1.
        exclude : iterable of str
            Sources that are left out.
        layer : str, default="last"
            The layer that near is measured by.
        seed : int, default=0
            The same seed gives the same negatives of the same pool.

        Returns
        -------
        Sample

        Raises
        ------
        InvalidParameterError
            If an argument can't be used as given.

        Warns
        -----
        DataWarning
            If the pool has fewer images than are asked for; all of them are drawn then.

        Examples
        --------
        >>> import tempfile
        >>> from outgroup.pool import Incoming, Pool
        >>> pool = Pool.create(tempfile.mkdtemp())
        >>> blank = [np.full((40, 60, 3), grey, np.uint8) for grey in (0, 90, 200)]
        >>> added = pool.add(Incoming(x, "blank", f"#{i}") for i, x in enumerate(blank))
        >>> pool.sample(3, near=0, far=2 / 3, synthetic=1 / 3).counts
        {'near': 0, 'far': 2, 'synthetic': 1}
        """
        if near is None and far is None and synthetic is None:
            near, far, synthetic = (0.0, 0.9, 0.1) if known is None else (0.5, 0.4, 0.1)
        counts = shares(n, near or 0.0, far or 0.0, synthetic or 0.0)
        drawn = draw(
            self._sources_by_chunk(layer),
            self._embedded(known, layer) if counts.near else None,
            near=counts.near,
            far=counts.far,
            seed=seed,
            exclude=exclude,
        )
        made, _ = draw_synthetic(counts.synthetic, seed=seed)
        return Sample(cast("Pool", self), drawn.rows, drawn.why, made, drawn.missing)

    def _embedded(self, known: Any, layer: str) -> NDArray[Any] | None:
        """Return embeddings, which may be given as they are."""
        if (isinstance(known, np.ndarray) and known.ndim == 2) or known is None:
            return known
        embedder = Embedder(cast("Pool", self).network(), cache=EmbeddingCache())
        embedded = embedder.embed(from_images(known).sources)
        return embedded.layers[layer][embedded.readable]

    def mix(
        self,
        batches: Iterable[Any],
        ratio: float = 1.0,
        *,
        rows: Rows | None = None,
        layer: str | None = None,
        **options: Any,
    ) -> Mixed:
        """Add images of the pool to each batch, with a label that says they are none.

        Parameters
        ----------
        batches : iterable of (x, y) or (x, y, weights)
            See `outgroup.pool.mix`.
        ratio : float, default=1.0
            Negatives for each row of a batch.
        rows : sequence of int or None
            Which images, such as those of a `sample`; None for all that are kept.
        layer : str or None
            Add embeddings of this layer; None for images.
        **options
            For `outgroup.pool.mix`: ``fresh``, ``target``, ``n_classes``, ``transform``, ``layout``
            and ``seed``.

        Returns
        -------
        Mixed

        Raises
        ------
        InvalidDataError
            If there is nothing to add.
        """
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64)
        return mix(batches, Dealing(cast("Pool", self), chosen, layer), ratio, **options)

    def _sources_by_chunk(self, layer: str) -> Iterator[Chunk]:
        pool = cast("Pool", self)
        for rows, features in pool.chunks(layers=[layer]):
            yield Chunk(rows, features[layer], pool.sources_of(rows))
