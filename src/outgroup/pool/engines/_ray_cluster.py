"""Which Ray cluster is used: the connected one, the one at ``RAY_ADDRESS``, or one of our own."""

from __future__ import annotations

import os
import socket
from typing import Any

from outgroup.embeddings import usable_cores
from outgroup.errors import PoolError

_SECONDS = 5.0  # in which a cluster answers
_STORE = 2**28  # bytes that an object store has at least
_STORE_PER_CORE = 2**26  # a few chunks with what came of them


class Cluster:
    """A connection to a cluster; one that is started here ends with it.

    Parameters
    ----------
    ray : module
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._ours = False

    def connect(self) -> Any:
        """Connect, if that has not been done, and return the module.

        Raises
        ------
        PoolError
            If the cluster can't be reached.
        """
        if self._ray.is_initialized():
            return self._ray
        address = os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address == "local":
            # Only where nobody else has a say: the cluster of others keeps their settings.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            options["num_cpus"] = usable_cores()
            options["object_store_memory"] = _STORE + _STORE_PER_CORE * usable_cores()
            options["include_dashboard"] = False
        else:
            _reach(address)
        self._ours = True
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            self.close()
            raise _no_cluster(address, error) from error
        except BaseException:
            self.close()
            raise
        return self._ray

    def free_cores(self) -> int:
        """Return how many cores nobody else has taken; 1 if none is free, which then waits."""
        return max(1, int(self._ray.available_resources().get("CPU", 0)))

    def close(self) -> None:
        """Disconnect, if the connection was made here; that ends a cluster that was started."""
        if self._ours:
            self._ours = False
            self._ray.shutdown()


def _reach(address: str) -> None:
    """See whether anybody listens: Ray itself waits for minutes, and writes to standard error."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():  # "auto", say
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> PoolError:
    what = "Ray could not be started on this machine"
    if address != "local":
        what = f"There is no Ray cluster at {address!r}, as RAY_ADDRESS says"
    return PoolError(f"{what} ({getattr(error, 'strerror', None) or error}).")
