"""Postal addresses and several values of a kind: kept while the record says so, and told with the customer."""

from typing import Any

from tests.integration.lab import Lab, party, read
from threadline.journey.profile import load_profiles, profile_document
from threadline.model.ids import entity_id

PEOPLE = """
source: list.people
target: party
fields: {formatted_name: {from: name, optional: true}}
identifiers:
  list_person: id
  phone: [{from: mobile, optional: true}, {from: phone, optional: true}]
  email: {each: emails, take: address, verified: sure, optional: true}
addresses:
  - fields: {contexts: {default: work}, street: {from: street, optional: true}, city: {from: city, optional: true}}
  - {each: homes, key: id, fields: {contexts: {default: private}, street: street, city: city, country: {from: country, optional: true}}}
"""
PLACES = """
source: list.orders
target: address
fields: {street: {from: street, optional: true}, post_code: {from: zip, optional: true}, city: {from: city, optional: true}}
identifiers: {list_person: person}
"""
ANA: dict[str, Any] = {"id": 1, "name": "Ana Lima", "street": "Ring 1", "city": "Ulm"}
HOME = {"id": 7, "street": "Lindenweg 7", "city": "Berlin", "country": "DE"}


def know(lab: Lab, *people: dict[str, Any]) -> None:
    read(lab.database, lab.judge("people", mapping=PEOPLE), *people)


def place(lab: Lab, *places: dict[str, Any]) -> None:
    read(lab.database, lab.judge("orders", mapping=PLACES), *places)


def addresses(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.rows("SELECT contexts, street, post_code, city, country FROM addresses ORDER BY street")


def document(lab: Lab) -> dict[str, Any]:
    with lab.database.read() as transaction:
        ((profile,),) = transaction.query("SELECT DISTINCT profile FROM party_profiles")
        return profile_document(load_profiles(transaction, [profile])[profile], "desk")


def test_addresses_are_those_that_the_newest_version_of_the_record_has(lab):
    know(lab, {**ANA, "homes": [HOME]}, {"id": 2, "homes": [{"id": 7, "street": "Ring 2", "city": "Bonn"}]})
    both = [("private", "Lindenweg 7", None, "Berlin", "DE"), ("work", "Ring 1", None, "Ulm", None)]
    assert addresses(lab) == [*both, ("private", "Ring 2", None, "Bonn", None)]
    assert {owner for (owner,) in lab.rows("SELECT party FROM addresses")} == {party(1), party(2)}
    know(lab, {**ANA, "street": None, "city": None, "homes": [HOME]}, {"id": 2})
    assert addresses(lab) == both[:1]
    know(lab, {"id": 1})
    assert addresses(lab) == []


def test_a_customer_s_document_has_all_addresses(lab):
    know(lab, {**ANA, "homes": [HOME]})
    told = document(lab)
    assert {"contexts": "private", "street": "Lindenweg 7", "city": "Berlin", "country": "DE"} in told["addresses"]
    assert {"contexts": "work", "street": "Ring 1", "city": "Ulm"} in told["addresses"]
    assert told["address"] in told["addresses"]


def test_an_address_with_a_record_of_its_own_belongs_to_who_it_names_and_makes_them_look_different(lab):
    know(lab, {"id": 1, "name": "Ana Lima"})
    lab.resolve()
    place(lab, {"id": 40, "person": 1, "street": "Lindenweg 7", "zip": "10115", "city": "Berlin"})
    assert lab.rows("SELECT party, id FROM addresses") == [(party(1), entity_id("desk", "address", "40"))]
    assert document(lab)["formatted_name"] == "Ana Lima"
    assert document(lab)["address"] == {"street": "Lindenweg 7", "post_code": "10115", "city": "Berlin"}
    lab.resolve()
    ((ready,),) = lab.rows("SELECT entities FROM changes WHERE entity_type = 'profile.ready' ORDER BY seq DESC LIMIT 1")
    assert bytes(ready) == party(1)
    place(lab, {"id": 40, "person": 1, "street": "", "city": None})
    assert addresses(lab) == []


def test_several_values_of_a_kind_are_all_the_customer_s_and_the_first_is_preferred(lab):
    emails = [{"address": "ana@example.org"}, {"address": "n/a"}, {"address": "a@example.net", "sure": True}]
    know(lab, {"id": 1, "mobile": "+49 1512 0901820", "phone": "030 901820", "emails": emails}, {"id": 2, "emails": emails[2:]})
    rows = lab.rows("SELECT value_normalized, preferred, verified FROM party_identifiers WHERE party = ? AND owner IS NULL", party(1))
    assert {(value, bool(preferred), bool(verified)) for value, preferred, verified in rows} == {
        ("+4915120901820", True, False), ("+4930901820", False, False), ("ana@example.org", True, False), ("a@example.net", False, True),
    }  # fmt: skip
    assert lab.rows("SELECT count(DISTINCT profile) FROM party_profiles") == [(1,)]
    told = document(lab)
    assert (told["phone"], sorted(told["emails"])) == ("+4915120901820", ["a@example.net", "ana@example.org"])
    know(lab, {"id": 1, "phone": "030 901820", "emails": emails[:1]})
    assert lab.rows("SELECT value, preferred FROM contact_points WHERE party = ? AND type = 'phone'", party(1)) == [("+4930901820", True)]
    assert lab.rows("SELECT count(DISTINCT profile) FROM party_profiles") == [(2,)]
