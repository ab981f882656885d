"""API files: what is wrong in one is said with file, line and the nearest spelling, before anything is called."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields

from connectors.rest import Rest, auths, declaration, pagings
from connectors.rest.apifile import load_api, read_api
from connectors.rest.schema import schema_text
from connectors.rest.settings import RestSettings
from threadline.mapping.library import pull_mapping, push_mapping
from threadline.sdk import ConfigError
from threadline.sdk.registry import connector_class
from threadline.sdk.yamlfile import parse_yaml
from threadline.sync.config import load_config

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "connectors/rest/apis").glob("*.yaml"))
SCHEMA: dict[str, Any] = json.loads(schema_text())
GOOD = """base_url: https://{shop}/api
variables:
  shop: {about: host name}
streams:
  orders:
    path: orders
    key: id
    parameters: {since: "{after}", until: "{before}", page: "{page}", per_page: "{size}"}
    cursor: {kind: window, by: changed}
    paging: {kind: page}
  lines:
    path: orders/{parent.id}/lines
    key: [order, no]
    parent: {stream: orders, add: {order: id}}
push:
  note:
    find: {path: notes, field: text, contains: "{intent}"}
    create: {method: POST, path: notes}
"""


def test_the_example_is_right() -> None:
    api = read_api(parse_yaml(GOOD, "shop.yaml"))
    assert api.streams["lines"].keys == ("order", "no")
    jsonschema.validate(parse_yaml(GOOD, "shop.yaml").value, SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("base_url", "base_ulr", "shop.yaml:1: an API file knows no key 'base_ulr'; did you mean 'base_url'?"),
        ("path: orders\n", "pth: orders\n", "shop.yaml:6: `orders` knows no key 'pth'; did you mean 'path'?"),
        ("    key: id\n", "", "shop.yaml:5: `orders` needs `key`"),
        ("    key: id\n", "    key: {}\n", "shop.yaml:7: `key`: Expected"),
        ("kind: page", "kind: pages", "shop.yaml:10: `paging` is a mapping with a `kind`, which is 'pages'; did you mean 'page'?"),
        ("{kind: page}", "{first: 1}", "shop.yaml:10: `paging` is a mapping with a `kind`, which is missing"),
        ("{kind: page}", "{kind: page, frist: 1}", "shop.yaml:10: `paging` knows no key 'frist'; did you mean 'first'?"),
        ("{kind: page}", "{kind: page, first: -1}", "shop.yaml:10: `first`: Expected `int` >= 0"),
        ("{kind: page}", "{kind: page, size: 7}", "shop.yaml:10: `size`: Expected `int` >= 25"),
        ("{kind: page}", "{kind: link, first: 7}", "shop.yaml:10: `paging` knows no key 'first'"),
        ("{after}", "{aftr}", "shop.yaml:8: nothing is called {aftr} here; did you mean 'after'?"),
        ("{shop}/api", "{shp}/api", "shop.yaml:1: nothing is called {shp} here; did you mean 'shop'?"),
        ("{parent.id}", "{prnt.id}", "shop.yaml:12: nothing is called {prnt.id} here"),
        ('page: "{page}", ', "", "no parameter of orders has {page}, so that each page would be the first"),
        ("kind: page", "kind: page, steady: 'yes'", "shop.yaml:10: `steady`: Expected `bool`"),
        ('until: "{before}", ', "", "shop.yaml:10: records that change while they are read move about in the list"),
        ('since: "{after}", ', "", "shop.yaml:9: no parameter has {after}"),
        ("by: changed", "by: changed, overlap: 0", "shop.yaml:9: `overlap`: Expected `int` >= 1"),
        ("by: changed", "by: changed, start: yesterday", "shop.yaml:9: 'yesterday' is no time such as 2020-01-01T00:00:00Z"),
        ("by: changed", "by: changed, format: iso", "shop.yaml:9: `format`: Expected `str` matching regex"),
        (
            "push:",
            "  more: {path: x, key: id, cursor: {kind: position}}\npush:",
            "shop.yaml:15: a position can be kept with paging of kind cursor, next_url or keyset only",
        ),
        ("stream: orders", "stream: order", "shop.yaml:14: no stream is named 'order'; did you mean 'orders'?"),
        ("stream: orders", "stream: lines", "shop.yaml:14: the parents lead round in a circle"),
        ("    key: [order, no]", "    cursor: {kind: position}\n    key: x", "`cursor` belongs to the parent"),
        ("  shop: {about", "  intent: {about", "shop.yaml:3: `intent` has a meaning of its own"),
        (
            "streams:",
            "errors: {then: {'404': ignore}}\nstreams:",
            "shop.yaml:4: `404` becomes 'ignore'; known: done, record, retry, skip, stop",
        ),
        ("streams:", "rate: {requests: 0}\nstreams:", "shop.yaml:4: `requests`: Expected `int` >= 1"),
        ("streams:", "auth: {kind: bsic}\nstreams:", "which is 'bsic'; did you mean 'basic'?"),
        (', contains: "{intent}"', "", "`find` needs either `equals` or `contains`"),
        (
            '    find: {path: notes, field: text, contains: "{intent}"}\n',
            "",
            "would make a second record: send {intent} as an idempotency key",
        ),
        ("create: {method: POST", "create: {method: GET", "`method`: Expected `str` matching regex"),
        ("    create: {method: POST, path: notes}\n", "", "shop.yaml:16: `note` needs `create` or `update`"),
        (
            "create: {method: POST, path: notes}",
            "create: {method: POST, path: 'notes/{found.id}'}",
            "{found...} goes with `find`, in `update`",
        ),
        ("path: notes}", "path: notes, batch: {size: 2, items: x}}", "`batch` does not go with `find`"),
        ("streams:", "streams: {}\nstrms:", "knows no key 'strms'; did you mean 'streams'?"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_api(parse_yaml(GOOD.replace(old, new, 1), "shop.yaml"))


def test_a_tie_that_is_not_asked_for_is_told() -> None:
    text = "streams:\n  things: {path: t, key: id, parameters: {c: '{last}'}, paging: {kind: keyset, field: at, size: 9, tie: id}}\n"
    with pytest.raises(ConfigError, match=re.escape("api.yaml:2: no parameter of things has {tie}")):
        read_api(parse_yaml(text, "api.yaml"))
    read_api(parse_yaml(text.replace("'{last}'", "'{last},{tie}'"), "api.yaml"))


ONE = """\
errors: {then: {"404": skip}}
streams:
  things: {path: things, key: id, parameters: {c: "{cursor}"}, cursor: {kind: position}, PAGING, RECHECK}
