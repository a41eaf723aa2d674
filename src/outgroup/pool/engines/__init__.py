"""What prepares and embeds the images of a pool: the threads of this process, or a Ray cluster.

A new engine is one new module here with one class registered in `ENGINES`. Whatever the engine, the
pool is the same to the byte: it only computes, and one writer takes what it gives in the order of
the source.

>>> from outgroup.pool.engines import ENGINES
>>> ENGINES.names()
['local', 'ray']
"""

from __future__ import annotations

from outgroup.pool.engines.base import ENGINES, Engine, Task, get_engine

__all__ = ["ENGINES", "Engine", "Task", "get_engine"]
