"""What is said of the images of a pool: some are in quarantine, some were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from outgroup.errors import InvalidParameterError
from outgroup.pool.index import Index
from outgroup.pool.records import KEPT, QUARANTINED, Rows

if TYPE_CHECKING:
    from outgroup.pool.pool import Pool


class JudgesImages:
    """What a `Pool` does for those who look at its images."""

    _index: Index

    def quarantine(self, rows: Rows, reason: str) -> int:
        """Put images into quarantine, on disk when this returns; return how many were not in it.

        Another process may be adding meanwhile.

        Parameters
        ----------
        rows : sequence of int
        reason : str
            Why; it replaces an earlier reason.
        """
        if not isinstance(reason, str) or not reason:
            raise InvalidParameterError(
                f"The 'reason' parameter must be text. Got {reason!r} instead."
            )
        pool = cast("Pool", self)
        return self._index.set_state(pool.checked(rows), QUARANTINED, reason)

    def release(self, rows: Rows, reason: str | None = None) -> int:
        """Take images out of quarantine; return how many were in it.

        Parameters
        ----------
        rows : sequence of int
        reason : str, optional
            Why, if somebody has looked: `vouched` then has them, and a purge leaves them alone.
        """
        pool = cast("Pool", self)
        return self._index.set_state(pool.checked(rows), KEPT, reason)

    def vouched(self) -> npt.NDArray[np.int64]:
        """Return the rows that are kept for a reason: somebody has looked at them. Sorted."""
        return self._index.vouched()
