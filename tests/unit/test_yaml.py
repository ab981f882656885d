"""YAML 1.2 files: plain values, lines, and refusals that say where."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import Document, kind_of, nearest, parse_yaml, read_yaml


def value(text):
    return parse_yaml(text, "f.yaml").value


@pytest.mark.parametrize(
    ("scalar", "wanted"),
    [
        ("text", "text"), ("'5'", "5"), ('"true"', "true"), ("no", "no"), ("Yes", "Yes"), ("on", "on"), ("y", "y"),
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("5", 5), ("-5", -5), ("+5", 5), ("0", 0), ("-0", 0), ("0x1F", 31),
        ("0o17", 15), ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-1.5E-3", -0.0015),
        ("0123", "0123"), ("00", "00"), ("-012", "-012"), ("1_000", "1_000"), ("1_0.5", "1_0.5"),
        ("0b101", "0b101"), ("-0x1F", "-0x1F"), ("0x", "0x"), ("0o9", "0o9"),
        ("12:30:00", "12:30:00"), ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"), ("1.2.3", "1.2.3"), ("e5", "e5"),
        ("9" * 100, int("9" * 100)), ("9" * 5000, "9" * 5000), (".inf", math.inf), ("-.INF", -math.inf), ("=", "="), ("<<", "<<"),
        ("!!str 5", "5"), ("!!int abc", "abc"), ("!!bool maybe", "maybe"), ("a:b", "a:b"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
    ids=lambda one: str(one)[:20],
)  # fmt: skip
def test_a_scalar_means_what_it_looks_like(scalar, wanted):
    found = value(f"a: {scalar}")["a"]
    assert (found, type(found)) == (wanted, type(wanted))


def test_not_a_number_is_a_number_too():
    assert math.isnan(value("a: .NaN")["a"])


def test_an_older_version_of_yaml_changes_nothing():
    assert value("%YAML 1.1\n---\na: no\nb: 12:30:00\nc: 0123\nd: 0b1") == {"a": "no", "b": "12:30:00", "c": "0123", "d": "0b1"}


def test_keys_are_words():
    assert value("{7: a, true: b, null: c, 1.50: d, no: e, : f}") == {"7": "a", "true": "b", "null": "c", "1.50": "d", "no": "e", "": "f"}
    assert value("<<: {a: 1}") == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["", "# only a comment", "---", "\ufeff"])
def test_an_empty_file_is_nothing(text):
    assert value(text) is None


@pytest.mark.parametrize("text", ["\ufeffa: 1", "a: 1\r\n", "a: 1\n...\n", "---\na: 1"])
def test_how_the_file_is_written_makes_no_difference(text):
    assert value(text) == {"a": 1}


def test_every_place_knows_its_line():
    document = parse_yaml("# first\na: 1\nb:\n  - x\n  - c: >\n      folded\n\n      text\n    d: [1,\n      2]\n'e\\': {f: g}\n", "f.yaml")
    places = {
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "d"): 9,
        ("b", 1, "d", 1): 10,
        ("e\\", "f"): 11,
        (): 2,
    }
    assert {place: document.lines[place] for place in places} == places
    assert document.at(("b", 1, "nothing", "below")) == "f.yaml:5"
    assert document.at(("nothing",)) == "f.yaml:2"
    assert Document("f.yaml", None, {}).at(("a",)) == "f.yaml:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: the key 'a' stands here twice"),
        ("a:\n  b: {c: 1, c: 2}", "f.yaml:2: the key 'c' stands here twice"),
        ("{7: a, '7': b}", "f.yaml:1: the key '7' stands here twice"),
        ("a: &x 1\nb: *x", "f.yaml:1: anchors and aliases (& and *) are not used here: write the value out"),
        ("a: 1\n&x b: 1", "f.yaml:2: anchors and aliases"),
        ("a: &x [*x]", "f.yaml:1: anchors and aliases"),
        ("a: 1\nb: !path x", "f.yaml:2: the tag !path is not used here"),
        ("a: !path {b: 1}", "f.yaml:1: the tag !path is not used here"),
        ("a: !path [b]", "f.yaml:1: the tag !path is not used here"),
        ("!path a: 1", "f.yaml:1: the tag !path is not used here"),
        ("a: !!binary YQ==", "f.yaml:1: the tag tag:yaml.org,2002:binary is not used here"),
        ("a: !!set {b}", "f.yaml:1: the tag tag:yaml.org,2002:set is not used here"),
        ("a: !!python/object:os.system x", "f.yaml:1: the tag tag:yaml.org,2002:python/object:os.system is not used here"),
        ("a: 1\n? [b]\n: 1", "f.yaml:1: keys must be plain words"),
        ("? {b: c}\n: 1", "f.yaml:1: keys must be plain words"),
        ("a: [1\nb: 2", "f.yaml:2: not valid YAML: expected ',' or ']'"),
        ("a: 'x", "f.yaml:1: not valid YAML: found unexpected end of stream"),
        ("a: 1\n\tb: 2", "f.yaml:2: not valid YAML: found character '\\t'"),
        ("a: b: c", "f.yaml:1: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "f.yaml:2: not valid YAML: but found another document"),
        ("*x", "f.yaml:1: not valid YAML: found undefined alias 'x'"),
        ("a: \0", "f.yaml: not valid YAML: unacceptable character #x0000"),
        ("a: \ud800", "f.yaml: not valid YAML: unacceptable character #xd800"),
        ("b: 1\na: '\\ud800'\nc: \"\\ud800\"", "f.yaml:3: \\ud800 to \\udfff are halves of a character"),
        ('"\\udc00": 1', "f.yaml:1: \\ud800 to \\udfff are halves of a character"),
        ('a: "\\UFFFFFFFF"', "f.yaml: not valid YAML: OverflowError"),
        ("%YAML 3.0\n---\na: 1", "f.yaml:1: not valid YAML: found incompatible YAML document"),
        ("- " * 3_000 + "a", "f.yaml: nested too deeply"),
        ("{a: " * 600 + "1" + "}" * 600, "f.yaml: nested too deeply"),
    ],
    ids=lambda one: str(one)[:30],
)  # fmt: skip
def test_a_refusal_says_where(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yaml")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file or directory"), (b"a: \xff", "is not UTF-8 text"), (b"a: [", ":1: not valid YAML")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "threadline.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_is_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: ä", encoding="utf-8")
    document = read_yaml(tmp_path / "a.yaml")
    assert (document.name, document.value) == (str(tmp_path / "a.yaml"), {"a": "ä"})


def test_keys_are_checked_against_what_is_known():
    document = parse_yaml("a:\n  colour: 1\n  size: 2\nb: [1]", "f.yaml")
    assert document.check_keys(("a",), document.value["a"], ["colour", "size", "x"], "a thing") == {"colour": 1, "size": 2}
    with pytest.raises(ConfigError, match=r"f\.yaml:2: a thing knows no key 'colour'; did you mean 'color'\?"):
        document.check_keys(("a",), document.value["a"], iter(["size", "color"]), "a thing")
    with pytest.raises(ConfigError, match=r"f\.yaml:4: a thing must be a mapping of keys to values, not a list"):
        document.check_keys(("b",), document.value["b"], [], "a thing")


def test_words_for_what_is_not_known():
    assert nearest("tickts", ["users", "tickets"]) == "; did you mean 'tickets'?"
    assert nearest("zzz", ["b", "a"]) == "; known: a, b"
    assert nearest("zzz", []) == ""
    kinds = [kind_of(one) for one in (None, True, 1, 1.5, "", [], {}, b"")]
    assert kinds == ["nothing", "true or false", "a number", "a number", "a text", "a list", "a mapping", "bytes"]


PIECES = st.sampled_from(
    ["a", "b: 1", ": ", "- ", "? ", "[", "]", "{", "}", ",", "\n", "  ", "'", '"', "|", ">", "&x ", "*x", "!t ", "!!int ", "!!map ",
     "%", "---", "...", "#", "\\u", "\\x4", "\\U0010", "0x", "1e", ".inf", "~", "<<", "=", "\t", "\r", "\x85", "\ufeff", "é", "😀"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.lists(PIECES, max_size=14).map("".join))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_yaml(text, "f.yaml")
    except ConfigError as error:
        found = str(error)
    assert found.startswith("f.yaml") if isinstance(found, str) else plain(found.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.é$", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), JSON, max_size=4), st.booleans())
def test_json_is_yaml(wanted, escaped):
    import json

    assert value(json.dumps(wanted, ensure_ascii=escaped)) == wanted


def plain(found):
    if isinstance(found, dict):
        return all(isinstance(key, str) and plain(one) for key, one in found.items())
    if isinstance(found, list):
        return all(map(plain, found))
    return found is None or isinstance(found, str | bool | int | float)
