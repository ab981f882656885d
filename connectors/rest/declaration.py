"""What an API file may say, declared once: the reader, the JSON Schema for editors and the README follow from it."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

Path: TypeAlias = Annotated[str, Meta(pattern=r"^[^.]+(\.[^.]+)*$")]
"""Names joined by dots, into a JSON document."""
Scalar: TypeAlias = str | int | float | bool
Parameters: TypeAlias = dict[str, Scalar]
Names: TypeAlias = str | tuple[str, ...]


class Variable(Struct, frozen=True, forbid_unknown_fields=True):
    """A value that threadline.yaml gives under `variables`."""

    about: Annotated[str, Meta(description="what it is, for whoever has to give it")] = ""
    default: Annotated[Scalar | None, Meta(description="what it is when threadline.yaml does not say; without it, it must be given")] = None


class NoAuth(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """No credentials."""


class Basic(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="basic"):
    """HTTP Basic (RFC 7617); credentials `user` and `password`."""


class Bearer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bearer"):
    """A bearer token (RFC 6750); credential `token`."""


class Header(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="header"):
    """A header of the vendor's own; credential `token`."""

    name: Annotated[str, Meta(description="the header's name, such as X-Api-Key", pattern="^[A-Za-z0-9-]+$")]
    prefix: Annotated[str, Meta(description="what stands before the token")] = ""


class ClientCredentials(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="client_credentials"):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); credentials `client_id` and `client_secret`."""

    token_url: Annotated[str, Meta(description="the token endpoint: a path, or an address, which may be of another host")]
    scope: Annotated[str | None, Meta(description="scopes, separated by blanks")] = None
    client: Annotated[Literal["basic", "body"], Meta(description="client_id and client_secret go in a header, or in the body")] = "basic"
    form: Annotated[dict[str, str], Meta(description="what the token endpoint wants besides, such as an audience")] = msgspec.field(
        default_factory=dict[str, str]
    )


class RefreshToken(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="refresh_token"):
    """OAuth 2.0 refresh token (RFC 6749, 6); credentials `client_id`, `client_secret` and `refresh_token`."""

    token_url: Annotated[str, Meta(description="the token endpoint: a path, or an address, which may be of another host")]
    scope: Annotated[str | None, Meta(description="scopes, separated by blanks")] = None
    client: Annotated[Literal["basic", "body"], Meta(description="client_id and client_secret go in a header, or in the body")] = "basic"
    form: Annotated[dict[str, str], Meta(description="what the token endpoint wants besides, such as an audience")] = msgspec.field(
        default_factory=dict[str, str]
    )


Auth: TypeAlias = NoAuth | Basic | Bearer | Header | ClientCredentials | RefreshToken


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the API may be called, by all processes together; Retry-After is obeyed besides."""

    requests: Annotated[int, Meta(description="calls", ge=1)]
    seconds: Annotated[float, Meta(description="within so many seconds", gt=0)] = 60


class Errors(Struct, frozen=True, forbid_unknown_fields=True):
    """What errors mean. Without it: 408, 425, 429 and 5xx pass, other errors stop a read and refuse one pushed record."""

    code: Annotated[Path | None, Meta(description="where an error's body has its code; found with status 200, it is an error too")] = None
    then: Annotated[
        dict[str, str], Meta(description="status or code: stop, retry, record (it concerns one record) or skip (nothing is there)")
    ] = msgspec.field(default_factory=dict[str, str])


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """The cheapest call that proves address and credentials."""

    path: Annotated[str, Meta(description="relative to base_url")]
    parameters: Annotated[Parameters, Meta(description="of the query")] = msgspec.field(default_factory=dict[str, Scalar])


class Link(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="link"):
    """The next page's address stands in the Link header (RFC 8288), as rel="next"."""

    size: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="records on a page, at most: {size}")] = None


class NextUrl(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="next_url"):
    """The next page's address stands in the body, or in a header of the vendor's own."""

    at: Annotated[Path | None, Meta(description="where it stands in the body")] = None
    header: Annotated[str | None, Meta(description="the header that has it, where the body has not")] = None
    more: Annotated[Path | None, Meta(description="where the body says whether there is more")] = None
    done: Annotated[Path | None, Meta(description="where the body says whether that was all")] = None
    size: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="records on a page, at most: {size}")] = None


class CursorPaging(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cursor"):
    """The answer has a cursor, which a parameter takes back as `{cursor}`."""

    at: Annotated[Path | None, Meta(description="where it stands in the body")] = None
    header: Annotated[str | None, Meta(description="the header that has it, where the body has not")] = None
    more: Annotated[Path | None, Meta(description="where the body says whether there is more")] = None
    done: Annotated[Path | None, Meta(description="where the body says whether that was all")] = None
    size: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="records on a page, at most: {size}")] = None


