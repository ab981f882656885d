"""What is wrong in a mapping file is told with file:line and the nearest spelling, before any record is read."""

import pytest

from tests.unit.mapping_bench import case, complaint, made, party, pull, push

HEAD = "source: shop.things\ntarget: case\n"
FULL = HEAD + "fields: {status: a, creation_date: b}\n"
ORDER = "source: s.o\ntarget: order\nfields: {number: a, order_date: b}\n"

MESSAGES = {
    # Spelling
    "source: s.t\ntarget: cse\nfields: {}": "2: no canonical entity named 'cse'; did you mean 'case'?",
    "source: s.t\nfields: {}": "1: a mapping needs 'target'; known: address, case, feedback, interaction, "
    "knowledge_article, order, order_item, party, preference, status_change",
    HEAD + "feilds: {}": "3: a mapping to case knows no key 'feilds'; did you mean 'fields'?",
    HEAD + "fields:\n  status: a\n  creation_date: b\n  sevrity: c": "6: Case has no field 'sevrity'; did you mean 'severity'?",
    HEAD + "fields:\n  status: a\n  creation_date: b\n  id: c": "6: Case has no field 'id'",
    HEAD + "fields:\n  status:\n    from: a\n    lokup: {a: closed}": "6: a value knows no key 'lokup'; did you mean 'lookup'?",
    HEAD + "fields:\n  status:\n    from: a\n    as: txt": "6: no conversion named 'txt'; did you mean 'text'?",
    HEAD + "fields:\n  status: {from: a, as: any}": "4: no conversion named 'any'; known: boolean,",
    # What must be there
    HEAD + "fields:\n  status: a": "3: Case needs the field 'creation_date': TMF621 creationDate",
    HEAD: "1: a mapping to case needs 'fields'",
    "target: case\nfields: {}": "1: a mapping to case needs 'source'",
    "source: s.t\ntarget: party\nfields: {}": "1: a party needs `identifiers`: at least one value that names it",
    "source: s.t\ntarget: preference\nfields: {}": "1: a party needs `identifiers`: at least one value that names it",
    FULL + "parties:\n  - identifiers: {x: y}": "5: a party needs 'role'",
    FULL + "parties:\n  - role: customer": "5: a party needs `identifiers`",
    # What cannot be
    HEAD + "fields:\n  status: {from: a, optional: true}": "4: status must have a value: say what it is by default instead of `optional`",
    HEAD + "fields:\n  status: {from: a, default: null}\n  creation_date: b": "4: this field must have a value",
    HEAD + "fields:\n  status: {from: a, lookup: {a: null}}\n  creation_date: b": "4: this field must have a value",
    HEAD + "fields:\n  status: {from: a, lookup: {a: closed}, otherwise: null}\n  creation_date: b": "4: this field must have a value",
    HEAD + "fields:\n  creation_date: b\n  status: {default: done}": '5: "done" is none of: acknowledged, pending',
    HEAD + "fields:\n  creation_date: b\n  status: {from: s, lookup: {a: done}}": '5: "done" is none of: acknowledged, pending',
    HEAD + "fields:\n  creation_date: b\n  status: {from: s, lookup: {a: closed}, otherwise: done}": '5: "done" is none of:',
    HEAD + "fields:\n  status: a\n  creation_date: {default: soon}": '5: "soon": expected a time',
    HEAD + "fields:\n  status: a\n  creation_date: b\n  escalated: {from: e, default: maybe}": '6: "maybe": expected true or false',
    HEAD + "fields:\n  status: a\n  creation_date: b\n  name: {from: e, lookup: {x: [1]}}": "6: [1]: expected a text, found a list",
    HEAD + "fields:\n  status: {each: a}": "4: status is a text, and `each` gives a list",
    FULL + "parties:\n  - role: customer\n    identifiers:\n      x: {each: a, as: list}": "7: x is a text, and `as: list` makes",
    FULL + "parties:\n  - role: customer\n    identifiers:\n      x: {each: a, default: b}": "7: `default` is one value, and `each` gives",
    FULL + "parties:\n  - role: customer\n    identifiers:\n      x: []": "7: x needs a place where it stands, or a list",
    FULL + "parties:\n  - role: customer\n    identifiers:\n      x:\n        - a\n        - {form: b}": "9: a value knows no key 'form'",
    "source: s.t\ntarget: party\nfields: {}\nidentifiers: {x: y}\naddresses: []": "5: `addresses` is a block, or a list of at least one",
    "source: s.t\ntarget: party\nfields: {}\nidentifiers: {x: y}\naddresses:\n  - fields: {city: a}\n  - fields: {town: a}": (
        "7: Address has no field 'town'"
    ),
    FULL + "parties:\n  - role: buyer\n    identifiers: {x: y}": "5: no role named 'buyer'; known: customer, agent",
    FULL + "parties:\n  - role: agent\n    identifiers: {x: y}\n    fields: {role: z}": "7: the role stands beside",
    FULL + "parties: {role: agent}": "4: parties are a list: each begins with `- role:`",
    # Verbs that do not go together
    HEAD + "fields:\n  status: {from: a, each: b}": "4: a value comes from one place: from or each, not both",
    HEAD + "fields:\n  status: {from: a, template: b}": "4: a value comes from one place: from or template, not both",
    HEAD + "fields:\n  status: {optional: false}": "4: a value needs `from`, `template`, `each`, or a `default` alone",
    HEAD + "fields:\n  status: {from: a, otherwise: b}": "4: `otherwise` needs `lookup`",
    HEAD + "fields:\n  status: {template: a, call: b}": "4: `call` needs `from`",
    HEAD + "fields:\n  status: {template: a, where: {b: c}}": "4: `where` needs `from`",
    HEAD + "fields:\n  status: {from: a, take: b}": "4: `take` needs `where` or `each`",
    HEAD + "fields:\n  status: {each: a, lookup: {b: c}}": "4: `lookup` translates one value, and `each` gives a list",
    HEAD + "fields:\n  status: {from: a, optional: 1}": "4: `optional` is true or false",
    HEAD + "fields:\n  status: {from: a, as: [text]}": "4: `as` is a text, not a list",
    HEAD + "fields:\n  status: {from: a, as: }": "4: `as` is a text, not nothing",
    HEAD + "fields:\n  status: {from: a, call: [f]}": "4: `call` is a text, not a list",
    HEAD + "fields:\n  status: {template: 5}": "4: `template` is a text, not a number",
    HEAD + "fields:\n  status: {template: '{a'}": "4: the template's braces do not match",
    HEAD + "fields:\n  status: {template: 'a}'}": "4: the template's braces do not match",
    HEAD + "fields:\n  status: {template: '{}'}": "4: braces hold a path and nothing else, such as {author.username}",
    HEAD + "fields:\n  status: {template: '{a!r}'}": "4: braces hold a path and nothing else",
    HEAD + "fields:\n  status: {template: '{a:>9}'}": "4: braces hold a path and nothing else",
    HEAD + "fields:\n  status: {template: '{a..b}'}": "4: a path is names joined by dots, such as via.channel, or a list of names",
    HEAD + "fields:\n  status: {from: a, lookup: [a]}": "4: a lookup is a mapping of the source's values to canonical ones",
    HEAD + "fields:\n  status: {from: a, lookup: {}}": "4: a lookup is a mapping of the source's values to canonical ones",
    HEAD + "fields:\n  status: {from: a, where: [b]}": "4: `where` says which element: {name: value}",
    HEAD + "fields:\n  status: {from: a, where: {b..c: 1}}": "4: a path is names joined by dots",
    # Paths
    HEAD + "fields:\n  status:": "4: a value must be a mapping of keys to values, not nothing",
    HEAD + "fields:\n  status: 5": "4: a value must be a mapping of keys to values, not a number",
    HEAD + "fields:\n  status: ''": "4: a path is names joined by dots",
    HEAD + "fields:\n  status: .a": "4: a path is names joined by dots",
    HEAD + "fields:\n  status: {from: [a, 5]}": "4: a path is names joined by dots",
    HEAD + "fields:\n  status: {from: []}": "4: a path is names joined by dots",
    HEAD + "fields:\n  status: $.a": "4: $ is the whole record: write the path without it",
    # Blocks
    HEAD + "fields: [status]": "3: must be a mapping of names to where their values come from",
    HEAD + "version: 1.5\nfields: {status: a, creation_date: b}": "3: `version` is a whole number from 1",
    HEAD + "version: true\nfields: {status: a, creation_date: b}": "3: `version` is a whole number from 1",
    FULL + "examples:\n  - given: 5\n    gives: {}": "5: an example has `given`, a record, and `gives`",
    FULL + "examples:\n  - given: {}\n    gives: 5": "5: an example has `given`, a record, and `gives`",
    FULL + "examples:\n  - given: {}\n    given_: {}": "6: an example knows no key 'given_'; did you mean 'given'?",
    FULL + "examples: {given: {}, gives: {}}": "4: examples are a list: each begins with `- given:`",
    ORDER + "items:\n  key: c\n  fields: {}": "5: `key` is a path in the elements of `each`",
    ORDER + "items:\n  each: c": "4: `items` needs 'fields'",
    ORDER + "items:\n  each: c\n  fields:\n    order: d": "7: OrderItem has no field 'order'",
    ORDER + "items:\n  each: c\n  key: {from: d, optional: true}\n  fields: {}": "6: this must have a",
    ORDER + "item: {}": "4: a mapping to order knows no key 'item'; did you mean 'items'?",
    # No mapping at all
    "": "1: a mapping file is a mapping: it begins with `source:` and `target:`",
    "- a": "1: a mapping file is a mapping: it begins with `source:` and `target:`",
    # YAML
    HEAD + "fields:\n  status: a\n  status: b": "5: the key 'status' stands here twice",
    HEAD + "target: case": "3: the key 'target' stands here twice",
    HEAD + "fields:\n  status: &s a\n  name: *s": "4: anchors and aliases (& and *) are not used here: write the value out",
    HEAD + "fields:\n  status: !path a": "4: the tag !path is not used here",
    HEAD + "fields: !fields\n  status: a": "3: the tag !fields is not used here",
    HEAD + "fields: {status: [}": "3: not valid YAML: ",
    HEAD + "fields:\n\tstatus: a": "4: not valid YAML: found character '\\t' that cannot start any token",
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MESSAGES.items())
def test_it_is_told_where_and_how(text, message):
    assert complaint(pull, text).startswith(f"shop/things.yaml:{message}")


