"""`threadline new connector --url`: a project for an API that is there, from what a look at one of its lists shows."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from posixpath import commonpath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from threadline.cli.survey import Answer, Survey, survey, yaml_text
from threadline.cli.survey_records import leaves_of
from threadline.sdk.errors import ConfigError

if TYPE_CHECKING:
    from threadline.sdk.http import Http

_AUTH = re.compile(r"none|basic|bearer|query:[A-Za-z0-9_.-]+|header:[A-Za-z0-9-]+(:[A-Za-z0-9-]+)?")
_EMAIL = re.compile(r"e-?_?mail", re.IGNORECASE)
_PHONE = re.compile(r"phone|mobile|^tel$", re.IGNORECASE)
_NAMES = ("name", "full_name", "fullname", "display_name", "displayname", "formatted_name", "real_name", "realname")
_INNER = ("", "attributes", "properties", "fields", "profile", "doc", "data")
"""Objects of a record that hold what it says of itself, and not of another one."""
_TITLES = ("subject", "title", "summary")
_CREATED = re.compile(r"^creat", re.IGNORECASE)


_SETTINGS = """\
database: sqlite:///threadline.db

sources:
  NAME:
    connector: rest
    settings: {api: apis/NAME.yaml}
"""


class Address(NamedTuple):
    """The address of a list, in the words of an API file."""

    path: str
    parameters: Mapping[str, str]
    stream: str


def described(name: str, urls: Sequence[str], auth: str) -> Mapping[str, str]:
    """Look at lists and return the files that say how they are read, by name; ConfigError where one is none."""
    if not _AUTH.fullmatch(auth):
        raise ConfigError(
            f"--auth {auth!r}: say none, basic, bearer, query:NAME, header:NAME or header:NAME:PREFIX, such as header:Authorization:Token"
        )
    base, places = _addresses(urls, auth)
    seen = [(place, _looked(name, base, place, auth)) for place in places]
    return {
        f"apis/{name}.yaml": "\n".join([*_head(name, base, auth), *chain(*(_stream(place, each) for place, each in seen))]) + "\n",
        **{f"mappings/rest/{name}/{place.stream}.yaml": _mapping(name, place.stream, each) for place, each in seen},
        "threadline.yaml": _SETTINGS.replace("NAME", name),
    }


def _addresses(urls: Sequence[str], auth: str) -> tuple[str, Sequence[Address]]:
    """Return the address that all of them begin with, and what each has besides."""
    split = [urlsplit(url) for url in urls]
    if any(parts.scheme not in ("http", "https") or not parts.hostname or parts.username for parts in split):
        raise ConfigError("--url: the address of a list, such as https://desk.example.com/api/people; credentials do not stand in it")
    if len({(parts.scheme, parts.netloc) for parts in split}) > 1:
        raise ConfigError("--url: lists of several hosts are several sources, each with an API file of its own")
    above = commonpath([parts.path.rstrip("/").rpartition("/")[0] or "/" for parts in split]).rstrip("/")
    base = f"{split[0].scheme}://{split[0].netloc}{above}"
    return base, [_address(parts.path.removeprefix(above).removeprefix("/"), parts.query, auth) for parts in split]


def _address(path: str, query: str, auth: str) -> Address:
    parameters = dict(parse_qsl(query))
    if auth.startswith("query:"):
        parameters.pop(auth.partition(":")[2], None)
    *above, last = path.rstrip("/").split("/")
    stream = re.sub(r"[^a-z0-9]+", "_", "/".join([*above, last.partition(".")[0]]).lower()).strip("_")
    return Address(path, parameters, stream if stream[:1].isalpha() else "records")


def _looked(name: str, base: str, place: Address, auth: str) -> Survey:
    """Look at one list: what is wrong with the first call is said, of the others a refusal is an answer."""
    from threadline.sdk.errors import ConnectorError, RetryableError
    from threadline.sdk.http import Http, retrying

    headers, parameters, basic = _credentials(name, auth)
    http = Http(name, base, auth=basic, headers={"Accept": "application/json, */*;q=0.1", **headers})

    def ask(given: Mapping[str, str]) -> Answer | None:
        def once() -> Answer | None:
            try:
                return _answer(http, place, {**place.parameters, **given, **parameters})
            except RetryableError as error:
                # Whoever says how long to wait has not looked at the parameters.
                if error.retry_after is not None:
                    raise
                return None
            except ConnectorError:
                return None

        return retrying(once)

    try:
        first = retrying(lambda: _answer(http, place, {**place.parameters, **parameters}))
        seen = survey(first, ask)
    finally:
        http.close()
    if seen is None:
        raise ConfigError(
            f"{place.path}: the answer has no array of objects; describe it by hand, see `shape` in the README of the rest connector"
        )
    return seen


def _answer(http: "Http", place: Address, query: Mapping[str, str]) -> Answer:
    response = http.once("GET", place.path or http.base_url, params=query)
    try:
        return Answer(msgspec.json.decode(response.content), {name.lower(): value for name, value in response.headers.items()})
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"{http.system} does not answer {place.path} in JSON; take the address of a list in its API") from None


def _credentials(name: str, auth: str) -> tuple[Mapping[str, str], Mapping[str, str], Any]:
    """Return headers, parameters and HTTP Basic, from the variables that the connector will read."""
    kind, called, prefix = _parts(auth)

    def given(field: str) -> str:
        variable = f"THREADLINE_{name}_{field}".upper()
        if variable not in os.environ:
            raise ConfigError(f"--auth {kind}: set {variable}, which the source will read too")
        return os.environ[variable]

    match kind:
        case "basic":
            return {}, {}, (given("user"), given("password"))
        case "bearer":
            return {"Authorization": f"Bearer {given('token')}"}, {}, None
        case "header":
            return {called: prefix + given("token")}, {}, None
        case "query":
            return {}, {called: given("token")}, None
        case _:
            return {}, {}, None


def _parts(auth: str) -> tuple[str, str, str]:
    """Return the kind, and the name and the prefix where it has them."""
    kind, _, rest = auth.partition(":")
    called, _, prefix = rest.partition(":")
    return kind, called, f"{prefix} " if prefix else ""


# The API file


def _head(name: str, base: str, auth: str) -> Iterator[str]:
    kind, called, prefix = _parts(auth)
    sent = "".join(f", {word}: {yaml_text(text)}" for word, text in (("name", called), ("prefix", prefix)) if text)
    yield f"# What a look at {name} showed. Each key is told in the documentation of the rest connector."
    yield f"base_url: {base}"
    if kind != "none":
        yield f"auth: {{kind: {kind}{sent}}}"
    yield "\nstreams:"


def _stream(place: Address, seen: Survey) -> Iterator[str]:
    yield f"  {place.stream}:"
    yield f"    path: {yaml_text(place.path)}"
    for word, texts in (("parameters", {**place.parameters, **seen.paging.parameters}), ("add", seen.add)):
        if texts:
            yield f"    {word}: {{{', '.join(f'{yaml_text(key)}: {yaml_text(value)}' for key, value in texts.items())}}}"
    if seen.place.records:
        yield f"    records: {yaml_text(seen.place.records)}"
    if seen.place.shape:
        yield f"    shape: {seen.place.shape}"
    if seen.place.each:
        yield f"    each: {yaml_text(seen.place.each)}"
    yield f"    key: {yaml_text(seen.key)}" if seen.key else "    key: id    # no field was seen that tells the records apart: name it"
    if seen.paging.paging:
        yield f"    paging: {seen.paging.paging}"
    else:
        yield "    # All came in one answer; where a longer list has pages: paging."
    yield from _hints(seen)


def _hints(seen: Survey) -> Iterator[str]:
    if not seen.changed:
        return
    by, form = seen.changed.field, "" if seen.changed.form == "rfc3339" else f", format: {yaml_text(seen.changed.form)}"
    if seen.since:
        yield f"    # The API takes {seen.since} for a bound. If that is one of {by}, only what changed need be read:"
    else:
        yield f"    # {by} seems to move with changes. If the API can be asked for what changed since, say how it calls that:"
    yield f'    #   parameters: {{{yaml_text(seen.since or "changed_since")}: "{{after}}"}}'
    yield f"    #   cursor: {{kind: window, by: {by}{form}}}"


# The mapping


def _mapping(name: str, stream: str, seen: Survey) -> str:
    leaves = list(leaves_of(seen.records[0]))
    email = _first(leaves, lambda path, value: bool(_EMAIL.search(path)) and "@" in value)
    phone = _first(leaves, lambda path, value: bool(_PHONE.search(path.rpartition(".")[2])) and any(map(str.isdigit, value)))
    title = _first(leaves, lambda path, _: path.lower() in _TITLES)
    created = _first(leaves, lambda path, value: bool(_CREATED.search(path)) and value[:2].isdigit())
    head = [
        "# What a record becomes. What else it holds can be said in the language of mappings (docs/mapping.md).",
        f"source: rest.{stream}",
    ]
    if title and created and not email:
        return "\n".join([*head, "target: case", "version: 1", "", *_case(title, created)]) + "\n"
    called = _first(leaves, lambda path, _: path.rpartition(".")[2].lower() in _NAMES and path.rpartition(".")[0] in _INNER)
    fields = [f"  formatted_name: {{from: {yaml_text(called)}, optional: true}}"] if called else []
    lines = [*head, "target: party", "version: 1", "", "fields:" if fields else "fields: {}", *fields, ""]
    lines += ["identifiers:", f"  {name}_{stream}: {yaml_text(seen.key or 'id')}"]
    lines += [f"  {kind}: {{from: {yaml_text(path)}, optional: true}}" for kind, path in (("email", email), ("phone", phone)) if path]
    return "\n".join(lines) + "\n"


def _case(title: str, created: str) -> Iterator[str]:
    yield "fields:"
    yield f"  name: {{from: {yaml_text(title)}, optional: true}}"
    yield "  status: {default: in_progress}    # which state is which: {from: state, lookup: {new: acknowledged, done: resolved}}"
    yield f"  creation_date: {yaml_text(created)}"


def _first(leaves: Sequence[tuple[str, Any]], fits: Callable[[str, str], bool]) -> str | None:
    return next((path for path, value in leaves if isinstance(value, str) and fits(path, value)), None)
