"""Write what the tests of the command line, of pools, of mining and of inputs expect.

    PYTHONPATH=src python tests/contract/record_commands.py [NAME ...]

A name is that of a file of expectations, such as ``command_train``; without one all are written.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
PATTERNS = ("test_command_*.py", "test_pool_*.py", "test_mining_*.py", "test_inputs_*.py")


def main(names: list[str]) -> None:
    """Record the facts of all files, or of those that are named."""
    for path in sorted(path for pattern in PATTERNS for path in HERE.glob(pattern)):
        name = path.stem.removeprefix("test_")
        if names and name not in names:
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with tempfile.TemporaryDirectory() as folder:
            module.FACTS.record(Path(folder))
        print(f"{name}: {len(module.FACTS)} facts")


if __name__ == "__main__":
    main(sys.argv[1:])
