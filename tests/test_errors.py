import inspect

import pytest

from outgroup import errors

KINDS = [
    (errors.InvalidParameterError, ValueError),
    (errors.InvalidDataError, ValueError),
    (errors.InfeasibleTargetError, ValueError),
    (errors.UnreadableImageError, ValueError),
    (errors.BackboneError, RuntimeError),
    (errors.ModelFileError, ValueError),
    (errors.PoolError, RuntimeError),
]


@pytest.mark.parametrize(("kind", "builtin"), KINDS)
def test_each_error_is_also_the_builtin_one_a_caller_would_expect(
    kind: type[Exception], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin, match="what happened"):
        raise kind("what happened")
    assert issubclass(kind, errors.OutgroupError)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    public = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert len(public) >= 8
    for name in public:
        assert name in (errors.__doc__ or "")


def test_an_infeasible_target_carries_the_n_that_would_do() -> None:
    assert errors.InfeasibleTargetError("too few", n_needed=59).n_needed == 59
    assert errors.InfeasibleTargetError("out of reach").n_needed is None


def test_a_missing_extra_names_the_command_to_type() -> None:
    with pytest.raises(
        ImportError, match=r'Serving needs the \'serve\' extra: pip install "outgroup\[serve\]"'
    ):
        raise errors.MissingExtraError("Serving", "serve")
