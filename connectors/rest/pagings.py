"""How lists are paged, and what is read of them next time."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from connectors.rest.paths import Path

Scalar: TypeAlias = str | int | float | bool


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
    """Pages have numbers: `{page}`. With `{size}` they are made to overlap; without it, each is looked at a second time.

    Either shows what slips from one to another while the list is read.
    """

    first: Annotated[int, Meta(description="the first page's number", ge=0)] = 1
    size: Annotated[int, Meta(description="{size}: records on a page, at most; every smaller number must be taken too", ge=25)] = 100
    total: Annotated[Path | None, Meta(description="where the body says how many records there are")] = None
    total_header: Annotated[str | None, Meta(description="the header that says how many records there are")] = None
    pages: Annotated[Path | None, Meta(description="where the body says how many pages there are")] = None
    more: Annotated[Path | None, Meta(description="where the body has something as long as there is another page")] = None
    steady: Annotated[bool, Meta(description="the order is one that changes do not alter, as that of ids: no `{before}` is needed")] = False


class Offset(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="offset"):
    """A page has `{size}` records, and begins after so many: `{offset}`. Pages are made to overlap."""

    size: Annotated[int, Meta(description="records on a page, at most", ge=2)] = 100
    total: Annotated[Path | None, Meta(description="where the body says how many records there are")] = None
    total_header: Annotated[str | None, Meta(description="the header that says how many records there are")] = None
    more: Annotated[Path | None, Meta(description="where the body has something as long as there are more")] = None
    steady: Annotated[bool, Meta(description="the order is one that changes do not alter, as that of ids: no `{before}` is needed")] = False


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


class Token(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="token"):
    """An answer has a token of the list's state, and the next read asks for what changed since: `{since}`.

    It stands in a list's first page or in its last one; how the pages are reached is another matter.
    """

    at: Annotated[Path | None, Meta(description="where the token stands in the body")] = None
    header: Annotated[str | None, Meta(description="the header that has it, where the body has not")] = None
    address: Annotated[bool, Meta(description="the token is an address, which is called instead of `path`")] = False


Cursor: TypeAlias = Window | Position | Token
