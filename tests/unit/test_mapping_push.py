"""Push mappings: from a canonical document to the record that a target takes."""

import pytest

from tests.unit.mapping_bench import push, refused

HEAD = "source: profile\ntarget: shop.user\n"


def test_dotted_names_make_nested_objects_and_missing_ones_are_left_out():
    mapping = push(
        HEAD
        + """
fields:
  name: formatted_name
  contact.mail.address: {from: email, optional: true}
  contact.mail.kind: {template: work, when: email}
  contact.phone: {from: phone, optional: true}
  "Weird Name": {from: here.shop_person, as: integer, optional: true}
  flags: {default: [a, b]}
  nested: {default: {x: 1}}
  none: {default: null}
"""
    )
    assert mapping({"formatted_name": "A", "email": "a@b", "here": {"shop_person": "7"}}) == {
        "name": "A", "contact": {"mail": {"address": "a@b", "kind": "work"}}, "Weird Name": 7, "flags": ["a", "b"], "nested": {"x": 1},
    }  # fmt: skip
    assert mapping({"formatted_name": "A", "email": "", "here": None}) == {"name": "A", "flags": ["a", "b"], "nested": {"x": 1}}


def test_values_keep_their_kind():
    mapping = push(HEAD + "fields: {a: a, b: b, c: c, d: d, e: e, f: {from: c, as: text}, all: $}")
    document = {"a": 1, "b": True, "c": 1.5, "d": ["x"], "e": {"y": None}}
    assert mapping(document) == document | {"f": "1.5", "all": document}


def test_when_says_what_is_pushed_at_all():
    mapping = push(HEAD + "when: {role: customer, here.shop_person: null}\nfields: {name: formatted_name}")
    assert mapping({"role": "agent", "formatted_name": "A"}) is None
    assert mapping({"role": "customer", "formatted_name": "A", "here": {"shop_person": "7"}}) is None
    assert mapping({"role": "customer", "formatted_name": "A"}) == {"name": "A"}
    # What is not pushed need not fit.
    assert mapping({"role": "agent"}) is None


@pytest.mark.parametrize(
    ("document", "words", "path", "line"),
    [
        ({}, "missing", "$.formatted_name", 4),
        ({"formatted_name": "A", "here": 5}, "expected a mapping, found a number", "$.here", 5),
        ({"formatted_name": "A", "here": {"shop_person": "x"}}, "expected a whole number", "$.here.shop_person", 5),
        ({"formatted_name": "A", "email": "\ud800"}, "not valid JSON", "$", 1),
    ],
)
def test_a_document_that_does_not_fit_is_refused(document, words, path, line):
    mapping = push(HEAD + "fields:\n  name: formatted_name\n  id: {from: here.shop_person, as: integer, optional: true}\n  all: $")
    error = refused(mapping, document)
    assert str(error).startswith(words)
    assert (error.path, error.site) == (path, f"shop/things.yaml:{line}")


def test_an_address_is_sent_but_not_compared():
    mapping = push(
        HEAD + "address: {id: {from: here.a, optional: true}, keys.main: {from: here.b, optional: true}}\nfields: {name: n, keys.other: n}"
    )
    known = mapping({"n": "A", "here": {"a": 1, "b": 2}})
    unknown = mapping({"n": "A"})
    assert known == {"id": 1, "keys": {"main": 2, "other": "A"}, "name": "A"}
    assert unknown == {"keys": {"other": "A"}, "name": "A"}
    assert mapping.compared(known) == mapping.compared(unknown) == {"name": "A", "keys": {"other": "A"}}
    assert mapping.compared(mapping({"n": "B"})) != mapping.compared(unknown)
    assert known["id"] == 1, "what is compared leaves the record as it is"


def test_an_object_that_is_address_only_is_not_compared_either():
    mapping = push(HEAD + "address: {keys.main: {from: here.b, optional: true}}\nfields: {name: n}")
    assert mapping.compared(mapping({"n": "A", "here": {"b": 2}})) == mapping.compared(mapping({"n": "A"})) == {"name": "A"}


def test_lookups_and_functions_work_as_they_do_for_pulls():
    mapping = push(
        HEAD + "fields: {c: {from: channel, lookup: {sms: {code: 7}}, otherwise: null}, s: {from: n, call: up}}",
        functions={"up": str.upper},
    )
    assert mapping({"channel": "sms", "n": "a"}) == {"c": {"code": 7}, "s": "A"}
    assert mapping({"channel": "fax", "n": "a"}) == {"s": "A"}
    assert str(refused(mapping, {"n": 5})).startswith("missing")
    assert str(refused(mapping, {"channel": "sms", "n": 5})).startswith("`call: up` cannot take it (TypeError)")
