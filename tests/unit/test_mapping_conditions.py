"""`when`: which records, parties, blocks and values count."""

import pytest

from tests.unit.mapping_bench import case, complaint, made, party, pull, refused

# Each condition, the records for which it holds, and those for which it does not.
TABLE = [
    ("a", [{"a": 1}, {"a": "x"}, {"a": True}, {"a": []}, {"a": {}}, {"a": 0}], [{}, {"a": None}, {"a": ""}, {"a": False}]),
    ("a.b", [{"a": {"b": 1}}], [{}, {"a": {}}, {"a": None}, {"a": {"b": False}}, {"b": 1}]),
    ("{a: '*'}", [{"a": 0}, {"a": "*"}], [{}, {"a": None}, {"a": ""}, {"a": False}]),
    ("{a: null}", [{}, {"a": None}, {"a": ""}], [{"a": 0}, {"a": False}, {"a": "null"}, {"a": []}]),
    ("{a: x}", [{"a": "x"}], [{"a": "X"}, {"a": ["x"]}, {}, {"a": None}]),
    ("{a: 7}", [{"a": 7}, {"a": 7.0}], [{"a": "7"}, {"a": 8}]),
    ("{a: '7'}", [{"a": "7"}], [{"a": 7}]),
    ("{a: true}", [{"a": True}], [{"a": "true"}, {"a": False}, {}]),
    ("{a: false}", [{"a": False}], [{}, {"a": "false"}, {"a": None}]),
    ("{a: no}", [{"a": "no"}], [{"a": False}]),
    ("{a: [x, 7, false]}", [{"a": "x"}, {"a": 7}, {"a": False}], [{"a": "7"}, {}, {"a": ["x", 7, False]}]),
    ("{a: [x, null]}", [{"a": "x"}, {}, {"a": None}, {"a": ""}], [{"a": "y"}, {"a": False}]),
    ("{a: x, b: '*', c: null}", [{"a": "x", "b": 1}], [{"a": "x"}, {"b": 1}, {"a": "x", "b": 1, "c": 1}]),
    ("{a.b: x}", [{"a": {"b": "x"}}], [{"a": {"b": "y"}}, {}]),
    ("[a.b, c]", [{"a.b": {"c": 1}}], [{"a": {"b": {"c": 1}}}]),
    ("$", [{"a": 1}, {}], []),
]  # fmt: skip


@pytest.mark.parametrize(("when", "holds", "fails"), TABLE, ids=[row[0] for row in TABLE])
def test_a_condition_holds_where_it_should(when, holds, fails):
    file = case("name: {default: n}", more=f"when: {when}")
    value = case(f"name: {{default: no, when: {when}}}\ndescription: {{template: yes, when: {when}}}")
    for record in holds:
        assert made(file, record) is not None, record
        assert made(value, record).get("description") == "yes", record
    for record in fails:
        assert made(file, record) is None, record
        assert "description" not in made(value, record), record


def test_a_filtered_record_need_not_fit():
    mapping = case("name: a.b", more="when: {kind: thing}")
    assert made(mapping, {"kind": "other"}) is None
    assert refused(mapping, {"kind": "thing"}).path == "$.a.b"


@pytest.mark.parametrize("when", ["{}", "5", "''", "{a: {b: 1}}", "{'': 1}", "[]", "{a..b: 1}", "{$.a: 1}", "null", "[a, 5]"])
def test_what_is_no_condition_is_refused_with_its_line(when):
    message = complaint(case, "name: x", more=f"when: {when}")
    assert message.startswith("shop/things.yaml:7: ")
    assert "condition" in message or "a path is names" in message or "$ is the whole record" in message


def test_each_part_of_a_file_has_its_own():
    mapping = pull(
        """
        source: shop.things
        target: interaction
        fields: {direction: {default: inbound}, channel: {default: chat}, interaction_date: at}
        parties:
          - {role: customer, when: who, identifiers: {shop_person: id}}
          - {role: agent, when: {kind: [a, b]}, identifiers: {shop_agent: agent}}
        message:
          when: text
          fields: {content: text}
        """
    )
    base = {"at": "2026-01-02", "id": 1}
    assert made(mapping, base) == {
        "direction": "inbound", "channel": "chat", "interaction_date": made(mapping, base)["interaction_date"],
        "status": "completed", "visibility": "private", "message": None,
    }  # fmt: skip
    full = made(mapping, base | {"who": 1, "kind": "b", "agent": 2, "text": "hi"})
    assert (full["customer"], full["agent"], full["message"]) == ({"shop_person": "1"}, {"shop_agent": "2"}, {"content": "hi"})
    assert refused(mapping, base | {"kind": "a"}).path == "$.agent"


def test_a_preference_counts_only_when_it_is_expressed():
    mapping = party(more="preferences: {when: wish, fields: {channel: {from: wish, lookup: {MAIL: email}}, rank: {default: 1}}}")
    assert made(mapping, {"id": 1})["preferences"] is None
    assert made(mapping, {"id": 1, "wish": "MAIL"})["preferences"] == {"channel": "email", "rank": 1}
    assert "not listed" in str(refused(mapping, {"id": 1, "wish": "FAX"}))