PUSH = "source: profile\ntarget: shop.user\n"
PUSHES = {
    PUSH: "1: a push mapping needs 'fields'",
    "source: profil\ntarget: shop.user\nfields: {a: b}": "1: no canonical document named 'profil'; did you mean 'profile'?",
    "source: profile\nfields: {a: b}": "1: a push mapping needs 'target'",
    PUSH + "adress: {a: b}\nfields: {a: b}": "3: a push mapping knows no key 'adress'; did you mean 'address'?",
    PUSH + "extensions: {a: b}\nfields: {a: b}": "3: a push mapping writes fields only",
    PUSH + "fields:\n  a: b\n  a.b: c": "5: 'a.b' and 'a' cannot both be written: one is the other, or inside of it",
    PUSH + "fields:\n  a.b.c: b\n  a.b: c": "5: 'a.b' and 'a.b.c' cannot both be written",
    PUSH + "fields: {a: b}\naddress:\n  a: c": "5: 'a' and 'a' cannot both be written",
    PUSH + "fields:\n  a..b: c": "4: a path is names joined by dots",
    PUSH + "fields:\n  '': c": "4: a path is names joined by dots",
    PUSH + "fields: {a: {from: b, call: f}}": "3: the connector has no function named 'f'",
    PUSH + "fields: {a: {from: b, as: integer, default: x}}": '3: "x": expected a whole number',
}


@pytest.mark.parametrize(("text", "message"), PUSHES.items())
def test_so_it_is_of_pushes(text, message):
    assert complaint(push, text).startswith(f"shop/things.yaml:{message}")


def test_plain_scalars_mean_what_they_look_like():
    mapping = case(
        """
        name: {from: no, lookup: {no: yes, 0123: id, 12:30:00: half, 1_000: many, 2026-01-02: day}}
        """,
        more="version: 2",
    )
    for given, wanted in [("no", "yes"), ("0123", "id"), ("12:30:00", "half"), ("1_000", "many"), ("2026-01-02", "day")]:
        assert made(mapping, {"no": given})["name"] == wanted
    assert mapping.label == "shop/things.yaml@2"


def test_the_fingerprint_tells_what_would_be_mapped_differently():
    one = case("name: a")
    assert one.fingerprint == case("name: a").fingerprint
    others = [case("name: b"), case("name: a", region=None), case("name: a", source="other")]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4
    text = "source: profile\ntarget: s.u\nfields: {p: {from: phone, as: phone}}"
    assert push(text).fingerprint != push(text, region="FR").fingerprint


def test_a_party_may_say_nothing_but_its_name():
    assert made(party(), {"id": "x"})["identifiers"] == {"shop_person": "x"}
