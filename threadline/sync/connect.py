"""Makes a source's connector from its settings and credentials."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from threadline.sdk.contract import Connector
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class
from threadline.sync.config import Source, credential_fields, variable


@contextmanager
def open_connector(source: Source, credentials: Mapping[str, str] | None = None) -> Generator[Connector[Any]]:
    """Make a source's connector, and close it afterwards. The environment's credentials win over those given."""
    kind = connector_class(source.connector)
    fields = credential_fields(kind)
    found = {name: value for name in fields if (value := os.environ.get(variable(source.name, name)) or (credentials or {}).get(name))}
    try:
        settings = kind.settings_type().model_validate({**source.settings, **found})
    except ValidationError as error:
        raise _problem(source, error, fields) from None
    connector = kind(settings)
    try:
        yield connector
    finally:
        connector.close()


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