class PageNumber(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="page"):
    """Pages of `{size}` records have numbers: `{page}`. They are made to overlap, so that what slips from one to another is noticed."""

    first: Annotated[int, Meta(description="the first page's number", ge=0)] = 1
    size: Annotated[int, Meta(description="records on a page, at most; every smaller number must be taken too", ge=25)] = 100
    total: Annotated[Path | None, Meta(description="where the body says how many records there are")] = None
    total_header: Annotated[str | None, Meta(description="the header that says how many records there are")] = None


class Offset(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="offset"):
    """A page has `{size}` records, and begins after so many: `{offset}`. Pages are made to overlap."""

    size: Annotated[int, Meta(description="records on a page, at most", ge=2)] = 100
    total: Annotated[Path | None, Meta(description="where the body says how many records there are")] = None
    total_header: Annotated[str | None, Meta(description="the header that says how many records there are")] = None


class Keyset(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="keyset"):
    """A page begins after, or at, a field's value in the page's last record: `{last}`. Records come in the field's order."""

    field: Annotated[Path, Meta(description="the field that the records are in order of: an id, or the time of the last change")]
    size: Annotated[int, Meta(description="records in a full page: {size}", ge=1)]
    start: Annotated[Scalar | None, Meta(description="what {last} is at first; without it, its parameter is left out")] = None
    tie: Annotated[
        Path | None, Meta(description="what records with the same value are in order of, such as an id: {tie} of the last one")
    ] = None
    tie_start: Annotated[Scalar, Meta(description="what {tie} is at first")] = ""


Paging: TypeAlias = Link | NextUrl | CursorPaging | PageNumber | Offset | Keyset


class Window(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="window"):
    """Each read takes what changed from `{after}` to `{before}`; the bounds are parameters' placeholders."""

    by: Annotated[str, Meta(description="the time that moves with every change")]
    format: Annotated[
        str,
        Meta(
            description="how times are written: rfc3339, unix, unix_ms, or a pattern as of strftime, in UTC",
            pattern="^(rfc3339|unix|unix_ms|.*%.*)$",
        ),
    ] = "rfc3339"
    overlap: Annotated[int, Meta(description="seconds that are read again, for changes that become visible late", ge=1)] = 60
    start: Annotated[str | None, Meta(description="what {after} is at first (RFC 3339); without it, its parameter is left out")] = None


class Position(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="position"):
    """The place where the last page ended is kept, and the next read goes on from there: a cursor that stays good, or an id."""


Cursor: TypeAlias = Window | Position


class Parent(Struct, frozen=True, forbid_unknown_fields=True):
    """The stream whose records have these below them: `{parent.id}` stands for a field of the parent."""

    stream: Annotated[str, Meta(description="the parents' stream")]
    add: Annotated[dict[str, Path], Meta(description="fields that each record is given: name: the parent's field")] = msgspec.field(
        default_factory=dict[str, str]
    )


class Pairs(Struct, frozen=True, forbid_unknown_fields=True):
    """An array of names and values, such as [{"key": "colour", "value": "red"}]."""

    at: Annotated[Path, Meta(description="where the array stands in a record")]
    name: Annotated[str, Meta(description="the field of an element that has the name")] = "key"
    value: Annotated[str, Meta(description="the field of an element that has the value")] = "value"


class Recheck(Struct, frozen=True, forbid_unknown_fields=True):
    """How records are asked for again by their keys, so that a sweep finds those that are gone, where no list tells of it."""

    path: Annotated[
        str, Meta(description="relative to base_url; with {key}, a call for each record, whose error `skip` says that it is gone")
    ]
    parameters: Annotated[Parameters, Meta(description="of the query; with {keys}, joined by commas, a call for many")] = msgspec.field(
        default_factory=dict[str, Scalar]
    )
    size: Annotated[int, Meta(description="how many are asked for with {keys} at once", ge=1)] = 50
    records: Annotated[Path | None, Meta(description="where the array of records stands; without it the body is the array")] = None


class StreamFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of record that is read."""

    path: Annotated[str, Meta(description="relative to base_url")]
    key: Annotated[Names, Meta(description="the top-level fields that identify a record")]
    about: Annotated[str, Meta(description="what the records are")] = ""
    parameters: Annotated[Parameters, Meta(description="of the query; one whose placeholder has no value is left out")] = msgspec.field(
        default_factory=dict[str, Scalar]
    )
    headers: Annotated[dict[str, str], Meta(description="besides those of all calls")] = msgspec.field(default_factory=dict[str, str])
    records: Annotated[Path | None, Meta(description="where the array of records stands; without it the body is the array")] = None
    mapping: Annotated[str | None, Meta(description="mapping file; rest/<name of this file>/<stream> when not given")] = None
    paging: Annotated[Paging | None, Meta(description="how further pages are reached; without it there is one")] = None
    cursor: Annotated[Cursor | None, Meta(description="what is read next time; without it everything")] = None
    deleted: Annotated[
        dict[str, Any] | None, Meta(description="field: value, or values, of a deleted record: it is marked with `_deleted: true`")
    ] = None
    pairs: Annotated[
        dict[str, Pairs], Meta(description="fields that each record is given: an object made of an array of names and values")
    ] = msgspec.field(default_factory=dict[str, Pairs])
    volatile: Annotated[
        tuple[str, ...],
        Meta(description="top-level fields that differ with each read, such as an age: left out, so that nothing looks changed"),
    ] = ()
    parent: Annotated[Parent | None, Meta(description="whose records these stand below")] = None
    recheck: Annotated[Recheck | None, Meta(description="how a sweep asks for records that no list tells of")] = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields of the key."""
        return (self.key,) if isinstance(self.key, str) else self.key


class Find(Struct, frozen=True, forbid_unknown_fields=True):
    """How a record that is there already is found: by the value of one of its fields."""

    path: Annotated[str, Meta(description="relative to base_url")]
    field: Annotated[Path, Meta(description="the field of a found record that is looked at")]
    parameters: Annotated[Parameters, Meta(description="of the query")] = msgspec.field(default_factory=dict[str, Scalar])
    records: Annotated[Path | None, Meta(description="where the array of records stands; without it the body is the array")] = None
    paging: Annotated[Paging | None, Meta(description="how further pages are reached; without it only the first is looked at")] = None
    equals: Annotated[str | None, Meta(description="what the field is, without regard to small and capital letters")] = None
    contains: Annotated[str | None, Meta(description="what the field's text contains")] = None


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Many records in one call, each with a result of its own, in the same order."""

    size: Annotated[int, Meta(description="records in one call, at most", ge=1)]
    items: Annotated[Path, Meta(description="where they stand in the body that is sent")]
    results: Annotated[Path | None, Meta(description="where their results stand in the answer; without it the answer is the array")] = None
    error: Annotated[Path | None, Meta(description="where a result has its error; errors.code is looked for in there")] = None


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """One call that writes."""

    method: Annotated[str, Meta(description="POST, PUT, PATCH or DELETE", pattern="^(POST|PUT|PATCH|DELETE)$")]
    path: Annotated[str, Meta(description="relative to base_url; {name} is a field of the record that is pushed")]
    body: Annotated[dict[str, Any] | None, Meta(description="what is sent; the whole record when not given")] = None
    headers: Annotated[dict[str, str], Meta(description="{intent} is the same for each attempt: an idempotency key")] = msgspec.field(
        default_factory=dict[str, str]
    )
    batch: Annotated[Batch | None, Meta(description="many records in one call")] = None


class ObjectFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of record that is written: created, updated, or either, as `find` says."""

    about: Annotated[str, Meta(description="what it is")] = ""
    create: Annotated[Call | None, Meta(description="makes a record; it needs {intent} or `find`, so that none is made twice")] = None
    update: Annotated[Call | None, Meta(description="changes a record; {found.id} is a field of the one that `find` found")] = None
    find: Annotated[Find | None, Meta(description="with `create`: whether an earlier attempt has arrived; with both: which to do")] = None
    id: Annotated[Path | None, Meta(description="where the answer has the record's id")] = None


class ApiFile(Struct, frozen=True, forbid_unknown_fields=True):
    """An API file."""

    streams: Annotated[dict[str, StreamFile], Meta(description="what is read, by stream name")] = msgspec.field(
        default_factory=dict[str, StreamFile]
    )
    push: Annotated[dict[str, ObjectFile], Meta(description="what is written, by object name")] = msgspec.field(
        default_factory=dict[str, ObjectFile]
    )
    about: Annotated[str, Meta(description="which API, which version")] = ""
    base_url: Annotated[str | None, Meta(description="the address that paths begin at; the setting base_url wins")] = None
    variables: Annotated[dict[str, Variable], Meta(description="what threadline.yaml may say besides, by name")] = msgspec.field(
        default_factory=dict[str, Variable]
    )
    auth: Annotated[Auth, Meta(description="which credentials, and how they are sent")] = msgspec.field(default_factory=NoAuth)
    headers: Annotated[dict[str, str], Meta(description="of all calls")] = msgspec.field(default_factory=dict[str, str])
    rate: Annotated[Rate | None, Meta(description="how often the API may be called")] = None
    errors: Annotated[Errors, Meta(description="what errors mean")] = msgspec.field(default_factory=Errors)
    check: Annotated[Check | None, Meta(description="what `threadline check` calls; the first stream's first page when not given")] = None