"""
PAGING, RECHECK = "paging: {kind: cursor, at: next}", 'recheck: {path: "things/{key}"}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", at: next", "", "api.yaml:3: `paging` needs either `at`, a place in the body, or `header`"),
        ("at: next", "at: next, header: X-Next", "api.yaml:3: `paging` needs either `at`"),
        ("{key}", "all", "api.yaml:3: `recheck` needs {key} in its path or a parameter, or {keys} in a parameter"),
        ("{key}", "{kye}", "api.yaml:3: nothing is called {kye} here; did you mean 'key'?"),
        ("{key}", "{keys}", "api.yaml:3: nothing is called {keys} here"),
        ("key: id", "key: [id, no]", "api.yaml:3: records whose key has several fields cannot be asked for again"),
        ("skip", "record", 'api.yaml:3: no error says that a record is gone: errors: {then: {"404": skip}}'),
    ],
)
def test_what_a_recheck_and_a_cursor_need_is_said(old: str, new: str, message: str) -> None:
    good = ONE.replace("PAGING", PAGING).replace("RECHECK", RECHECK)
    read_api(parse_yaml(good, "api.yaml"))
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_api(parse_yaml(good.replace(old, new), "api.yaml"))


LIST = "streams:\n  things:\n    path: things\n    key: id\n    PART\n"


@pytest.mark.parametrize(
    ("part", "line", "message"),
    [
        ("body: {a: 1}", 5, "a `body` needs `method: POST`"),
        ("method: PUT", 5, "`method`: Invalid enum value 'PUT'"),
        ("method: POST\n    body: {a: [{b: '{aftr}'}]}", 6, "nothing is called {aftr} here"),
        (
            "parameters: {p: '{page}'}\n    paging: {kind: page, total: n}",
            6,
            "no parameter of things has {size}: of pages as the API makes them",
        ),
        ("parameters: {p: '{page}', a: '{after}'}\n    cursor: {kind: window, by: at}\n    paging: {kind: page}", 7, "say `steady: true`"),
        ("cursor: {kind: token}", 5, "a token needs either `at`, a place in the body, or `header`"),
        ("cursor: {kind: token, at: t}", 5, "no parameter has {since}, so that each read would take everything"),
        (
            "parameters: {p: '{cursor}'}\n    cursor: {kind: token, at: t, address: true}\n    paging: {kind: cursor, at: n}",
            6,
            "goes with paging of",
        ),
        ("shape: {kind: rows}", 5, "`shape` is a mapping with a `kind`, which is 'rows'"),
        ("shape: {kind: lines}\n    records: a", 5, "a body of lines is no document that `records` could lead into"),
        ("shape: {kind: table}\n    each: a", 5, "a row of a table has no `each`"),
        ("shape: {kind: one}\n    parameters: {o: '{offset}'}\n    paging: {kind: offset}", 5, "a single record has no such pages"),
        ("records: a..b", 5, "`records`: Expected `str` matching regex"),
        ("records: 'a[rel]'", 5, "`records`: Expected `str` matching regex"),
        ("deletes: {path: gone, key: [a, b]}", 5, "the key of things has 1 fields, and this one 2"),
        ("deletes:\n      path: gone\n      parameters: {s: '{afer}'}", 7, "nothing is called {afer} here"),
        ("deletes:\n      path: gone\n      cursor: {kind: window, by: at}", 7, "no parameter has {after}"),
    ],
)
def test_what_a_list_says_must_fit_together(part: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"api.yaml:{line}: ")) as caught:
        read_api(parse_yaml(LIST.replace("PART", part), "api.yaml"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "auth: {kind: login, path: login, body: {u: '{usr}'}}\nstreams: {a: {path: a, key: id}}",
            "api.yaml:1: nothing is called {usr} here; did you mean 'user'?",
        ),
        (
            "push:\n  a:\n    update: {method: PUT, path: a, form: true, batch: {size: 2}}",
            "api.yaml:3: a form has one record: it does not go with `batch`",
        ),
        (
            "push:\n  a:\n    create: {method: PUT, path: a}\n    find: {path: a, body: {}, field: x, equals: '{x}'}",
            "api.yaml:4: a `body` needs `method: POST`",
        ),
    ],
)
def test_what_a_login_and_a_write_say_must_fit_together(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_api(parse_yaml(text, "api.yaml"))


@pytest.mark.parametrize("text", ["", "[]", "{}", "about: x", "streams: []", "streams: {a: 1}", "push: {a: {update: 1}}", "auth: null"])
def test_what_is_no_api_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml"):
        read_api(parse_yaml(text, "x.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_right_and_has_its_mappings(name: str) -> None:
    api = load_api(name)
    jsonschema.validate(parse_yaml((ROOT / f"connectors/rest/apis/{name}.yaml").read_text(), name).value, SCHEMA)
    rest = Rest(RestSettings.model_construct(None, api=name))
    for stream in rest.available_streams():
        assert pull_mapping(stream.mapping, "source", functions=rest.functions).tree.source == f"rest.{stream.name}"
    for item in rest.available_objects():
        assert push_mapping(f"rest/{name}/push/{item.name}", functions=rest.functions).tree.target == f"rest.{item.name}"
    assert api.about


def test_the_schema_that_editors_use_is_the_declarations() -> None:
    assert (ROOT / "docs/schemas/rest.schema.json").read_text(encoding="utf-8") == schema_text()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for wrong in (
        {"streams": {"a": {"path": "x"}}},
        {"strms": {}},
        {"auth": {"kind": "bsic"}},
        {"streams": {"a": {"path": "x", "key": "i", "no": 1}}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


def declared() -> Iterator[tuple[str, str]]:
    for kind in [kind for module in (auths, declaration, pagings) for kind in vars(module).values()]:
        if isinstance(kind, type) and issubclass(kind, Struct) and kind is not Struct:
            if isinstance(tag := kind.__struct_config__.tag, str):
                yield kind.__name__, tag
            yield from ((kind.__name__, field.name) for field in fields(kind))


def test_the_readme_says_what_each_key_means() -> None:
    text = files("connectors.rest").joinpath("README.md").read_text(encoding="utf-8")
    assert [(kind, name) for kind, name in declared() if f"`{name}`" not in text] == []
    assert set(connector_class("rest").functions) <= set(re.findall(r"`(\w+)`", text))
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    whole = [block for block in blocks if "streams:" in block and "sources:" not in block]
    assert len(whole) == 2
    for block in whole:
        read_api(parse_yaml(block, "README.yaml"))


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis/shop.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)

    def configure(**settings: object):
        source = {"connector": "rest", "settings": settings}
        (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": {"shop": source}}))
        return load_config(tmp_path / "threadline.yaml")

    return configure


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api": "apis/shop.yaml", "variables": {}}, "variables: shop must be given (host name)"),
        ({"api": "apis/shop.yaml", "variables": {"shp": "x"}}, "the API file has no variable 'shp'; did you mean 'shop'?"),
        ({"api": "apis/shop.yaml", "variables": {"shop": ".."}}, "shop is '..', which cannot be part of an address"),
        ({"api": "apis/nope.yaml"}, "nope.yaml: cannot be read: No such file"),
        ({"api": "woocomerce"}, "no API file 'woocomerce' is shipped; did you mean 'woocommerce'?"),
        ({}, "api: must be given"),
        ({"api": "apis/shop.yaml", "variables": {"shop": "x"}, "token": "t"}, "`token` is a credential and must not stand in a file"),
    ],
)
def test_what_is_wrong_in_threadline_yaml_is_said_there(configured, settings, message: str) -> None:
    (problem,) = configured(**settings).problems
    assert message in problem.message


def test_an_api_file_stands_beside_threadline_yaml(configured, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(api="apis/shop.yaml", variables={"shop": "x"})
    assert config.problems == ()
    monkeypatch.chdir("/")
    assert load_config(config.path).source("shop").streams == {"orders": "rest/shop/orders", "lines": "rest/shop/lines"}


def test_an_api_file_without_an_address_needs_one(configured) -> None:
    Path("apis/shop.yaml").write_text("streams: {a: {path: a, key: id}}")
    (problem,) = configured(api="apis/shop.yaml").problems
    assert "base_url: must be given: the API file names no address" in problem.message
    assert configured(api="apis/shop.yaml", base_url="http://127.0.0.1:9").problems == ()


def test_the_command_names_the_line(configured) -> None:
    Path("apis/shop.yaml").write_text(GOOD.replace("{after}", "{aftr}"))
    configured(api="apis/shop.yaml", variables={"shop": "x"})
    ran = subprocess.run([Path(sys.executable).with_name("threadline"), "check", "shop"], capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert "apis/shop.yaml:8: nothing is called {aftr} here; did you mean 'after'?" in ran.stderr
