"""Options of ``train`` that tune the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.finetune import FineTune

PANEL = "Tuning the network (needs the extra torch)"

Finetune = Annotated[
    bool,
    typer.Option(
        "--finetune",
        help="Tune the network on half of the images first, if that is shown to be better.",
        rich_help_panel=PANEL,
    ),
]
Unfreeze = Annotated[
    str | None,
    typer.Option(
        metavar="PART",
        help="What of it learns: last (that is, its last block), half or all. Without it last.",
        rich_help_panel=PANEL,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Most epochs behind three of the head alone; fewer if they do no good. Without it 20.",
        rich_help_panel=PANEL,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="sigmoid, other-class, outlier-exposure, focal-softmax, focal-sigmoid or "
        "objectosphere; options as in focal-sigmoid,gamma=1,alpha=0.25. Without it sigmoid.",
        rich_help_panel=PANEL,
    ),
]
Augment = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Some of geometric, colour, randaugment, mixup and cutmix, with commas between. "
        "Without it none.",
        rich_help_panel=PANEL,
    ),
]
Balance = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Rare classes: weights, oversample or none. Without it weights.",
        rich_help_panel=PANEL,
    ),
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="timm:NAME",
        help="Another network than the bundled one, if timm is installed.",
        rich_help_panel=PANEL,
    ),
]

KeepTuned = Annotated[
    bool,
    typer.Option(
        "--keep-tuned",
        help="Keep the tuned network even where nothing shows it to be better.",
        rich_help_panel=PANEL,
    ),
]


def fine_tune(
    finetune: bool, keep_tuned: bool = False, **given: str | int | None
) -> FineTune | None:
    """Return how to tune the network, None if that was not asked for.

    Parameters
    ----------
    finetune : bool
        Whether it was.
    keep_tuned : bool, default=False
        Whether it stays tuned where that is not shown to be better.
    **given
        Fields of `FineTune` as they stand on the command line; None: its own default.

    Raises
    ------
    InvalidParameterError
        If there is an option without ``--finetune``, or one can't be used as given.
    MissingExtraError
        If torch is not installed.

    Examples
    --------
    >>> fine_tune(True, unfreeze="half", augment="geometric, mixup", balance="none").augment
    ('geometric', 'mixup')
    """
    options: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if keep_tuned:
        options["keep-tuned"] = True
    if not finetune:
        if options:
            raise InvalidParameterError(
                f"The '--{next(iter(options))}' parameter must stand beside --finetune. Got it "
                "without. Add --finetune, or leave it out."
            )
        return None
    from outgroup.finetune import FineTune, _torch  # noqa: F401  # says which extra is missing

    options["only_if_better"] = not options.pop("keep-tuned", False)
    if isinstance(options.get("augment"), str):
        options["augment"] = [name.strip() for name in str(options["augment"]).split(",")]
    if options.get("balance") == "none":
        options["balance"] = None
    return FineTune(**options)  # type: ignore[arg-type]
