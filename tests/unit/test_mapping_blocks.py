"""Parties, identifiers, references, and records inside of records."""

from textwrap import dedent

import pytest

from tests.unit.mapping_bench import case, made, party, pull, raw, refused
from threadline.mapping.rows import row_columns
from threadline.model.entities import Address, Interaction, Message, OrderItem, Party, Preference
from threadline.model.ids import entity_id

RECORD, RUN = b"r" * 16, b"u" * 16


def mapped(mapping, record, key="K"):
    return mapping(raw(record), key, RECORD, RUN)


def named(entity, row):
    return dict(zip(row_columns(entity), row, strict=True))


class TestParties:
    PEOPLE = """
    source: shop.people
    target: party
    fields: {formatted_name: name, role: {from: role, default: customer}}
    identifiers:
      shop_person: {from: id, optional: true}
      email: {from: mail, optional: true}
      phone: {from: phone, optional: true}
      handle: {from: handle, optional: true}
      threadline: {from: profile, optional: true}
    """
    TICKETS = """
    source: shop.tickets
    target: case
    fields: {status: {default: closed}, creation_date: {default: 2026-01-02}}
    parties:
      - {role: customer, identifiers: {shop_person: requester}, fields: {given_name: {from: first, optional: true}}}
      - {role: agent, identifiers: {shop_agent: {from: agent, optional: true}, email: {from: mail, optional: true}}}
    """

    def test_the_first_identifier_that_is_there_names_the_party(self):
        people = pull(self.PEOPLE)
        by_id = mapped(people, {"id": 7, "mail": "a@b", "name": "A"}).parties[0]
        by_mail = mapped(people, {"mail": "A@B", "name": "A"}).parties[0]
        assert by_id.id == entity_id("shop", "shop_person", "7")
        assert by_mail.id == entity_id("shop", "email", "a@b")
        row = named(Party, by_mail.row)
        assert (row["id"], row["external_id"], row["source"], row["record_id"], row["run_id"]) == (by_mail.id, "A@B", "shop", RECORD, RUN)
        assert row["mapping"] == "shop/things.yaml@1"

    def test_two_streams_mean_the_same_party(self):
        person = mapped(pull(self.PEOPLE), {"id": 7, "name": "A"}).parties[0]
        requester = mapped(pull(self.TICKETS), {"requester": "7"}).parties[0]
        assert person.id == requester.id
        assert person.identifiers[0].id == requester.identifiers[0].id
        elsewhere = mapped(pull(self.PEOPLE, source="other"), {"id": 7, "name": "A"}).parties[0]
        assert elsewhere.id != person.id

    def test_shared_kinds_mean_the_same_everywhere(self):
        record = {"id": 7, "mail": "A@b", "phone": "030 901820", "handle": "X:@me", "profile": "01arz3ndektsv4rrffq69g5fav", "name": "A"}
        here, there = (mapped(pull(self.PEOPLE, source=source), record).parties[0].identifiers for source in ("here", "there"))
        assert [one.kind for one in here] == ["shop_person", "email", "phone", "handle", "threadline"]
        assert [one.normalized for one in here] == ["7", "a@b", "+4930901820", "x:me", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]
        assert [one.value for one in here] == ["7", "A@b", "030 901820", "X:@me", "01arz3ndektsv4rrffq69g5fav"]
        assert [one.owner for one in here] == ["here", None, None, None, None]
        assert [a.id == b.id for a, b in zip(here, there, strict=True)] == [False, True, True, True, True]

    @pytest.mark.parametrize(
        "junk",
        [
            {"mail": "n/a"},
            {"phone": "call me"},
            {"handle": "me"},
            {"profile": "sai989"},
            {"id": "  "},
            {"id": "7" * 10_001},
            {"mail": ["a@b"]},
            {"phone": {"n": 1}},
        ],
    )
    def test_optional_junk_names_nobody(self, junk):
        (name,) = junk
        record = {"id": 7, "mail": "a@b", "name": "A"} | junk
        kinds = [one.kind for one in mapped(pull(self.PEOPLE), record).parties[0].identifiers]
        dropped = {"mail": "email", "phone": "phone", "handle": "handle", "profile": "threadline", "id": "shop_person"}[name]
        assert kinds == [kind for kind in ("shop_person", "email") if kind != dropped]

    @pytest.mark.parametrize(
        ("said", "verified"),
        [({"sure": True}, True), ({"sure": False}, False), ({"sure": None}, False), ({}, False), ({"sure": True, "mail": "n/a"}, False)],
    )
    def test_a_source_may_be_sure_of_an_identifier(self, said, verified):
        mapping = party(names="email: {from: mail, verified: sure, optional: true}")
        found = mapped(mapping, {"id": 7, "mail": "a@b"} | said).parties[0].identifiers
        assert [one.kind for one in found if one.verified] == ["email"] * verified
        assert "shop_person" in [one.kind for one in found]
        assert made(mapping, {"id": 7, "mail": "a@b"} | said).get("verified", []) == ["email"] * verified

    def test_what_a_source_is_sure_of_is_a_part_of_what_a_record_says(self):
        mapping = party(names="email: {from: mail, verified: {level: [high, proven]}}")
        digests = {level: mapped(mapping, {"id": 7, "mail": "a@b", "level": level}).canonical for level in ("low", "high", "proven")}
        assert digests["high"] == digests["proven"] != digests["low"]

    def test_junk_is_dropped_whatever_the_file_says_it_is(self):
        mapping = party(names="email: {from: mail, as: email, optional: true}")
        assert made(mapping, {"id": 1, "mail": "n/a"})["identifiers"] == {"shop_person": "1"}

    @pytest.mark.parametrize(
        ("kind", "value", "words"),
        [
            ("email", "n/a", "not an e-mail address"), ("phone", "x", "not a phone number"), ("handle", "me", "not a handle"),
            ("threadline", "sai989", "not a profile id of threadline"), ("shop_other", " ", "blank: it names nobody"),
            ("shop_other", "x" * 10_001, "a text of 10,001 characters names nobody; at most 10,000 make an identifier"),
            ("shop_other", [1], "expected a text, found a list"), ("shop_other", None, "missing"),
        ],
    )  # fmt: skip
    def test_required_junk_is_an_error(self, kind, value, words):
        error = refused(party(names=f"{kind}: x.y"), {"id": 1, "x": {"y": value}})
        assert str(error).startswith(words)
        assert (error.path, error.site) == ("$.x.y", "shop/things.yaml:7")

    SEVERAL = """
    source: shop.people
    target: party
    fields: {}
    identifiers:
      shop_person: id
      phone: [{from: mobile, optional: true}, {from: home, verified: sure, optional: true}]
      email:
        - {from: mail, optional: true}
        - {each: ways, where: {type: mail}, take: value, verified: sure, optional: true}
    """

    def several(self, **record):
        return mapped(pull(self.SEVERAL), {"id": 7} | record).parties[0].identifiers

    def test_a_list_of_places_gives_several_values_of_a_kind(self):
        found = self.several(mobile="030 901820", home="+49 30 901821", sure=True)
        assert [(one.kind, one.normalized, one.verified) for one in found[1:]] == [
            ("phone", "+4930901820", False), ("phone", "+4930901821", True),
        ]  # fmt: skip

    def test_an_array_gives_a_value_for_each_of_its_elements_that_are_meant(self):
        told = [("mail", "A@b", True), ("fax", "x@y", True), ("mail", "c@d", False)]
        found = self.several(mail="m@n", ways=[{"type": kind, "value": value, "sure": sure} for kind, value, sure in told])
        assert [(one.normalized, one.verified) for one in found[1:]] == [("m@n", False), ("a@b", True), ("c@d", False)]

    @pytest.mark.parametrize("junk", ["n/a", "", None, 5, ["a@b"], {"a": 1}])
    def test_junk_among_several_costs_itself_alone(self, junk):
        ways = [{"type": "mail", "value": value} for value in ("a@b", junk, "c@d")]
        assert [one.normalized for one in self.several(mobile=junk, home="030 901820", ways=ways)[1:]] == ["+4930901820", "a@b", "c@d"]

    def test_a_preview_lists_several_values_and_each_but_once(self):
        made_of_two = made(pull(self.SEVERAL), {"id": 7, "mobile": "030 901820", "home": "+49 30 901820", "mail": "a@b", "ways": []})
        assert made_of_two["identifiers"] == {"shop_person": "7", "phone": "+4930901820", "email": "a@b"}
        ways = [{"type": "mail", "value": "c@d"}]
        assert made(pull(self.SEVERAL), {"id": 7, "mail": "a@b", "ways": ways})["identifiers"]["email"] == ["a@b", "c@d"]

    @pytest.mark.parametrize(
        ("ways", "words", "path"),
        [
            ([{"value": "a@b"}, {"value": "n/a"}], 'not an e-mail address; found "n/a"', "$.ways[*].value"),
            ([{"value": {}}], "expected a text, found a mapping; found {}", "$.ways[*].value"),
            ([], "missing", "$.ways[*].value"),
            ([{"value": None}], "missing", "$.ways[*].value"),
            (None, "missing", "$.ways[*].value"),
            ([5], "expected a mapping, found a number", "$.ways[0]"),
            ([{"value": f"a@{number}"} for number in range(1_001)], "more than 1,000 identifiers: nobody has so many", "$.ways[*].value"),
        ],
    )
    def test_elements_that_must_be_there_are_an_error_where_they_are_not(self, ways, words, path):
        error = refused(party(names="email: {each: ways, take: value}"), {"id": 1, "ways": ways})
        assert str(error).startswith(words)
        assert (error.path, error.site) == (path, "shop/things.yaml:7")

    def test_a_condition_holds_for_a_whole_array(self):
        mapping = party(names="email: {each: ways, when: {shared: null}, optional: true}")
        assert made(mapping, {"id": 1, "ways": ["a@b"]})["identifiers"] == {"shop_person": "1", "email": "a@b"}
        assert made(mapping, {"id": 1, "ways": ["a@b"], "shared": 1})["identifiers"] == {"shop_person": "1"}

    def test_who_has_no_name_is_an_error_where_it_is_all_about_them(self):
        error = refused(pull(self.PEOPLE), {"name": "A", "mail": "n/a"})
        assert str(error) == "the party has no name: none of its identifiers (shop_person, email, phone, handle, threadline) is there"
        assert (error.path, error.site) == ("$.id", "shop/things.yaml:5")

    def test_who_takes_part_without_a_name_is_left_out(self):
        tickets = pull(self.TICKETS)
        assert [party.role for party in mapped(tickets, {"requester": 7}).parties] == ["customer"]
        assert [party.role for party in mapped(tickets, {"requester": 7, "mail": "x@y"}).parties] == ["customer", "agent"]
        assert str(refused(tickets, {"mail": "x@y"})).startswith("missing")

    def test_what_a_record_says_of_who_takes_part_is_kept(self):
        customer, agent = mapped(pull(self.TICKETS), {"requester": 7, "first": "Ana", "agent": 9}).parties
        assert (named(Party, customer.row)["given_name"], named(Party, customer.row)["role"]) == ("Ana", "customer")
        assert (agent.role, named(Party, agent.row)["role"]) == ("agent", "agent")
        assert made(pull(self.TICKETS), {"requester": 7, "first": "Ana"})["customer"] == {"shop_person": "7", "given_name": "Ana"}

    def test_the_role_of_a_party_is_its_own_field(self):
        assert mapped(pull(self.PEOPLE), {"id": 1, "name": "T", "role": "agent"}).parties[0].role == "agent"


