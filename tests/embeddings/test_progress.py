from __future__ import annotations

import io
import re
import sys
import time

import pytest

from outgroup.embeddings.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("total", [3, None])
def test_bar_counts_on_a_terminal(monkeypatch: pytest.MonkeyPatch, total: int | None) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressBar(total, delay=0) as bar:
        for _ in range(3):
            bar.advance()
    assert "images" in terminal.getvalue()
    assert "3/3" in terminal.getvalue() or total is None


def test_bar_shows_how_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressBar(100, delay=0) as bar:
        for _ in range(5):
            bar.advance()
            time.sleep(0.06)
    assert re.search(r"\b\d+/s", terminal.getvalue())


def test_quick_work_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressBar(3) as bar:
        bar.advance()
    assert terminal.getvalue() == ""


def test_no_bar_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(3, delay=0) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")
