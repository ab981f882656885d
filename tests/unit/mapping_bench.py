"""What the tests of mappings work with: a mapping from a text, its answer for a record, and its complaint."""

import json
from textwrap import dedent

import pytest

from threadline.mapping.compiled import PullMapping, PushMapping
from threadline.mapping.errors import MappingError
from threadline.mapping.files import read_pull, read_push
from threadline.mapping.library import describe
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import parse_yaml

FILE = "shop/things.yaml"


def pull(text, *, source="shop", region="DE", functions=None):
    """Compile a pull mapping."""
    text = dedent(text).lstrip("\n")
    return PullMapping(read_pull(parse_yaml(text, FILE)), source, text.encode(), region=region, functions=functions or {})


def push(text, *, region="DE", functions=None):
    """Compile a push mapping."""
    text = dedent(text).lstrip("\n")
    return PushMapping(read_push(parse_yaml(text, FILE)), text.encode(), region=region, functions=functions or {})


def party(fields="", *, names="", more="", **options):
    """Compile a mapping to a party that is named by `id`; `fields`, `names` (more identifiers) and `more` are lines of YAML."""
    lines, named = (block(text) or "  {}" for text in (fields, f"shop_person: id\n{names}"))
    return pull(f"source: shop.things\ntarget: party\nfields:\n{lines}\nidentifiers:\n{named}\n{dedent(more)}", **options)


def block(text):
    """Indent lines of YAML."""
    return "\n".join(f"  {line}" for line in dedent(text).strip().splitlines())


def case(fields="", *, more="", **options):
    """Compile a mapping to a case that needs nothing of its record."""
    own = [line.partition(":")[0] for line in dedent(fields).strip().splitlines()]
    given = {"status": "{default: pending}", "creation_date": "{default: 2026-01-02}"}
    rest = "\n".join(f"  {name}: {value}" for name, value in given.items() if name not in own)
    text = "\n".join(filter(None, ("source: shop.things\ntarget: case\nfields:", rest, block(fields), dedent(more).strip())))
    return pull(text, **options)


def raw(record):
    """Write a record as a source does; bytes are a record already."""
    return record if isinstance(record, bytes) else json.dumps(record).encode()


def made(mapping, record, key="K"):
    """Return what a mapping makes of a record, by name."""
    return describe(mapping, raw(record), key)


def value_of(value, record, field="name", **options):
    """Return what one value of a case comes to: `value` is YAML, a line or an indented block."""
    return made(case(f"{field}: {value}", **options), record).get(field)


def refused(mapping, record):
    """Return the error of a record that does not fit."""
    with pytest.raises(MappingError) as caught:
        mapping(raw(record), "K", bytes(16), bytes(16)) if isinstance(mapping, PullMapping) else mapping(record)
    return caught.value


def complaint(build, *arguments, **options):
    """Return the message with which a file is refused."""
    with pytest.raises(ConfigError) as caught:
        build(*arguments, **options)
    return str(caught.value)
