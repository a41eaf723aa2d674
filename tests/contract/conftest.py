"""What the contract tests share: their own modules, and images that are drawn once."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # there is no package of tests to import them from

import pytest
from images_data import MadeImages


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeImages:
    """The made images, embedded once; not to be changed."""
    return MadeImages(tmp_path_factory.mktemp("made"))