class TestChildren:
    MAIL = """
    source: shop.mails
    target: interaction
    fields: {direction: {default: inbound}, channel: {default: email}, interaction_date: at, case: {from: ticket, optional: true}}
    message: {when: text, fields: {content: text, subject: {from: subject, optional: true}, references: {from: refs, optional: true}}}
    """
    ORDER = """
    source: shop.orders
    target: order
    fields: {number: no, order_date: at}
    items:
      each: cart.lines
      key: line.id
      fields:
        sku: line.sku
        position: {from: pos, optional: true}
        quantity: {from: n, optional: true, when: {counted: true}}
        unit_price: {from: price.amount, currency: price.code, optional: true}
    """

    def test_a_message_belongs_to_its_interaction(self):
        found = mapped(pull(self.MAIL), {"at": "2026-01-02", "text": "hi", "refs": ["a", "b"]})
        ((table, (row,)),) = found.children
        message = named(Message, row)
        assert (table, message["content"], message["references"], message["external_id"]) == ("messages", "hi", '["a","b"]', "K")
        assert message["interaction"] == named(Interaction, found.row)["id"] == entity_id("shop", "interaction", "K")
        assert mapped(pull(self.MAIL), {"at": "2026-01-02"}).children == [("messages", [])]

    def test_a_reference_is_the_id_of_what_it_names(self):
        found = mapped(pull(self.MAIL), {"at": "2026-01-02", "ticket": 35})
        assert named(Interaction, found.row)["case"] == mapped(case(), {}, key="35").row[0]
        assert named(Interaction, mapped(pull(self.MAIL), {"at": "2026-01-02"}).row)["case"] is None

    def items(self, lines, **more):
        ((_, rows),) = mapped(pull(self.ORDER), {"no": 1, "at": "2026-01-02", "cart": {"lines": lines}} | more).children
        return [named(OrderItem, row) for row in rows]

    def test_each_element_is_an_item_of_its_own(self):
        priced = {"line": {"id": 1, "sku": "A"}, "pos": "1", "n": 3, "price": {"amount": "9.90", "code": "EUR"}}
        first, second = self.items([priced, {"line": {"id": "x", "sku": "B"}, "n": 2, "counted": True}])
        names = ("sku", "position", "quantity", "unit_price_amount", "unit_price_currency")
        assert [first[name] for name in names] == ["A", 1, None, 990, "EUR"]
        assert (second["quantity"], second["unit_price_amount"]) == (2, None)
        assert (first["external_id"], second["external_id"]) == ("K:1", "K:x")
        assert first["order"] == second["order"] == entity_id("shop", "order", "K")
        assert first["id"] == entity_id("shop", "items", "K:1")

    @pytest.mark.parametrize("lines", [None, []])
    def test_no_elements_no_items(self, lines):
        assert self.items(lines) == []

    def test_without_a_key_the_position_names_the_item(self):
        mapping = pull(self.ORDER.replace("      key: line.id\n", ""))
        ((_, rows),) = mapped(mapping, {"no": 1, "at": "2026-01-02", "cart": {"lines": [{"line": {"sku": "A"}}] * 2}}).children
        assert [named(OrderItem, row)["external_id"] for row in rows] == ["K:0", "K:1"]

    @pytest.mark.parametrize(
        ("lines", "words", "path", "line"),
        [
            ([{"line": {"sku": "A"}}], "missing", "$.cart.lines[*].line.id", 6),
            ([{"line": {"id": 1, "sku": "A"}}, {"line": {"id": "1", "sku": "B"}}], "two elements have the same key",
             "$.cart.lines[*].line.id", 6),
            ([{"line": {"id": [], "sku": "A"}}], "expected a text, found a list", "$.cart.lines[*].line.id", 6),
            ([{"line": {"id": 1}}], "missing", "$.cart.lines[*].line.sku", 8),
            ([{"line": {"id": 1, "sku": "A"}, "pos": "x"}], "expected a whole number", "$.cart.lines[*].pos", 9),
            ([{"line": {"id": 1, "sku": "A"}, "price": {"amount": 1}}], "missing", "$.cart.lines[*].price.code", 11),
            ([{"line": 5}], "expected a mapping, found a number", "$.cart.lines[0].line", 6),
            ({"line": {}}, "expected a list, found a mapping", "$.cart.lines", 5),
            ([5], "expected a mapping, found a number", "$.cart.lines[0]", 6),
            ([None], "missing", "$.cart.lines[*].line.id", 6),
        ],
    )  # fmt: skip
    def test_what_is_wrong_in_an_element_is_told_with_its_path(self, lines, words, path, line):
        error = refused(pull(self.ORDER), {"no": 1, "at": "2026-01-02", "cart": {"lines": lines}})
        assert str(error).startswith(words)
        assert (error.path, error.site) == (path, f"shop/things.yaml:{line}")

    def test_an_array_makes_only_so_many_rows(self, monkeypatch):
        monkeypatch.setattr("threadline.mapping.rows._MOST_ELEMENTS", 2)
        lines = [{"line": {"id": number, "sku": "A"}} for number in range(3)]
        assert len(self.items(lines[:2])) == 2
        error = refused(pull(self.ORDER), {"no": 1, "at": "2026-01-02", "cart": {"lines": lines}})
        assert (str(error).partition(";")[0], error.site) == ("more than 2 elements", "shop/things.yaml:6")

    def test_the_array_may_be_kept_whole_too(self):
        mapping = pull(dedent(self.ORDER) + "extensions: {lines: cart.lines, cart: cart, all: $}")
        lines = [{"line": {"id": 1, "sku": "A"}, "price": {"amount": 9.90, "code": "EUR"}}]
        found = made(mapping, {"no": 1, "at": "2026-01-02", "cart": {"lines": lines}})
        assert found["items"] == [{"sku": "A", "unit_price_amount": 990, "unit_price_currency": "EUR"}]
        assert found["extensions"]["lines"] == lines
        error = refused(mapping, {"no": 1, "at": "2026-01-02", "cart": {"lines": 5}})
        assert (str(error), error.path, error.site) == ("expected a list, found a number", "$.cart.lines", "shop/things.yaml:5")

    def test_a_preference_belongs_to_the_party(self):
        mapping = party(more="preferences: {when: wish, fields: {channel: wish}}")
        found = mapped(mapping, {"id": 7, "wish": "sms"})
        ((_, (row,)),) = found.children
        assert named(Preference, row)["party"] == found.parties[0].id == entity_id("shop", "shop_person", "7")

    HOMES = """
    addresses:
      - fields: {contexts: {default: private}, street: {from: street, optional: true}, city: {from: city, optional: true}}
      - when: work
        fields: {contexts: {default: work}, city: {from: work.city, optional: true}, country: {from: work.land, optional: true}}
      - {each: more, key: id, fields: {city: {from: city, optional: true}}}
    """

    def addresses(self, **record):
        found = mapped(party(more=self.HOMES), {"id": 7} | record)
        ((table, rows),) = found.children
        assert table == "addresses"
        assert {named(Address, row)["party"] for row in rows} <= {found.parties[0].id}
        return [named(Address, row) for row in rows]

    def test_a_list_of_blocks_makes_a_row_of_each(self):
        rows = self.addresses(street="Ring 1", city="Ulm", work={"city": "Bonn", "land": "DE"}, more=[{"id": 3, "city": "Jena"}])
        assert [(row["contexts"], row["street"], row["city"], row["country"]) for row in rows] == [
            ("private", "Ring 1", "Ulm", None), ("work", None, "Bonn", "DE"), (None, None, "Jena", None),
        ]  # fmt: skip
        assert [row["external_id"] for row in rows] == ["K", "K:1", "K:2:3"]
        assert len({row["id"] for row in rows}) == 3
        assert made(party(more=self.HOMES), {"id": 7, "city": "Ulm"})["addresses"] == [{"contexts": "private", "city": "Ulm"}]

    def test_an_address_of_which_nothing_is_known_is_none(self):
        assert self.addresses(work={"city": "", "land": "DE"}, more=[{"id": 1}, {"id": 2, "city": None}]) == []

    def test_an_address_may_be_a_record_of_its_own(self):
        mapping = pull("source: s.a\ntarget: address\nfields: {city: {from: city, optional: true}}\nidentifiers: {shop_person: who}")
        found = mapped(mapping, {"who": 7, "city": "Ulm"}, key="A")
        assert named(Address, found.row)["party"] == found.parties[0].id == entity_id("shop", "shop_person", "7")
        assert mapped(mapping, {"who": 7, "city": ""}) is None

    def test_only_the_source_s_own_record_of_a_person_is_no_mention(self):
        wish = pull("source: shop.wishes\ntarget: preference\nfields: {channel: wish}\nidentifiers: {shop_person: who}")
        (asked,) = mapped(wish, {"who": 7, "wish": "sms"}).parties
        (requester,) = mapped(pull(TestParties.TICKETS), {"requester": 7}).parties
        (person,) = mapped(party(), {"id": 7}).parties
        assert [named(Party, one.row)["mentioned"] for one in (asked, requester, person)] == [True, True, False]

    def test_a_preference_may_be_a_record_of_its_own(self):
        mapping = pull("source: shop.wishes\ntarget: preference\nfields: {channel: wish}\nidentifiers: {shop_person: who}")
        found = mapped(mapping, {"who": 7, "wish": "sms"}, key="W")
        assert named(Preference, found.row)["party"] == found.parties[0].id == entity_id("shop", "shop_person", "7")
        assert named(Preference, found.row)["id"] == entity_id("shop", "preference", "W")

    def test_an_item_may_be_a_record_of_its_own(self):
        mapping = pull("source: shop.lines\ntarget: order_item\nfields: {order: order, sku: sku}")
        assert named(OrderItem, mapped(mapping, {"order": 7, "sku": "A"}).row)["order"] == entity_id("shop", "order", "7")
