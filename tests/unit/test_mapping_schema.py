"""The JSON Schema for editors, and the documents that follow from declarations."""

import json
import runpy
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from tests.unit.mapping_bench import FILE, case, complaint, pull, push
from threadline.mapping.json_schema import mapping_schema
from threadline.mapping.library import is_push
from threadline.model.entities import MAPPED
from threadline.model.schema import fields_of
from threadline.sdk.yamlfile import parse_yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = runpy.run_path(str(ROOT / "docs" / "generate.py"))["documents"]()
VALIDATOR = jsonschema.Draft202012Validator(mapping_schema())
SHIPPED = sorted(path for path in Path(str(files("mappings"))).glob("*/**/*.yaml"))


def complaints(text):
    return list(VALIDATOR.iter_errors(parse_yaml(text, FILE).value))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_generated_documents_are_current(path):
    assert path.read_text(encoding="utf-8") == DOCUMENTS[path], "run: python docs/generate.py"


def test_the_model_document_names_every_field():
    model = next(text for path, text in DOCUMENTS.items() if path.name == "model.md")
    for entity in MAPPED.values():
        section = model.partition(f"\n## {entity.__name__}\n")[2].partition("\n## ")[0]
        own = [field for field in fields_of(entity) if field.name not in {field.name for field in fields_of(entity.__mro__[1])}]
        assert own
        for field in own:
            assert f"| {field.about}" in section
            assert field.name in section


