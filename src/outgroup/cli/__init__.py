"""The command line. Each command is one module here; this one joins them and reports errors."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from outgroup import __version__
from outgroup.cli import compare, demo, evaluate, lists, pool, predict, train
from outgroup.cli.command import Command
from outgroup.cli.output import errors, printable
from outgroup.errors import DataWarning, InvalidParameterError, OutgroupError

#: Exit codes beside 0 and 3 (some images could not be read): something went wrong; the call was
#: wrong; Ctrl-C.
FAILED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="outgroup",
    help="Image classifiers that know when an image is none of their classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _with_plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Let what can be expected to go wrong end in one message and an exit code, no traceback."""

    @functools.wraps(command)
    def run(*args: object, **options: object) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", DataWarning)
                warnings.showwarning = functools.partial(_show_warning, warnings.showwarning)
                command(*args, **options)
        except OutgroupError as error:
            _tell(str(error))
            raise typer.Exit(
                USAGE if isinstance(error, InvalidParameterError) else FAILED
            ) from error
        except BrokenPipeError:  # the reader of our output went away, as `head` does
            raise
        except OSError as error:  # a full disk, a folder that can't be written
            _tell(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            errors().print("Stopped. Embeddings and epochs of tuning done so far are kept.")
            raise typer.Exit(INTERRUPTED) from None

    return run


for one in (
    demo.demo,
    train.train,
    compare.compare,
    predict.predict,
    evaluate.evaluate,
    lists.methods,
    lists.backbones,
):
    app.command(cls=Command)(_with_plain_errors(one))

_pools = typer.Typer(name="pool", help=pool.HELP, no_args_is_help=True)
for pool_command in pool.COMMANDS:
    _pools.command(cls=Command)(_with_plain_errors(pool_command))
app.add_typer(_pools)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"outgroup {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show it and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe that knows few letters gets escapes instead of a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Pillow warns of damaged metadata without naming the file; an unreadable image is reported.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    app()


def _show_warning(
    usual: Callable[..., None], message: Warning | str, category: type[Warning], *rest: Any
) -> None:
    """Show what is odd about the user's data in plain words, and other warnings as usual."""
    if not issubclass(category, DataWarning):
        usual(message, category, *rest)
        return
    from rich.text import Text

    errors().print(Text.assemble(("Warning: ", "bold yellow"), printable(str(message))))


def _tell(message: str) -> None:
    from rich.text import Text

    errors().print(Text.assemble(("Error: ", "bold red"), message))
