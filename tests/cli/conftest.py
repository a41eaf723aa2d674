from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outgroup.cli import app


@pytest.fixture
def run() -> Callable[..., Any]:
    """Run a command within this process."""

    def invoke(*arguments: object, columns: int = 80) -> Any:
        runner = CliRunner()
        texts = [str(argument) for argument in arguments]
        return runner.invoke(app, texts, env={"COLUMNS": str(columns)})

    return invoke


@pytest.fixture
def outgroup() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed command as a user does."""
    program = Path(sysconfig.get_path("scripts")) / "outgroup"

    def start(
        *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )

    return start
