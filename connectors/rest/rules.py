"""What must fit together in an API file, beyond the shape of its parts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connectors.rest.auths import Login
from connectors.rest.declaration import ApiFile, Call, Deletes, Find, Lines, ObjectFile, One, Recheck, StreamFile, Table
from connectors.rest.pagings import CursorPaging, Keyset, Link, NextUrl, Offset, PageNumber, Position, Token, Window
from connectors.rest.request import texts_of
from connectors.rest.template import placeholders
from threadline.sdk.yamlfile import Document, Location, nearest

OUTCOMES = ("stop", "retry", "record", "skip", "done")
_PAGED: dict[type[Any], str] = {CursorPaging: "cursor", PageNumber: "page", Offset: "offset", Keyset: "last"}
_OWN = ("after", "before", "since", "size", *_PAGED.values(), "tie", "parent", "intent", "found", "key", "keys")


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
    for place in ("base_url", "headers", "check"):
        _check_names(document, (place,), document.value.get(place), api.variables)
    if isinstance(api.auth, Login):
        _check_names(document, ("auth", "body"), api.auth.body, ("user", "password"))
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
    if stream.parent:
        _check_parent(document, api, at, stream)
    _check_list(document, api, at, stream, ["parent"] if stream.parent else [])
    if stream.recheck:
        _check_recheck(document, api, at, stream, stream.recheck)
    if stream.deletes:
        _check_deletes(document, api, at, stream, stream.deletes)
    _check_shape(document, at, stream)


def _check_list(document: Document, api: ApiFile, at: Location, stream: StreamFile | Deletes, above: Iterable[str]) -> None:
    """Check a call that is paged, and read on from a cursor."""
    used = set(placeholders(texts_of(stream)))
    given = _value(document, at)
    for place in ("path", "parameters", "headers", "body"):
        _check_names(document, (*at, place), given.get(place), [*api.variables, *_known(stream)], open_ended=above)
    if stream.body is not None and stream.method != "POST":
        raise document.error((*at, "body"), "a `body` needs `method: POST`")
    _check_paging(document, at, stream, used)
    _check_cursor(document, at, stream, used)


def _value(document: Document, at: Location) -> Any:
    value = document.value
    for part in at:
        value = value[part]
    return value


def _known(stream: StreamFile | Deletes) -> list[str]:
    """Return the placeholders that the paging and the cursor of a list give values to."""
    paged = _PAGED.get(type(stream.paging))
    names = [paged] if paged else []
    names += ["tie"] if isinstance(stream.paging, Keyset) and stream.paging.tie else []
    names += ["size"] if stream.paging and stream.paging.size else []
    names += ["after", "before"] if isinstance(stream.cursor, Window) else []
    return [*names, *(["since"] if isinstance(stream.cursor, Token) and not stream.cursor.address else [])]


def _check_paging(document: Document, at: Location, stream: StreamFile | Deletes, used: set[str]) -> None:
    place, name = (*at, "paging"), at[-1]
    paged = _PAGED.get(type(stream.paging))
    if isinstance(stream.paging, Keyset) and stream.paging.tie is not None and "tie" not in used:
        raise document.error(place, f"no parameter of {name} has {{tie}}")
    if isinstance(stream.paging, NextUrl | CursorPaging) and (stream.paging.at is None) == (stream.paging.header is None):
        raise document.error(place, "`paging` needs either `at`, a place in the body, or `header`")
    if paged and paged not in used:
        raise document.error(place, f"no parameter of {name} has {{{paged}}}, so that each page would be the first")
    if isinstance(stream.paging, PageNumber) and "size" not in used and (stream.paging.total or stream.paging.total_header):
        raise document.error(
            place,
            f"no parameter of {name} has {{size}}: of pages as the API makes them, `total` does not tell which is the last",
        )


def _check_cursor(document: Document, at: Location, stream: StreamFile | Deletes, used: set[str]) -> None:
    place = (*at, "cursor")
    match stream.cursor:
        case Position():
            if not isinstance(stream.paging, CursorPaging | NextUrl | Keyset):
                raise document.error(place, "a position can be kept with paging of kind cursor, next_url or keyset only")
        case Token():
            _check_token(document, at, stream, stream.cursor, used)
        case Window():
            _check_window(document, at, stream, stream.cursor, used)
        case _:
            pass


def _check_token(document: Document, at: Location, stream: StreamFile | Deletes, token: Token, used: set[str]) -> None:
    place = (*at, "cursor")
    if (token.at is None) == (token.header is None):
        raise document.error(place, "a token needs either `at`, a place in the body, or `header`")
    if not token.address and "since" not in used:
        raise document.error(place, "no parameter has {since}, so that each read would take everything")
    if token.address and not isinstance(stream.paging, Link | NextUrl | None):
        raise document.error(place, "a token that is an address goes with paging of kind link or next_url")


def _check_window(document: Document, at: Location, stream: StreamFile | Deletes, window: Window, used: set[str]) -> None:
    place = (*at, "cursor")
    if "after" not in used and not isinstance(stream.paging, Keyset):
        raise document.error(
            place, "no parameter has {after}, so that each read would take everything; leave `cursor` out if that is meant"
        )
    if window.start is not None and not _is_time(window.start):
        raise document.error((*place, "start"), f"{window.start!r} is no time such as 2020-01-01T00:00:00Z")
    if isinstance(stream.paging, PageNumber | Offset) and "before" not in used and not stream.paging.steady:
        raise document.error(
            (*at, "paging"),
            "records that change while they are read move about in the list, so that pages miss some: give a parameter {before}, "
            "which keeps those out, or sort by what does not change, such as an id, and say `steady: true`, "
            "or use paging of kind keyset or cursor",
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


def _check_deletes(document: Document, api: ApiFile, at: Location, stream: StreamFile, deletes: Deletes) -> None:
    place = (*at, "deletes")
    if stream.parent:
        raise document.error(place, "what stands below a parent has no `deletes` of its own")
    names = (deletes.key,) if isinstance(deletes.key, str) else deletes.key
    if names and len(names) != len(stream.keys):
        raise document.error((*place, "key"), f"the key of {at[-1]} has {len(stream.keys)} fields, and this one {len(names)}")
    _check_list(document, api, place, deletes, [])


def _check_shape(document: Document, at: Location, stream: StreamFile) -> None:
    place = (*at, "shape")
    if isinstance(stream.shape, Lines) and stream.records:
        raise document.error(place, "a body of lines is no document that `records` could lead into")
    if isinstance(stream.shape, Table) and stream.each:
        raise document.error(place, "a row of a table has no `each`")
    if isinstance(stream.shape, One) and isinstance(stream.paging, PageNumber | Offset | Keyset):
        raise document.error(place, "a single record has no such pages")


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
    if item.find:
        _check_find(document, (*at, "find"), item.find)
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


def _check_find(document: Document, at: Location, find: Find) -> None:
    if (find.equals is None) == (find.contains is None):
        raise document.error(at, "`find` needs either `equals` or `contains`")
    if find.body is not None and find.method != "POST":
        raise document.error((*at, "body"), "a `body` needs `method: POST`")


def _check_call(document: Document, api: ApiFile, at: Location, item: ObjectFile, call: Call) -> None:
    if call.form and call.batch:
        raise document.error((*at, "form"), "a form has one record: it does not go with `batch`")
    if call.batch and item.find:
        raise document.error((*at, "batch"), "`batch` does not go with `find`, which is one call for each record")
    if call.batch:
        for place in ("path", "headers"):
            _check_names(document, (*at, place), getattr(call, place), api.variables)
    if not (item.find and item.update is call) and any(each.startswith("found.") for each in placeholders([call.path, call.body])):
        raise document.error(at, "{found...} goes with `find`, in `update`")
