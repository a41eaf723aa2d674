"""Registries: a new method is one class, found by the name that it is registered under.

Each package of methods, such as ``outgroup.detectors``, holds one `Registry`. The modules of the
package register their classes with a decorator and are imported on the first look-up.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from outgroup.errors import InvalidParameterError

T = TypeVar("T")


class Registry(Generic[T]):
    """The classes of one kind, by name.

    Parameters
    ----------
    kind : str
        What an entry is, in the singular; used in error messages.
    package : str
        The package whose modules register the entries. Other code may register more.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, type[T]] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Return a class decorator that registers the class and sets its attribute `name`."""

        def decorator(cls: type[T]) -> type[T]:
            if name in self._entries:
                raise RuntimeError(f"Two entries of kind {self.kind!r} are named {name!r}.")
            entry: Any = cls
            entry.name = name
            self._entries[name] = cls
            return cls

        return decorator

    def _discover(self) -> None:
        """Import every public module of the package, once."""
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self._package}.{module.name}")
        self._discovered = True

    def get(self, name: str) -> type[T]:
        """Return the class registered as `name`, or raise an error that lists all names."""
        if isinstance(name, str) and name in self:
            return self._entries[name]
        names = self.names()
        close = difflib.get_close_matches(str(name), names, n=1)
        raise InvalidParameterError(
            f"Invalid `{self.kind}`: must be one of {', '.join(map(repr, names))}, got {name!r}."
            + (f" Did you mean {close[0]!r}?" if close else "")
        )

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._discover()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[tuple[str, type[T]]]:
        return iter((name, self._entries[name]) for name in self.names())

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries
