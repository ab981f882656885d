"""No name, path or literal of a mapping file can become code: each comes through exactly as it is written."""

import builtins
import json
import re
from pathlib import Path

import pytest

from tests.unit.mapping_bench import case, made, party, pull, push, raw
from threadline.mapping import codegen, compiled, emit, rows

SOURCE = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (codegen, compiled, emit, rows))

QUOTES = [
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "\\'",
    '\\"',
    "`",
    "#",
    "# noqa",
    ";",
    "{",
    "}",
    "{}",
    "{{x}}",
    "{r}",
    "{r.f0}",
    "%s",
    "%(a)s",
    "$",
    "$x",
]
SPACES = ["a\nb", "a\r\nb", "\t", "\x00", "\x1f", "\x7f", "\x85", "\u2028", "\u202e", " ", "  x  "]
CODE = [
    "); raise SystemExit(1) #",
    "'] + [__import__('os').system('true')] + ['", "__import__('os')", "__class__", "def apply():", "return", "import os", "lambda",
]  # fmt: skip
NAMES = [
    "f0",
    "r",
    "raw",
    "s",
    "v",
    "v1",
    "k0",
    "whole",
    "failed",
    "parties",
    "parties_first",
    "key",
    "record_id",
    "run_id",
    "None",
    "True",
]
WORDS = ["\\N{DIGIT ONE}", "\\u0041", "😀", "é", "e\u0301", "ﬁ", "-", "*", "&", "!", "null", "~", "1", "0123", "1.5", "true"]
HOSTILE = [*QUOTES, *SPACES, *CODE, *NAMES, *WORDS]


def quoted(text):
    """Write a text as YAML, in double quotes."""
    return json.dumps(text)


def braced(text):
    """Write a text as templates do."""
    return text.replace("{", "{{").replace("}", "}}")


@pytest.fixture
def written(monkeypatch):
    """Collect the text of each function that is compiled for a mapping."""
    texts = []

    def record(source, filename, mode, *rest, **options):
        texts.extend([source] * (filename == "<mapping>"))
        return compile_(source, filename, mode, *rest, **options)

    compile_ = builtins.compile
    monkeypatch.setattr(builtins, "compile", record)
    return texts


def test_the_code_does_not_depend_on_literals(written):
    texts = [text for text in HOSTILE if text != "*"]  # in a condition that is a word of the language
    for text in texts:
        case(
            f"name: {{from: a, lookup: {{{quoted(text)}: {quoted(text)}}}, otherwise: {quoted(text)}, default: {quoted(text)}}}\n"
            f"description: {{template: {quoted('{a}<' + braced(text))}, when: {{a: {quoted(text)}, b: [{quoted(text)}]}}}}\n"
            f"priority: {{from: l, where: {{a: {quoted(text)}}}}}",
            source=text,
        )
    assert len(written) == len(texts)
    assert len(set(written)) == 1
    assert set(re.findall(r"[^\W\d]+", written[0])) <= set(re.findall(r"[^\W\d]+", SOURCE)), "made of the compiler's own words"


def test_the_code_does_not_depend_on_names(written):
    for text in HOSTILE:
        names = f"[{quoted('x' + text)}]"
        path, each = f"{{from: {names}}}", f"{{each: {names}, take: {names}}}"
        pull(
            f"source: s.o\ntarget: interaction\nfields: {{direction: {path}, channel: {path}, interaction_date: {path}}}\n"
            f"parties: [{{role: agent, when: {names}, identifiers: {{{quoted(text)}: {path}}}}}]\n"
            f"message: {{fields: {{content: {path}, receivers: {each}}}}}\nextensions: {{{quoted(text)}: {path}}}\n"
        )
    # One way for names that a type can have, one for those with quotes, backslashes and control characters.
    assert len(written) == len(HOSTILE)
    assert len(set(written)) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_comes_through(text):
    assert made(case(f"name: {{default: {quoted(text)}}}"), {})["name"] == text
    table = f"{{from: a, lookup: {{{quoted(text)}: {quoted(text)}}}, otherwise: other}}"
    assert made(case(f"name: {table}"), {"a": text})["name"] == text
    assert made(case(f"name: {{from: a, lookup: {{x: y}}, otherwise: {quoted(text)}}}"), {"a": 1})["name"] == text
    for wanted in (quoted(text), f"[x, {quoted(text)}]"):
        chosen = case(f"name: {{template: y, when: {{a: {wanted}}}}}")
        assert made(chosen, {"a": text})["name"] == "y"
        assert text == "*" or "name" not in made(chosen, {"a": f"{text}?"})
    found = made(case(f"name: {{from: a, where: {{b: {quoted(text)}}}, take: c}}"), {"a": [{"b": "x", "c": 1}, {"b": text, "c": 2}]})
    assert found["name"] == "2"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text != "$"])
def test_a_name_comes_through_in_a_path(text):
    path = f"[{quoted(text)}]"
    inner = f"[a, {quoted(text)}, b]"
    for more in ("", "extensions: {all: $, a: a}"):
        mapping = case(f"name: {{from: {path}}}\ndescription: {{from: {inner}}}\npriority: {{template: y, when: {path}}}", more=more)
        found = made(mapping, {text: "v", "a": {text: {"b": "w"}}} | ({"a": {text: {"b": "w"}}} if text != "a" else {}))
        assert (found["name"], found["description"], found["priority"]) == ("v", "w", "y")
    listed = case(f"name: {{from: list, where: {{k: 1}}, take: {path}}}", more=f"extensions: {{each: {{each: list, take: {path}}}}}")
    found = made(listed, {"list": [{"k": 0, text: "x"}, {"k": 1, text: "y"}]})
    assert (found["name"], found["extensions"]) == ("y", {"each": ["x", "y"]})
    items = f"items: {{each: {path}, key: {{from: {path}}}, fields: {{sku: {{from: {path}}}}}}}"
    mapping = pull(f"source: s.o\ntarget: order\nfields: {{number: n, order_date: d}}\n{items}")
    assert made(mapping, {"n": 1, "d": "2026-01-02", text: [{text: "A"}, {text: "B"}]})["items"] == [{"sku": "A"}, {"sku": "B"}]


@pytest.mark.parametrize("text", [text for text in HOSTILE if not set(text) & {"{", "}", "."}])
def test_a_text_comes_through_in_a_template(text):
    template = quoted(f"<{text}>{{a}}")
    assert made(case(f"name: {{template: {template}}}"), {"a": "v"})["name"] == f"<{text}>v"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_comes_through_where_it_names_what_is_made(text):
    assert made(case(more=f"extensions: {{{quoted(text)}: a}}"), {"a": 1})["extensions"] == {text: 1}
    assert made(party(names=f"{quoted(text)}: a"), {"id": 1, "a": "v"})["identifiers"] == {"shop_person": "1", text: "v"}
    if "." not in text and text != "$":
        mapping = push(f"source: profile\ntarget: s.u\nfields:\n  {quoted(text)}: a\n  {quoted('x.' + text)}: a")
        assert mapping({"a": 1}) == {text: 1, "x": {text: 1}}
    mapping = pull("source: s.o\ntarget: case\nfields: {status: {default: held}, creation_date: {default: 2026-01-02}}", source=text)
    assert mapping(raw({}), text, b"", b"").row[1:3] == (text, text)


def test_a_function_is_named_and_never_looked_up_elsewhere():
    for name in ("__import__", "eval", "exec", "os.system", "print", "__class__", "get"):
        with pytest.raises(Exception, match="the connector has no function named"):
            case(f"name: {{from: a, call: {name}}}", functions={"known": str})
