"""What must fit together in an API file, beyond the shape of its parts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connectors.rest.declaration import (
    ApiFile,
    Call,
    CursorPaging,
    Keyset,
    NextUrl,
    ObjectFile,
    Offset,
    PageNumber,
    Position,
    Recheck,
    StreamFile,
    Window,
)
from connectors.rest.template import placeholders
from threadline.sdk.yamlfile import Document, Location, nearest

OUTCOMES = ("stop", "retry", "record", "skip")
_PAGED: dict[type[Any], str] = {CursorPaging: "cursor", PageNumber: "page", Offset: "offset", Keyset: "last"}
_OWN = ("after", "before", "size", *_PAGED.values(), "tie", "parent", "intent", "found", "key", "keys")


def check(document: Document, api: ApiFile) -> None:
    """Raise a ConfigError for the first rule that the file breaks."""
    if not api.streams and not api.push:
        raise document.error((), "an API file declares `streams`, `push`, or both")
    for name in api.variables:
        if name in _OWN:
            raise document.error(("variables", name), f"`{name}` has a meaning of its own; call the variable something else")
    for name, outcome in api.errors.then.items():
        if outcome not in OUTCOMES:
            raise document.error(("errors", "then", name), f"`{name}` becomes {outcome!r}{nearest(outcome, OUTCOMES)}")
    for place in ("base_url", "headers", "check", "auth"):
        _check_names(document, (place,), document.value.get(place), api.variables)
    for name, stream in api.streams.items():
        _check_stream(document, api, name, stream)
    for name, item in api.push.items():
        _check_object(document, api, name, item)


def _check_names(document: Document, at: Location, template: Any, known: Iterable[str], *, open_ended: Iterable[str] = ()) -> None:
    """Refuse placeholders that nothing gives a value; below the names in `open_ended`, anything may stand."""
    names, starts = set(known), tuple(f"{name}." for name in open_ended)
    for name in placeholders(template):
        if name not in names and not name.startswith(starts or ("\0",)):
            hints = [*names, *(f"{start}..." for start in starts)]
            raise document.error(at, f"nothing is called {{{name}}} here{nearest(name, hints)}")


def _check_stream(document: Document, api: ApiFile, name: str, stream: StreamFile) -> None:
    at: Location = ("streams", name)
    used = set(placeholders([stream.path, stream.parameters, stream.headers]))
    paged = _PAGED.get(type(stream.paging))
    known = [*api.variables, *(["after", "before"] if isinstance(stream.cursor, Window) else []), *([paged] if paged else [])]
    tied = isinstance(stream.paging, Keyset) and stream.paging.tie is not None
    if tied and "tie" not in used:
        raise document.error((*at, "paging"), f"no parameter of {name} has {{tie}}")
    known += ["tie"] if tied else []
    known += ["size"] if stream.paging and stream.paging.size else []
    for place in ("path", "parameters", "headers"):
        given = document.value["streams"][name].get(place)
        _check_names(document, (*at, place), given, known, open_ended=["parent"] if stream.parent else [])
    if isinstance(stream.paging, NextUrl | CursorPaging) and (stream.paging.at is None) == (stream.paging.header is None):
        raise document.error((*at, "paging"), "`paging` needs either `at`, a place in the body, or `header`")
    if paged and paged not in used:
        raise document.error((*at, "paging"), f"no parameter of {name} has {{{paged}}}, so that each page would be the first")
    if isinstance(stream.paging, PageNumber) and "size" not in used:
        raise document.error((*at, "paging"), f"no parameter of {name} has {{size}}: pages overlap by having different sizes")
    if stream.parent:
        _check_parent(document, api, at, stream)
    if stream.recheck:
        _check_recheck(document, api, at, stream, stream.recheck)
    _check_cursor(document, at, stream, used)


def _check_cursor(document: Document, at: Location, stream: StreamFile, used: set[str]) -> None:
    place = (*at, "cursor")
    if isinstance(stream.cursor, Position) and not isinstance(stream.paging, CursorPaging | NextUrl | Keyset):
        raise document.error(place, "a position can be kept with paging of kind cursor, next_url or keyset only")
    if not isinstance(stream.cursor, Window):
        return
    if "after" not in used and not isinstance(stream.paging, Keyset):
        raise document.error(
            place, "no parameter has {after}, so that each read would take everything; leave `cursor` out if that is meant"
        )
    if stream.cursor.start is not None and not _is_time(stream.cursor.start):
        raise document.error((*place, "start"), f"{stream.cursor.start!r} is no time such as 2020-01-01T00:00:00Z")
    if isinstance(stream.paging, PageNumber | Offset) and "before" not in used:
        raise document.error(
            (*at, "paging"),
            "records that change while they are read move about in the list, so that pages miss some: give a parameter {before}, "
            "which keeps those out, or use paging of kind keyset or cursor",
        )


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_parent(document: Document, api: ApiFile, at: Location, stream: StreamFile) -> None:
    assert stream.parent  # noqa: S101 - the caller has looked
    place = (*at, "parent")
    if stream.cursor:
        raise document.error((*at, "cursor"), "what stands below a parent is read when the parent changes: `cursor` belongs to the parent")
    if stream.parent.stream not in api.streams:
        raise document.error((*place, "stream"), f"no stream is named {stream.parent.stream!r}{nearest(stream.parent.stream, api.streams)}")
    seen = {at[-1]}
    above: StreamFile | None = stream
    while above and above.parent:
        if above.parent.stream in seen:
            raise document.error(place, "the parents lead round in a circle")
        seen.add(above.parent.stream)
        above = api.streams.get(above.parent.stream)


def _check_recheck(document: Document, api: ApiFile, at: Location, stream: StreamFile, recheck: Recheck) -> None:
    place = (*at, "recheck")
    if len(stream.keys) > 1:
        raise document.error(place, "records whose key has several fields cannot be asked for again")
    _check_names(document, (*place, "path"), recheck.path, [*api.variables, "key"])
    _check_names(document, (*place, "parameters"), recheck.parameters, [*api.variables, "key", "keys"])
    if len({"key", "keys"}.intersection(placeholders([recheck.path, recheck.parameters]))) != 1:
        raise document.error(place, "`recheck` needs {key} in its path or a parameter, or {keys} in a parameter")
    if "key" in placeholders([recheck.path, recheck.parameters]) and "skip" not in api.errors.then.values():
        raise document.error(place, 'no error says that a record is gone: errors: {then: {"404": skip}}')


def _check_object(document: Document, api: ApiFile, name: str, item: ObjectFile) -> None:
    at: Location = ("push", name)
    if not item.create and not item.update:
        raise document.error(at, f"`{name}` needs `create` or `update`")
    if item.find and not item.create:
        raise document.error((*at, "find"), "`find` goes with `create`")
    if item.find and (item.find.equals is None) == (item.find.contains is None):
        raise document.error((*at, "find"), "`find` needs either `equals` or `contains`")
    if item.create and item.update and not item.find:
        raise document.error(at, "with both `create` and `update`, `find` has to say which to do")
    if item.create and not item.find and "intent" not in placeholders([item.create.headers, item.create.body, item.create.path]):
        raise document.error(
            (*at, "create"),
            "an attempt that is repeated would make a second record: send {intent} as an idempotency key, or say with `find` "
            "how to see that the first has arrived",
        )
    for part, call in (("create", item.create), ("update", item.update)):
        if call:
            _check_call(document, api, (*at, part), item, call)


def _check_call(document: Document, api: ApiFile, at: Location, item: ObjectFile, call: Call) -> None:
    if call.batch and item.find:
        raise document.error((*at, "batch"), "`batch` does not go with `find`, which is one call for each record")
    if call.batch:
        for place in ("path", "headers"):
            _check_names(document, (*at, place), getattr(call, place), api.variables)
    if not (item.find and item.update is call) and any(each.startswith("found.") for each in placeholders([call.path, call.body])):
        raise document.error(at, "{found...} goes with `find`, in `update`")
