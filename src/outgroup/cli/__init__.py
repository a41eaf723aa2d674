"""The command line: joins the commands, parses repeatable options, and reports errors."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from outgroup import __version__
from outgroup._text import printable
from outgroup.cli import compare, demo, evaluate, lists, pool_commands, pool_mining, predict, train
from outgroup.cli.output import FAILED, INTERRUPTED, USAGE, errors
from outgroup.errors import DataWarning, InvalidParameterError, OutgroupError


def _without_types_of_flags(parameters: list[Any]) -> list[Any]:
    """Return parameters whose flags are shown without the type of a value in the help."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class Group(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options."""
        return _without_types_of_flags(super().get_params(ctx))


class Command(TyperCommand):
    """A command whose repeatable options take any number of values each.

    ``--unknown near far`` is ``--unknown near --unknown far``, and a shell turns
    ``--other animals/*`` into just that.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments."""
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with each value after an option of its own."""
        takes: dict[str, bool] = {}
        n_arguments = 0
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                if parameter.nargs == -1:  # takes whatever is left
                    return super().parse_args(ctx, args)
                n_arguments += 1
            elif not (parameter.is_flag or parameter.count):
                takes.update(dict.fromkeys(parameter.opts, parameter.multiple))
        return super().parse_args(ctx, spread(args, takes, n_arguments))


def spread(args: list[str], takes: dict[str, bool], n_arguments: int) -> list[str]:
    """Return the arguments of a command with a repeatable option before each of its values.

    `takes` holds the options that take a value, and whether they are repeatable. The first
    `n_arguments` values that do not follow an option are the command's arguments.

    >>> takes = {"--other": True, "--out": False}
    >>> " ".join(spread("photos --other a b --out m".split(), takes, 1))
    'photos --other a --other b --out m'
    >>> " ".join(spread("--other a photos --out m".split(), takes, 1))
    '--other a photos --out m'
    """
    spread_out: list[str] = []
    option: str | None = None  # whose value comes next
    repeated: str | None = None  # which had a value just now
    for i, arg in enumerate(args):
        if arg == "--":
            return [*spread_out, *args[i:]]
        if option is not None:
            repeated = option if takes[option] else None
            option = None
        elif arg.startswith("-") and arg != "-":
            name, _, value = arg.partition("=")
            option = name if name in takes and not value else None
            repeated = None
        elif n_arguments > 0:
            n_arguments -= 1
        elif repeated is not None:
            spread_out.append(repeated)
        spread_out.append(arg)
    return spread_out


def _with_plain_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Let expected errors end in one message and an exit code, without a traceback."""

    @functools.wraps(command)
    def run(*args: object, **options: object) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", DataWarning)
                warnings.showwarning = functools.partial(_show_warning, warnings.showwarning)
                command(*args, **options)
        except OutgroupError as error:
            _tell("Error", "red", str(error))
            code = USAGE if isinstance(error, InvalidParameterError) else FAILED
            raise typer.Exit(code) from error
        except BrokenPipeError:  # the reader of the output is gone, as with `head`
            raise
        except OSError as error:  # a full disk, a folder that can't be written
            _tell(
                "Error",
                "red",
                f"{error.filename}: {error.strerror}" if error.filename else str(error),
            )
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            errors().print("Stopped. Embeddings and epochs of tuning done so far are kept.")
            raise typer.Exit(INTERRUPTED) from None

    return run


def _show_warning(
    usual: Callable[..., None], message: Warning | str, category: type[Warning], *rest: Any
) -> None:
    """Show warnings about the user's data as plain text, and other warnings as usual."""
    if issubclass(category, DataWarning):
        _tell("Warning", "yellow", printable(str(message)))
    else:
        usual(message, category, *rest)


def _tell(kind: str, colour: str, message: str) -> None:
    from rich.text import Text

    errors().print(Text.assemble((f"{kind}: ", f"bold {colour}"), message))


app = typer.Typer(
    name="outgroup",
    cls=Group,
    help="Image classifiers that know when an image is none of their classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
pools = typer.Typer(
    name="pool",
    cls=Group,
    help="Collections of negatives on disk, with their embeddings.",
    no_args_is_help=True,
)
_COMMANDS: dict[typer.Typer, tuple[Callable[..., None], ...]] = {
    app: (
        demo.demo,
        train.train,
        compare.compare,
        predict.predict,
        evaluate.evaluate,
        lists.methods,
        lists.backbones,
    ),
    pools: (
        pool_commands.build,
        pool_commands.add,
        pool_commands.embed,
        pool_commands.show,
        pool_mining.purge,
        pool_mining.mine,
        pool_commands.verify,
        lists.sources,
    ),
}
for _group, _commands in _COMMANDS.items():
    for _command in _commands:
        _group.command(cls=Command)(_with_plain_errors(_command))
app.add_typer(pools)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"outgroup {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
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
