"""Finds installed connectors through the entry points `threadline.connectors`; nothing names one."""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from threadline.sdk.contract import Connector
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import nearest


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of the installed connectors by name."""
    return {entry.name: entry for entry in sorted(entry_points(group="threadline.connectors"), key=lambda entry: entry.name)}


def connector_class(name: str) -> type[Connector[Any]]:
    """Return a connector's class; ConfigError when none of that name is installed, or it cannot be imported."""
    known = installed()
    if name not in known:
        hint = nearest(name, known) if len(known) > 8 else f"; installed: {', '.join(known) or 'none'}"
        raise ConfigError(f"no connector named {name!r}{hint}")
    try:
        loaded: Any = known[name].load()
    except Exception as error:
        # Whatever a package of somebody else does when it is imported, the message says which one it is.
        raise ConfigError(f"the connector {name!r} cannot be imported: {type(error).__name__}: {error}") from None
    if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
        raise ConfigError(f"the entry point {known[name].value!r} of {name!r} is not a Connector class")
    return cast("type[Connector[Any]]", loaded)


def load_object(reference: str) -> Any:
    """Return the object that "module:name" names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
