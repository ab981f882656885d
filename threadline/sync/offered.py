"""What a connector declares: its settings, its credentials, and what it offers with them. Nothing here logs in anywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from threadline.sdk.contract import Connector, PushObject, Settings, Stream, Target
from threadline.sdk.yamlfile import Document, Location, is_mapping


def found_files(document: Document, kind: type[Connector[Any]], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the paths of files that settings name begin beside threadline.yaml."""
    folder = Path(document.name).parent
    named = [
        name
        for name, info in kind.settings_type().model_fields.items()
        if is_mapping(info.json_schema_extra) and "file" in info.json_schema_extra
    ]
    found = {name: value for name in named if isinstance(value := settings.get(name), str) and value.endswith(".yaml")}
    return {**settings, **{name: str(folder / value) for name, value in found.items()}}


def credential_fields(kind: type[Connector[Any]]) -> Mapping[str, str]:
    """Return the credentials of a connector: settings field -> part of an Airflow connection (login, password, extra.<key>)."""
    found: dict[str, str] = {}
    for name, info in kind.settings_type().model_fields.items():
        extra = info.json_schema_extra
        if is_mapping(extra) and extra.get("credential"):
            found[name] = str(extra.get("connection"))
    return found


def variable(source: str, setting: str) -> str:
    """Return the environment variable that holds a credential."""
    return f"THREADLINE_{source}_{setting}".upper()


def check_settings(document: Document, at: Location, name: str, kind: type[Connector[Any]], settings: Mapping[str, Any]) -> None:
    """Refuse credentials in a file, and settings that are not as the connector declares them, with their place."""
    credentials = credential_fields(kind)
    for key in settings:
        if key in credentials:
            raise document.error((*at, "settings", key), f"`{key}` is a credential and must not stand in a file: set {variable(name, key)}")
    try:
        _with_absent(kind, settings)
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            location = problem["loc"]
            if not location or location[0] not in credentials:
                where = ".".join(str(part) for part in location)
                raise document.error(
                    (*at, "settings", *location), f"source {name}: {where or kind.name}: {_plain(problem['msg'])}"
                ) from None


def _with_absent(kind: type[Connector[Any]], settings: Mapping[str, Any]) -> Settings:
    """Validate settings whose credentials are not known: what they must be to each other is only looked at when none is missing."""
    fields = kind.settings_type().model_fields
    absent = {key: "absent" for key in credential_fields(kind) if fields[key].is_required()}
    return kind.settings_type().model_validate({**absent, **settings})


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Field required", "must be given")


def offered_streams(kind: type[Connector[Any]], settings: Mapping[str, Any]) -> Sequence[Stream]:
    """Return the streams of a source with these settings (credentials are not needed)."""
    return _without_credentials(kind, settings).available_streams()


def offered_objects(kind: type[Connector[Any]], settings: Mapping[str, Any]) -> Sequence[PushObject]:
    """Return what a source with these settings takes as a target (credentials are not needed)."""
    connector = _without_credentials(kind, settings)
    return connector.available_objects() if isinstance(connector, Target) else ()


def _without_credentials(kind: type[Connector[Any]], settings: Mapping[str, Any]) -> Connector[Any]:
    try:
        return kind(_with_absent(kind, settings))
    except ValidationError:
        return kind(kind.settings_type().model_construct(None, **_parsed(kind.settings_type(), settings)))


def _parsed(kind: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Parse each setting by itself, so that nested models are models although credentials are missing."""
    from pydantic import TypeAdapter

    return {
        name: TypeAdapter[Any](cast("Any", kind.model_fields[name].annotation)).validate_python(value) for name, value in settings.items()
    }
