"""The command line. Each command is one module here; this one joins them and reports errors."""

from __future__ import annotations

import sys

import typer

from outgroup.cli import compare, demo, evaluate, lists, predict, train
from outgroup.cli.output import errors
from outgroup.errors import InvalidParameterError, OutgroupError

app = typer.Typer(
    name="outgroup",
    help="Image classifiers that know when an image is none of their classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    train.train,
    compare.compare,
    predict.predict,
    evaluate.evaluate,
    lists.methods,
    lists.backbones,
    demo.demo,
):
    app.command()(command)

#: Exit codes beside 0: something went wrong; the call was wrong; some images could not be read.
FAILED, USAGE, SOME_UNREADABLE = 1, 2, 3


def main() -> None:
    """Run the command line; known errors end in one message and an exit code, not a traceback."""
    try:
        app()
    except OutgroupError as error:
        errors().print(f"[bold red]Error:[/] {_plain(str(error))}", highlight=False)
        sys.exit(USAGE if isinstance(error, InvalidParameterError) else FAILED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        sys.exit(FAILED)
    except KeyboardInterrupt:
        errors().print("Stopped. Embeddings made so far are kept.")
        sys.exit(130)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
