"""Registries: a new method is one new file with one class, found by name.

`Registry` maps names to classes. A package such as ``detectors`` holds one registry; each module in
it registers its class with a decorator, and `Registry.discover` imports the modules, so that adding
a file is all it takes to add a method.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from outgroup.errors import InvalidParameterError

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind by name.

    Parameters
    ----------
    kind : str
        What the entries are, in the singular; used in messages.
    package : str
        The package whose modules register the entries.

    Examples
    --------
    >>> shapes = Registry("shape", "outgroup.errors")
    >>> @shapes.register("circle")
    ... class Circle: ...
    >>> shapes.get("circle").__name__
    'Circle'
    >>> shapes.get("cirle")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'shape' parameter must be one of 'circle'. Got
    'cirle' instead. Did you mean 'circle'?
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, type[T]] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Return a class decorator that registers the class as `name`."""

        def decorator(cls: type[T]) -> type[T]:
            if name in self._entries:
                raise RuntimeError(f"Two entries of kind {self.kind!r} are named {name!r}.")
            self._entries[name] = cls
            return cls

        return decorator

    def discover(self) -> None:
        """Import every public module of the package once, so that its entries are registered."""
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self._package}.{module.name}")
        self._discovered = True

    def get(self, name: str) -> type[T]:
        """Return the class registered as `name`.

        Raises
        ------
        InvalidParameterError
            If there is no such entry; the message lists what there is.
        """
        if not isinstance(name, str) or name not in self:
            raise InvalidParameterError(self._unknown(name))
        return self._entries[name]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self.discover()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[tuple[str, type[T]]]:
        return iter((name, self._entries[name]) for name in self.names())

    def __contains__(self, name: object) -> bool:
        self.discover()
        return name in self._entries

    def _unknown(self, name: object) -> str:
        names = self.names()
        close = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(repr(n) for n in names)
        return f"The {self.kind!r} parameter must be one of {listed}. Got {name!r} instead.{hint}"
