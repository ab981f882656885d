"""Finds installed connectors through the entry points `threadline.connectors`; nothing names one."""

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any, cast

from threadline.sdk.contract import Connector
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import nearest


def entries(group: str) -> Iterator[EntryPoint]:
    """Yield the entry points of a group, our own distribution's first: to find others', the metadata of all packages is read."""
    own = _own(group)
    yield from own
    yield from (entry for entry in entry_points(group=group) if entry not in own)


@cache
def _own(group: str) -> tuple[EntryPoint, ...]:
    try:
        return tuple(_own_distribution().entry_points.select(group=group))
    except PackageNotFoundError:
        return ()


def _own_distribution() -> Distribution:
    # Asked for one package, importlib.metadata looks at the names of all; its folder's name says enough (PEP 427).
    for place in sys.path:
        for folder in Path(place).glob("threadline-[0-9]*.dist-info"):
            return Distribution.at(folder)
    return distribution("threadline")


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of the installed connectors by name."""
    found: dict[str, EntryPoint] = {}
    for entry in entries("threadline.connectors"):
        found.setdefault(entry.name, entry)
    return dict(sorted(found.items()))


def connector_class(name: str) -> type[Connector[Any]]:
    """Return a connector's class; ConfigError when none of that name is installed, or it cannot be imported."""
    entry = next((entry for entry in entries("threadline.connectors") if entry.name == name), None)
    if entry is None:
        known = installed()
        hint = nearest(name, known) if len(known) > 8 else f"; installed: {', '.join(known) or 'none'}"
        raise ConfigError(f"no connector named {name!r}{hint}")
    try:
        loaded: Any = entry.load()
    except Exception as error:
        # Whatever a package of somebody else does when it is imported, the message says which one it is.
        raise ConfigError(f"the connector {name!r} cannot be imported: {type(error).__name__}: {error}") from None
    if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
        raise ConfigError(f"the entry point {entry.value!r} of {name!r} is not a Connector class")
    return cast("type[Connector[Any]]", loaded)


def load_object(reference: str) -> Any:
    """Return the object that "module:name" names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
