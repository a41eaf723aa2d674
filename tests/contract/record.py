"""Write what is to ``expected/*.json``: python tests/contract/record.py [NAME ...].

NAME is that of a file of tests without "test_"; all of them without a name. Every file has a
dictionary ``CASES`` of functions that return what is compared; those on images take the made ones.
Look at the difference before you commit it: a changed number is a changed behaviour.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def record(names: list[str]) -> None:
    """Compute all cases of the named files of tests, and write them."""
    from expectations import write
    from images_data import MadeImages

    with tempfile.TemporaryDirectory() as folder:
        images = MadeImages(Path(folder))
        for name in names:
            cases = importlib.import_module(f"test_{name}").CASES
            arguments = (images,) if name.startswith("images_") else ()
            write(name, {case: compute(*arguments) for case, compute in cases.items()})
            print(f"{name}: {len(cases)} cases")


def main() -> None:
    """Record the files of tests that were named, with one thread and a cache of its own."""
    here = [path.stem.removeprefix("test_") for path in sorted(HERE.glob("test_*.py"))]
    with_cases = [name for name in here if name.startswith(("arrays_", "images_"))]
    sys.path.insert(0, str(HERE))
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as cache:
        os.environ["OUTGROUP_CACHE"] = cache
        record(sys.argv[1:] or with_cases)


if __name__ == "__main__":
    main()
