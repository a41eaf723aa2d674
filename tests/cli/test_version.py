import subprocess
import sys

import outgroup


def test_the_module_runs_as_the_command_line_and_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "outgroup", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"outgroup {outgroup.__version__}\n"