def test_a_stale_document_is_told(tmp_path, monkeypatch, capsys):
    script = tmp_path / "docs" / "generate.py"
    script.parent.mkdir()
    script.write_text((ROOT / "docs" / "generate.py").read_text(encoding="utf-8"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["generate.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        return ended.value.code, capsys.readouterr().out

    missing = "".join(f"{path.relative_to(ROOT)} is not current\n" for path in DOCUMENTS)
    assert run("--check") == (1, missing)
    assert run() == (0, missing.replace("is not current", "written"))
    assert run("--check") == (0, "")
    (script.parent / "model.md").write_text("old")
    assert run("--check") == (1, "docs/model.md is not current\n")


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(mapping_schema())


def test_the_command_prints_it(capsys):
    from threadline.cli.mappings import print_schema

    print_schema()
    assert json.loads(capsys.readouterr().out) == mapping_schema()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: "/".join(path.parts[-3:]))
def test_every_shipped_file_follows_it(path):
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_each_target_offers_its_fields_with_their_meaning():
    for name, entity in MAPPED.items():
        offered = mapping_schema()["$defs"][f"to_{name}"]["properties"]["fields"]["properties"]
        for field in fields_of(entity):
            if field.name in offered:
                assert offered[field.name]["description"] == field.about
        assert {"id", "source", "external_id", "record_id"}.isdisjoint(offered)
        assert {field.name for field in fields_of(entity) if field.required} - {"id", "source", "external_id", "party"} <= set(offered)


def test_it_offers_every_verb():
    offered = mapping_schema()["$defs"]["any"]["anyOf"][1]["properties"]
    assert complaint(case, "name: {zzz: a}").partition("; known: ")[2] == ", ".join(sorted(offered))


CASE = "source: shop.things\ntarget: case\nfields:\n  status: {default: closed}\n  creation_date: at\n"
PUSH = "source: profile\ntarget: shop.user\nfields: {name: formatted_name}\n"

# What is wrong in a file: the schema and the compiler both say so.
WRONG = {
    "unknown field": CASE + "  nmae: subject\n",
    "missing field": "source: shop.things\ntarget: case\nfields: {creation_date: at}\n",
    "unknown target": CASE.replace("case", "cases"),
    "no target": "source: shop.things\nfields: {}\n",
    "no source": CASE.replace("source: shop.things\n", ""),
    "no fields": "source: shop.things\ntarget: case\n",
    "unknown block": CASE + "feilds: {}\n",
    "a block of another target": CASE + "message: {fields: {}}\n",
    "unknown verb": CASE + "  name: {form: a}\n",
    "unknown conversion": CASE + "  name: {from: a, as: string}\n",
    "a conversion of another kind": CASE + "  name: {from: a, as: integer}\n",
    "optional where a value must be": CASE + "  escalated: {from: a, optional: true}\n",
    "a lookup's value out of the list": CASE.replace("{default: closed}", "{from: s, lookup: {a: opened}}"),
    "otherwise out of the list": CASE.replace("{default: closed}", "{from: s, lookup: {a: closed}, otherwise: opened}"),
    "a default out of the list": CASE.replace("closed", "opened"),
    "a default of nothing where a value must be": CASE.replace("closed", "null"),
    "an empty lookup": CASE + "  name: {from: a, lookup: {}}\n",
    "where without from": CASE + "  name: {where: {a: 1}, default: x}\n",
    "take without where": CASE + "  name: {from: a, take: b}\n",
    "otherwise without lookup": CASE + "  name: {from: a, otherwise: b}\n",
    "call without from": CASE + "  name: {template: a, call: f}\n",
    "two origins": CASE + "  name: {from: a, template: b}\n",
    "no origin": CASE + "  name: {optional: true}\n",
    "each for a text": CASE + "  name: {each: a}\n",
    "an empty path": CASE + "  name: ''\n",
    "a path with a gap": CASE + "  name: a..b\n",
    "a path through $": CASE + "  name: $.a\n",
    "a list where a value must be": CASE + "  name: [a, b]\n",
    "a number for a path": CASE + "  name: 5\n",
    "currency of a text": CASE + "  name: {from: a, currency: b}\n",
    "money without currency": "source: s.o\ntarget: order\nfields: {number: n, order_date: d, total: t}\n",
    "unknown role": CASE + "parties: [{role: buyer, identifiers: {shop_person: id}}]\n",
    "identifiers without a place": CASE + "parties: [{role: customer, identifiers: {email: []}}]\n",
    "a wrong place among several": CASE + "parties: [{role: customer, identifiers: {email: [a, {form: b}]}}]\n",
    "a wrong block among several": "source: s.p\ntarget: party\nfields: {}\nidentifiers: {a: b}\naddresses: [{fields: {town: a}}]\n",
    "no block at all": "source: s.p\ntarget: party\nfields: {}\nidentifiers: {a: b}\naddresses: []\n",
    "a party without identifiers": CASE + "parties: [{role: customer}]\n",
    "a party's role in its fields": CASE + "parties: [{role: customer, identifiers: {a: b}, fields: {role: c}}]\n",
    "a mention that is sure": CASE + "parties: [{role: customer, identifiers: {email: {from: b, verified: c}}}]\n",
    "a field that is verified": "source: s.p\ntarget: party\nfields: {status: {from: a, verified: b}}\nidentifiers: {shop_person: id}\n",
    "an unknown field of a party": CASE + "parties: [{role: customer, identifiers: {a: b}, fields: {nmae: c}}]\n",
    "a party without any identifier": "source: shop.people\ntarget: party\nfields: {}\nidentifiers: {}\n",
    "a condition of mappings": CASE + "when: {a: {b: 1}}\n",
    "an empty condition": CASE + "when: {}\n",
    "a key without each": "source: s.o\ntarget: order\nfields: {number: n, order_date: d}\nitems: {key: a, fields: {sku: a}}\n",
    "a version of zero": CASE + "version: 0\n",
    "an example without gives": CASE + "examples: [{given: {}}]\n",
    "examples that are no list": CASE + "examples: {given: {}, gives: null}\n",
    "no mapping at all": "[]",
    "extensions in a push": PUSH + "extensions: {a: b}\n",
    "unknown document": PUSH.replace("profile", "profiles"),
    "unknown key of a push": PUSH + "adress: {id: id}\n",
    "a push name with a gap": PUSH.replace("{name:", "{a..b:"),
}  # fmt: skip


def test_what_verifies_an_identifier_is_a_condition():
    text = "source: s.p\ntarget: party\nfields: {{}}\nidentifiers: {{shop_person: id, email: {{from: a, verified: {}}}}}\n"
    assert not [one for condition in ("b", "{b: [1, 2]}", "{b: null}") for one in complaints(text.format(condition))]
    assert complaints(text.format("true"))
    assert (
        complaint(pull, text.format("true"))
        == "shop/things.yaml:4: a path is names joined by dots, such as via.channel, or a list of names"
    )


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_the_compiler_refuses_the_schema_marks(text):
    assert complaints(text)
    build = push if is_push(parse_yaml(text, FILE)) else pull
    assert complaint(build, text).startswith("shop/things.yaml:")
