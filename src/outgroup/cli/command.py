"""What every command does with its options.

Several values may stand behind one: ``--unknown near far`` is ``--unknown near --unknown far``, and
a shell turns ``--other animals/*`` into just that.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose repeatable options take any number of values each."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments; a flag is shown without the type of its value."""
        parameters: list[Any] = super().get_params(ctx)
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return parameters

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with each value behind an option of its own."""
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

    Parameters
    ----------
    args : list of str
        As given.
    takes : dict of str to bool
        The options that take a value, and whether they may be repeated.
    n_arguments : int
        How many arguments the command has beside options. A value belongs to these as long as
        there are too few, so that ``--other animals photos`` says what it always did.

    Examples
    --------
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
