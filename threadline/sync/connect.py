"""Makes a source's connector from its settings and credentials."""

import os
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError

from threadline.sdk.budget import Allowance
from threadline.sdk.contract import Connector
from threadline.sdk.errors import ConfigError
from threadline.sdk.oauth import Tokens
from threadline.sdk.registry import connector_class
from threadline.sync.config import Source
from threadline.sync.offered import credential_fields, variable


@contextmanager
def open_connector(
    source: Source, credentials: Mapping[str, str] | None = None, *, database: str | None = None
) -> Generator[Connector[Any]]:
    """Make a source's connector, and close it afterwards. The environment's credentials win over those given.

    With the address of a store its calls are counted there, and its refresh tokens kept, together with those of every other process;
    without, none is used.
    """
    kind = connector_class(source.connector)
    fields = credential_fields(kind)
    found = {name: value for name in fields if (value := os.environ.get(variable(source.name, name)) or (credentials or {}).get(name))}
    try:
        settings = kind.settings_type().model_validate({**source.settings, **found})
    except ValidationError as error:
        raise _problem(source, error, fields) from None
    connector = kind(settings)
    connector.tokens = _tokens(source, database)
    with closing(connector), _counted(connector, source, database):
        yield connector


def from_connection(source: Source, connection: Any) -> dict[str, str]:
    """Return the credentials that an Airflow connection holds for a source; what is empty there is left out."""
    parts = {field: connection_part(connection, part) for field, part in credential_fields(connector_class(source.connector)).items()}
    return {field: str(value) for field, value in parts.items() if value not in (None, "")}


def connection_part(connection: Any, part: str) -> Any:
    """Return login, password, host, port, schema, uri or extra.<key>; None where it is empty."""
    if part == "uri":
        return connection.get_uri()
    name, _, key = part.partition(".")
    return connection.extra_dejson.get(key) if name == "extra" else getattr(connection, name)


@contextmanager
def _counted(connector: Connector[Any], source: Source, database: str | None) -> Generator[None]:
    allowances = _allowances(connector, source)
    if not allowances or database is None:
        yield
        return
    # Most connectors of a small pull have none: what counts them is loaded when it is needed.
    from threadline.sync.budget import SharedBudget

    account = connector.account()
    budget = SharedBudget(database, f"{source.connector} {account}" if account else source.name, allowances)
    connector.budget = budget
    with closing(budget):
        yield


def _tokens(source: Source, database: str | None) -> Tokens:
    from threadline.sync.tokens import KEY, SharedTokens, UnkeptTokens

    holder = f"source {source.name}"
    key = os.environ.get(KEY)
    return SharedTokens(database, holder, key) if key and database else UnkeptTokens(holder)


def _allowances(connector: Connector[Any], source: Source) -> list[Allowance]:
    """Return what the vendor allows, or the part of it that threadline.yaml gives to threadline."""
    offered = connector.allowances()
    unknown = source.budget.keys() - {one.name for one in offered}
    if unknown:
        known = ", ".join(one.name for one in offered) or "none"
        raise ConfigError(f"{source.at}: source {source.name}: budget: no allowance {min(unknown)!r}; {source.connector} has: {known}")
    return [replace(one, calls=source.budget.get(one.name, one.calls)) for one in offered]


def _problem(source: Source, error: ValidationError, fields: Mapping[str, str]) -> ConfigError:
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if name in fields:
            return ConfigError(
                f"source {source.name}: no {name}: set the environment variable {variable(source.name, name)}, "
                f"or the {fields[name]} of the Airflow connection {source.name!r}"
            )
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or source.connector
    return ConfigError(f"{source.at}: source {source.name}: {where}: {first['msg'].removeprefix('Value error, ')}")
