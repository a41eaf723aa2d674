"""What `Embedder` is held against: loops without a library, as fast as plain code gets here.

Each worker thread decodes with Pillow and runs ONNX Runtime, so that decoding and running overlap
on the same cores. There is no hashing, no cache, no error handling and no result kept.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
from pictures import decode


def open_session(graph: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def worker_loop(graph: bytes, workers: int, batch: int) -> Any:
    """Return a function that embeds paths with `workers` threads of a single-threaded session."""
    sessions = [open_session(graph, 1) for _ in range(workers)]

    def work(worker: int, paths: list[str]) -> None:
        mine = paths[worker::workers]
        for start in range(0, len(mine), batch):
            images = np.stack([decode(path) for path in mine[start : start + batch]])
            sessions[worker].run(None, {"images": images})

    def run(paths: list[str]) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers), [paths] * workers))

    return run


def one_session_loop(graph: bytes, workers: int, batch: int) -> Any:
    """Return a function that decodes in threads and runs one session on all cores."""
    session = open_session(graph, workers)

    def run(paths: list[str]) -> None:
        with ThreadPoolExecutor(workers) as pool:
            batches = [paths[start : start + batch] for start in range(0, len(paths), batch)]
            ahead = [pool.submit(decode, path) for path in batches[0]]
            for following in [*batches[1:], []]:
                images = np.stack([future.result() for future in ahead])
                ahead = [pool.submit(decode, path) for path in following]
                session.run(None, {"images": images})

    return run
