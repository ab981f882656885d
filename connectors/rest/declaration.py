"""What an API file may say, declared once: the reader, the JSON Schema for editors and the README follow from it."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from connectors.rest.auths import Auth, NoAuth
from connectors.rest.pagings import Cursor, Paging, Scalar
from connectors.rest.paths import Path

Parameters: TypeAlias = dict[str, Scalar]
Names: TypeAlias = str | tuple[str, ...]


class Variable(Struct, frozen=True, forbid_unknown_fields=True):
    """A value that threadline.yaml gives under `variables`."""

    about: Annotated[str, Meta(description="what it is, for whoever has to give it")] = ""
    default: Annotated[Scalar | None, Meta(description="what it is when threadline.yaml does not say; without it, it must be given")] = None


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the API may be called, by all processes together; Retry-After is obeyed besides."""

    requests: Annotated[int, Meta(description="calls", ge=1)]
    seconds: Annotated[float, Meta(description="within so many seconds", gt=0)] = 60


class Errors(Struct, frozen=True, forbid_unknown_fields=True):
    """What errors mean. Without it: 408, 425, 429 and 5xx pass, other errors stop a read and refuse one pushed record."""

    code: Annotated[Path | None, Meta(description="where an error's body has its code; found with status 200, it is an error too")] = None
    fine: Annotated[tuple[Scalar, ...], Meta(description="codes that are no error, such as ok, or 0")] = ()
    then: Annotated[
        dict[str, str],
        Meta(description="status or code: stop, retry, record (it concerns one record), skip (nothing is there), done (it was, before)"),
    ] = msgspec.field(default_factory=dict[str, str])


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """The cheapest call that proves address and credentials."""

    path: Annotated[str, Meta(description="relative to base_url")]
    parameters: Annotated[Parameters, Meta(description="of the query")] = msgspec.field(default_factory=dict[str, Scalar])


class Keyed(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="keyed"):
    """The records are the values of an object: {"7": {...}, "8": {...}}."""

    name: Annotated[str, Meta(description="the field that each record is given, with its name in that object")] = "id"


class Table(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="table"):
    """The records are arrays of values: [[7, "Ana"], [8, "Bo"]]."""

    columns: Annotated[
        # Not a `Path`: msgspec 0.20 frees the memory of a pattern twice where an array may stand instead.
        str | tuple[str, ...] | None,
        Meta(description="the fields' names, or where they stand in the body; the first row has them when not given"),
    ] = None


class Lines(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="lines"):
    """The body is no document: each of its lines is one (JSON Lines)."""


class One(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="one"):
    """There is a single record, no array."""


Shape: TypeAlias = Keyed | Table | Lines | One


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


class Deletes(Struct, frozen=True, forbid_unknown_fields=True):
    """A list of what was deleted, read before the stream itself: each entry becomes a record of its key and `_deleted: true`."""

    path: Annotated[str, Meta(description="relative to base_url")]
    key: Annotated[Names | None, Meta(description="an entry's fields that have the stream's key; one that is no object is the key")] = None
    method: Annotated[Literal["GET", "POST"], Meta(description="POST where a search has a body")] = "GET"
    parameters: Annotated[Parameters, Meta(description="of the query; one whose placeholder has no value is left out")] = msgspec.field(
        default_factory=dict[str, Scalar]
    )
    body: Annotated[dict[str, Any] | None, Meta(description="of a POST; entries whose placeholder has no value are left out")] = None
    records: Annotated[Path | None, Meta(description="where the entries stand; without it the body is the array")] = None
    paging: Annotated[Paging | None, Meta(description="how further pages are reached; without it there is one")] = None
    cursor: Annotated[Cursor | None, Meta(description="what is read next time; without it everything")] = None


class StreamFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of record that is read."""

    path: Annotated[str, Meta(description="relative to base_url")]
    key: Annotated[Names, Meta(description="the top-level fields that identify a record")]
    about: Annotated[str, Meta(description="what the records are")] = ""
    method: Annotated[Literal["GET", "POST"], Meta(description="POST where a search has a body")] = "GET"
    parameters: Annotated[Parameters, Meta(description="of the query; one whose placeholder has no value is left out")] = msgspec.field(
        default_factory=dict[str, Scalar]
    )
    body: Annotated[dict[str, Any] | None, Meta(description="of a POST; entries whose placeholder has no value are left out")] = None
    headers: Annotated[dict[str, str], Meta(description="besides those of all calls")] = msgspec.field(default_factory=dict[str, str])
    records: Annotated[Path | None, Meta(description="where the records stand; without it the body is the array")] = None
    shape: Annotated[Shape | None, Meta(description="what stands there, where it is no array of objects")] = None
    each: Annotated[Path | None, Meta(description="where the record stands in an element of the array")] = None
    may_lack: Annotated[bool, Meta(description="where there are no records, the API leaves `records` out")] = False
    add: Annotated[dict[str, Path], Meta(description="top-level fields that each record is given: name: where it stands in it")] = (
        msgspec.field(default_factory=dict[str, str])
    )
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
    deletes: Annotated[Deletes | None, Meta(description="another list, which tells what was deleted")] = None

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
    method: Annotated[Literal["GET", "POST"], Meta(description="POST where a search has a body")] = "GET"
    body: Annotated[dict[str, Any] | None, Meta(description="of a POST")] = None
    paging: Annotated[Paging | None, Meta(description="how further pages are reached; without it only the first is looked at")] = None
    equals: Annotated[str | None, Meta(description="what the field is, without regard to small and capital letters")] = None
    contains: Annotated[str | None, Meta(description="what the field's text contains")] = None


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Many records in one call, each with a result of its own, in the same order."""

    size: Annotated[int, Meta(description="records in one call, at most", ge=1)]
    items: Annotated[Path | None, Meta(description="where they stand in the body that is sent; without it the body is the array")] = None
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
    form: Annotated[bool, Meta(description="the body is sent as a form, not as JSON")] = False
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
