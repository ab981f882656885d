"""What YAML files said is kept for the next run, and counts only for the very text that it was made of."""

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.sdk import ConfigError, yamlfile, yamlparser
from threadline.sdk.shelf import Shelf, cache_folder
from threadline.sdk.yamlfile import parse_yaml, read_yaml

TEXT = "fields:\n  name: {from: subject}\n  7: [1, 2.5, .inf, true, ~]\n"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    used = Shelf()
    used.folder = tmp_path / "cache" / "threadline"
    monkeypatch.setattr(yamlfile, "SHELF", used)
    return used


@pytest.fixture
def parsed(monkeypatch):
    """Count what is really parsed."""
    texts = []
    compose = yamlparser._compose
    monkeypatch.setattr(yamlparser, "_compose", lambda text, name: texts.append(text) or compose(text, name))
    return texts


def kept(shelf):
    (place,) = shelf.folder.iterdir()
    return place


def test_a_text_is_parsed_once(shelf, parsed):
    first, again = parse_yaml(TEXT, "a.yaml"), parse_yaml(TEXT, "a.yaml")
    assert again == first
    assert (again.value["fields"]["name"], again.at(("fields", "7", 1))) == ({"from": "subject"}, "a.yaml:3")
    assert parsed == [TEXT]


def test_a_changed_text_is_parsed_again_and_takes_its_place(shelf, parsed):
    parse_yaml(TEXT, "a.yaml")
    changed = TEXT.replace("subject", "title")
    for _ in range(2):
        assert parse_yaml(changed, "a.yaml").value["fields"]["name"] == {"from": "title"}
    assert parsed == [TEXT, changed]
    assert kept(shelf).is_file()


def test_files_of_one_name_in_two_folders_have_a_place_each(shelf, parsed, tmp_path, monkeypatch):
    for name in ("one", "two", "one", "two"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        assert parse_yaml(f"at: {name}", "threadline.yaml").value == {"at": name}
    assert parsed == ["at: one", "at: two"]


def test_what_is_wrong_is_not_kept(shelf):
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"a\.yaml:2: the key 'a' stands here twice"):
            parse_yaml("a: 1\na: 2\n", "a.yaml")
    assert not shelf.folder.exists()


def test_only_its_user_reads_it(shelf):
    before = os.umask(0)
    try:
        parse_yaml(TEXT, "a.yaml")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (shelf.folder, kept(shelf))] == [0o700, 0o600]


@pytest.mark.parametrize("broken", [b"", b"\0" * 300, b"no MessagePack", "cut", "foreign"])
def test_a_broken_one_is_none(shelf, parsed, broken):
    whole = parse_yaml(TEXT, "a.yaml")
    place = kept(shelf)
    held = place.read_bytes()
    place.write_bytes(broken if isinstance(broken, bytes) else held[:-1] if broken == "cut" else held.replace(b"subject", b"another"))
    assert parse_yaml(TEXT, "a.yaml") == whole
    assert parsed == [TEXT, TEXT]
    assert place.read_bytes() == held, "it is made anew"


def test_a_folder_that_cannot_be_made_is_none(shelf, parsed, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert parse_yaml(TEXT, "a.yaml") == parse_yaml(TEXT, "a.yaml")
    assert parsed == [TEXT, TEXT]
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_place_that_cannot_be_taken_leaves_nothing_behind(shelf):
    parse_yaml(TEXT, "a.yaml")
    place = kept(shelf)
    place.unlink()
    place.mkdir()
    assert parse_yaml(TEXT, "a.yaml").value["fields"]["name"] == {"from": "subject"}
    assert kept(shelf) == place


def test_a_number_too_long_to_keep_is_read_all_the_same(shelf):
    assert parse_yaml(f"n: {10**80}", "a.yaml").value == {"n": 10**80}
    assert not shelf.folder.exists()


def test_nothing_is_kept_where_nobody_says_where(tmp_path, parsed):
    (tmp_path / "a.yaml").write_text(TEXT)
    for _ in range(2):
        read_yaml(tmp_path / "a.yaml")
    assert parsed == [TEXT, TEXT]


@settings(deadline=None)
@given(value=VALUES, lines=st.dictionaries(st.lists(st.text() | st.integers(0, 2**31)).map(tuple), st.integers(1, 2**31)))
def test_plain_values_come_back_as_they_were(tmp_path_factory, value, lines):
    shelf = Shelf()
    shelf.folder = tmp_path_factory.getbasetemp() / "shelf"
    shelf.put("a.yaml", "text", value, lines)
    assert shelf.get("a.yaml", "text") == (value, lines)
    assert shelf.get("a.yaml", "other text") is None


def test_the_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "threadline"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() is None
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "threadline"
