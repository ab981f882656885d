"""Reading an API file: what is wrong in it is said with file, line and the nearest spelling."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from connectors.rest.declaration import ApiFile, StreamFile
from connectors.rest.pagings import Offset, PageNumber
from connectors.rest.request import texts_of
from connectors.rest.rules import check
from connectors.rest.template import placeholders
from threadline.sdk import ConfigError
from threadline.sdk.yamlfile import Document, Location, is_mapping, nearest, parse_yaml, read_yaml

_SUFFIX = ".yaml"


def load_api(name: str) -> ApiFile:
    """Return the API file of a path, or the shipped one of a name; ConfigError when it is not there or not right."""
    if not name.endswith(_SUFFIX):
        return _shipped(name)
    path = Path(name)
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None
    return _read(path, stat.st_mtime_ns, stat.st_size)


def short_name(name: str) -> str:
    """Return what an API file is called: its name without folder and ending."""
    return Path(name).stem if name.endswith(_SUFFIX) else name


def smaller_pages(api: ApiFile, size: int | None) -> ApiFile:
    """Return the file with pages of at most so many records; ValueError where that is too few to read on."""
    return api if size is None else replace(api, streams={name: _smaller(name, each, size) for name, each in api.streams.items()})


def _smaller(name: str, stream: StreamFile, size: int) -> StreamFile:
    paging = stream.paging
    if paging is None or paging.size is None or paging.size <= size or "size" not in placeholders(texts_of(stream)):
        return stream
    least = 25 if isinstance(paging, PageNumber) else 2 if isinstance(paging, Offset) else 1
    if size < least:
        raise ValueError(f"{name} cannot be read in pages of {size}; take {least} or more")
    return replace(stream, paging=replace(paging, size=size))


@cache
def _read(path: Path, _changed: int, _size: int) -> ApiFile:
    return read_api(read_yaml(path))


@cache
def _shipped(name: str) -> ApiFile:
    folder = files("connectors.rest").joinpath("apis")
    known = sorted(entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX))
    if name not in known:
        raise ConfigError(f"no API file {name!r} is shipped{nearest(name, known)}; one of your own is named with .yaml at its end")
    return read_api(parse_yaml(folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"))


def read_api(document: Document) -> ApiFile:
    """Return what a document declares; ConfigError for the first thing that is wrong in it."""
    _check_struct(document, (), document.value, [ApiFile])
    api = msgspec.convert(document.value, ApiFile)
    check(document, api)
    return api


def _check(document: Document, at: Location, value: Any, kind: Any) -> None:
    structs = [each for each in _alternatives(kind) if isinstance(each, type) and issubclass(each, Struct)]
    if structs and value is not None:
        _check_struct(document, at, value, structs)
    elif entries := _entries(kind):
        for name, entry in document.check_keys(at, value, value if is_mapping(value) else (), f"`{at[-1]}`").items():
            _check_struct(document, (*at, name), entry, [entries])
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise document.error(at, f"`{at[-1]}`: {str(error).partition(' - at ')[0]}") from None


def _check_struct(document: Document, at: Location, value: Any, kinds: list[type[Struct]]) -> None:
    what = f"`{at[-1]}`" if at else "an API file"
    tags = {str(kind.__struct_config__.tag): kind for kind in kinds if kind.__struct_config__.tag}
    kind = _tagged(document, at, value, tags) if tags else kinds[0]
    declared = {each.encode_name: each for each in fields(kind)}
    given = document.check_keys(at, value, [*declared, *(["kind"] if tags else [])], what)
    for name, each in declared.items():
        if name in given:
            _check(document, (*at, name), given[name], each.type)
        elif each.required:
            raise document.error(at, f"{what} needs `{name}`")


def _tagged(document: Document, at: Location, value: Any, kinds: Mapping[str, type[Struct]]) -> type[Struct]:
    tag = value.get("kind") if is_mapping(value) else None
    if not isinstance(tag, str) or tag not in kinds:
        named = f"is {tag!r}" if tag is not None else "is missing"
        place = (*at, "kind") if tag is not None else at
        raise document.error(place, f"`{at[-1]}` is a mapping with a `kind`, which {named}{nearest(str(tag), kinds)}")
    return kinds[tag]


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            yield from _alternatives(each)
    else:
        yield kind


def _entries(kind: Any) -> type[Struct] | None:
    """Return what a mapping of names to structs has as its values."""
    for each in _alternatives(kind):
        if get_origin(each) is dict and isinstance(entry := get_args(each)[1], type) and issubclass(entry, Struct):
            return entry
    return None
