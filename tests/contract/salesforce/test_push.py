"""Contacts written by the Salesforce connector into its stand-in."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.story import contact_id
from connectors.salesforce.settings import SalesforceSettings
from tests.contract.salesforce.lab import emptied
from threadline.mapping.library import describe, pull_mapping, push_mapping
from threadline.sdk import ConfigError, Intent, Receipt, RetryableError
from threadline.testing.story import Person, Registered

ANA = Person(3, "Ana", "Lima", "ana.lima@example.org", "+49 30 901820", "ana")
PROFILE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"


@pytest.fixture
def sandbox(server: SalesforceSandbox) -> SalesforceSandbox:
    emptied(server).tell(Registered(datetime(2026, 1, 2, tzinfo=UTC), "salesforce", ANA, ("name", "phone")))
    return server


def intent(number: int, **payload: Any) -> Intent:
    return Intent(f"i{number}", "contact", {"Threadline_Id__c": f"PROFILE{number:019d}", "LastName": f"Family{number}", **payload})


def push(salesforce: Salesforce, *intents: Intent) -> dict[str, Receipt]:
    receipts = list(salesforce.push("contact", intents))
    assert sorted(receipt.intent for receipt in receipts) == sorted(intent.id for intent in intents)
    return {receipt.intent: receipt for receipt in receipts}


def test_new_contacts_are_created_once_however_often_they_are_pushed(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    first = push(salesforce, intent(1, Email="a@example.org"), intent(2))
    again = push(salesforce, intent(1, Email="b@example.org"), intent(2))
    assert {receipt.status for receipt in first.values()} == {"done"}
    assert [first[name].remote_id for name in ("i1", "i2")] == [again[name].remote_id for name in ("i1", "i2")]
    assert {(row["LastName"], row["Email"]) for row in sandbox.pushed("contact")} == {("Family1", "b@example.org"), ("Family2", None)}


def test_a_known_contact_is_updated_and_given_its_profile_id(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    known = Intent("i1", "contact", {"Id": contact_id(ANA), "Threadline_Id__c": PROFILE, "Name": "Ana L.", "Email": ANA.email})
    assert push(salesforce, known)["i1"] == Receipt("i1", "done", remote_id=contact_id(ANA))
    (row,) = sandbox.pushed("contact")
    assert (row["Id"], row["Threadline_Id__c"], row["Email"], row["Name"]) == (contact_id(ANA), PROFILE, ANA.email, "Ana Lima")


def test_known_and_new_take_one_call_each(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    push(salesforce, intent(1), Intent("i2", "contact", {"Id": contact_id(ANA), "Threadline_Id__c": PROFILE}), intent(3))
    writes = [path for method, path in sandbox.calls if method == "PATCH"]
    assert writes == ["/services/data/v62.0/composite/sobjects", "/services/data/v62.0/composite/sobjects/Contact/Threadline_Id__c"]


@pytest.mark.parametrize(
    ("payload", "last_name"),
    [
        ({"Name": "Madonna"}, "Madonna"),
        ({"Name": "x" * 90}, "x" * 80),
        ({}, "[not provided]"),
        ({"LastName": "Lima", "Name": "Ana Lima"}, "Lima"),
    ],
)
def test_a_new_contact_gets_the_last_name_that_it_must_have(
    salesforce: Salesforce, sandbox: SalesforceSandbox, payload: dict[str, str], last_name: str
) -> None:
    push(salesforce, Intent("i1", "contact", {"Threadline_Id__c": PROFILE, **payload}))
    assert [row["LastName"] for row in sandbox.pushed("contact")] == [last_name]


def test_rows_fail_alone_and_say_why_without_their_values(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    receipts = push(
        salesforce,
        intent(1, Email="not-an-address"),
        intent(2),
        intent(3, FirstName="x" * 41),
        Intent("i4", "contact", {"Id": "003000000000000AAA", "Threadline_Id__c": PROFILE}),
        Intent("i5", "contact", {"LastName": "Nobody"}),
    )
    assert {name: receipt.status for name, receipt in receipts.items()} == {
        "i1": "dead",
        "i2": "done",
        "i3": "dead",
        "i4": "dead",
        "i5": "dead",
    }
    reasons = {name: receipt.reason or "" for name, receipt in receipts.items()}
    assert reasons["i1"].startswith("Salesforce answered INVALID_EMAIL_ADDRESS for Email: correct the value")
    assert reasons["i3"].startswith("Salesforce answered STRING_TOO_LONG for FirstName")
    assert "the contact does not exist in Salesforce" in reasons["i4"]
    assert "gives no Threadline_Id__c" in reasons["i5"]
    assert "not-an-address" not in str(receipts)


def test_several_contacts_under_one_external_id_are_for_a_person(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    push(salesforce, intent(1))
    (row,) = sandbox.pushed("contact")
    sandbox.shelf.put("Contact", "003twin", row | {"Id": "003twin"})
    receipt = push(salesforce, intent(1))["i1"]
    assert receipt.status == "dead"
    assert "several contacts have this external id: merge them" in (receipt.reason or "")


def test_a_deleted_contact_is_not_written_and_its_profile_id_is_free(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    first = push(salesforce, intent(1))["i1"]
    sandbox.org.delete("Contact", str(first.remote_id), datetime.now(UTC))
    known = push(salesforce, Intent("i2", "contact", {"Id": first.remote_id, "Threadline_Id__c": PROFILE}))["i2"]
    assert (known.status, known.reason) == ("dead", "Salesforce answered ENTITY_IS_DELETED: the contact has been deleted in Salesforce")
    again = push(salesforce, intent(1))["i1"]
    assert again.status == "done"
    assert again.remote_id != first.remote_id


def test_what_was_merged_is_written_to_the_contact_that_has_won(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    made = push(salesforce, intent(1), intent(2), intent(3), intent(4))
    ids = [str(made[f"i{number}"].remote_id) for number in range(1, 5)]
    now = datetime.now(UTC)
    sandbox.org.merge("Contact", ids[0], ids[1], now)
    sandbox.org.merge("Contact", ids[1], ids[2], now)
    sandbox.org.merge("Contact", ids[3], contact_id(ANA), now)
    sandbox.org.delete("Contact", contact_id(ANA), now)
    known = [Intent(f"k{number}", "contact", {"Id": identity, "Threadline_Id__c": PROFILE, "Email": f"k{number}@example.org"})
             for number, identity in enumerate(ids)]  # fmt: skip
    receipts = push(salesforce, *known)
    assert [receipts[f"k{number}"].remote_id for number in range(4)] == [ids[2], ids[2], ids[2], None]
    assert "ENTITY_IS_DELETED" in (receipts["k3"].reason or ""), "who has won was deleted, too"
    (row,) = sandbox.org.all("Contact")
    assert (row["Id"], row["Email"]) == (ids[2], "k1@example.org")
    asked = [path for method, path in sandbox.calls if "queryAll" in path]
    assert len(asked) == 2


def test_what_was_merged_and_purged_is_dead(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    made = push(salesforce, intent(1))["i1"]
    sandbox.org.merge("Contact", str(made.remote_id), contact_id(ANA), datetime.now(UTC))
    sandbox.org.purge("Contact", str(made.remote_id))
    receipt = push(salesforce, Intent("i2", "contact", {"Id": made.remote_id, "Threadline_Id__c": PROFILE}))["i2"]
    assert (receipt.status, receipt.remote_id) == ("dead", None)


def test_a_profile_id_that_another_contact_holds_is_for_a_person(salesforce: Salesforce) -> None:
    push(salesforce, intent(1))
    taken = Intent("i2", "contact", {"Id": contact_id(ANA), "Threadline_Id__c": intent(1).payload["Threadline_Id__c"]})
    receipt = push(salesforce, taken)["i2"]
    assert (receipt.status, "DUPLICATE_VALUE for Threadline_Id__c" in (receipt.reason or "")) == ("dead", True)


def test_a_locked_row_is_for_later(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    sandbox.row_faults.append({"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []})
    receipts = push(salesforce, intent(1), intent(2))
    assert [receipts[name].status for name in ("i1", "i2")] == ["retry", "done"]
    assert push(salesforce, intent(1))["i1"].status == "done"


def test_one_row_of_the_wrong_type_does_not_cost_the_batch(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    receipts = push(salesforce, *(intent(number, **({"Birthdate": "7 March"} if number == 4 else {})) for number in range(7)))
    assert [name for name, receipt in sorted(receipts.items()) if receipt.status == "dead"] == ["i4"]
    assert "JSON_PARSER_ERROR" in (receipts["i4"].reason or "")
    assert len(sandbox.pushed("contact")) == 6


def test_a_call_answered_with_300_is_taken_apart(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    salesforce.check()
    sandbox.fail_next.extend(JSONResponse(["/services/data/v62.0/sobjects/Contact/003"], status_code=300) for _ in range(2))
    receipts = push(salesforce, intent(1), intent(2))
    assert (receipts["i1"].status, receipts["i2"].status) == ("dead", "done")
    assert "several records match" in (receipts["i1"].reason or "")


def test_a_field_that_the_org_lacks_stops_the_push(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    with pytest.raises(ConfigError, match="'Shoe_Size__c' does not exist"):
        push(salesforce, intent(1, Shoe_Size__c="43"))
    settings = {**sandbox.settings, **sandbox.secrets, "external_id_field": "Ours__c"}
    other = Salesforce(SalesforceSettings(**settings))
    with pytest.raises(ConfigError, match="'Ours__c' does not exist"):
        list(other.push("contact", [Intent("i1", "contact", {"Ours__c": PROFILE})]))
    other.close()


def test_pushes_need_the_external_id_field_and_a_known_object() -> None:
    salesforce = Salesforce(SalesforceSettings(external_id_field=None))
    with pytest.raises(ConfigError, match="needs external_id_field"):
        list(salesforce.push("contact", [intent(1)]))
    with pytest.raises(ConfigError, match="no object named 'lead'"):
        salesforce.push("lead", [])


def test_an_answer_that_does_not_match_the_rows_is_not_believed(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    salesforce.check()
    for answer in (JSONResponse([]), PlainTextResponse("<html>")):
        sandbox.fail_next.append(answer)
        with pytest.raises(RetryableError, match=r"one result for each contact|something else than results"):
            list(salesforce.push("contact", [intent(1)]))


def test_an_expired_session_is_renewed_before_writing(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    push(salesforce, intent(1))
    sandbox.expire_sessions()
    assert push(salesforce, intent(2))["i2"].status == "done"


def test_200_contacts_take_one_call(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    receipts = push(salesforce, *(intent(number) for number in range(200)))
    assert {receipt.status for receipt in receipts.values()} == {"done"}
    assert sum(method == "PATCH" for method, _ in sandbox.calls) == 1


def test_what_the_push_mapping_writes_is_read_back_as_the_same_person(salesforce: Salesforce) -> None:
    write = push_mapping("salesforce/push/contact", functions=Salesforce.functions)
    read = pull_mapping("salesforce/contacts", "crm", functions=Salesforce.functions)
    profiles: list[dict[str, Any]] = [
        {"id": PROFILE, "role": "customer", "given_name": "Ana", "family_name": "Lima", "here": {"salesforce_contact": contact_id(ANA)}},
        {"id": OTHER, "role": "customer", "email": "bo@example.org", "phone": "+4930901821"},
    ]
    payloads = [write(profile) for profile in profiles]
    push(salesforce, *(Intent(f"i{number}", "contact", payload or {}) for number, payload in enumerate(payloads)))
    records = [record for page in salesforce.pull("contacts", None) for record in page.records]
    made = {json.loads(record)["Threadline_Id__c"]: describe(read, record, json.loads(record)["Id"]) or {} for record in records}
    assert made[PROFILE]["family_name"] == "Lima"
    assert made[PROFILE]["identifiers"] == {"salesforce_contact": contact_id(ANA), "threadline": PROFILE, "phone": "+4930901820"}
    assert "family_name" not in made[OTHER]
    assert made[OTHER]["identifiers"].items() >= {"threadline": OTHER, "email": "bo@example.org", "phone": "+4930901821"}.items()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"Id": "003"}, "MALFORMED_ID"),
        ({"Id": contact_id(ANA)[:15] + "AAA"}, "MALFORMED_ID"),
        ({"Id": contact_id(ANA), "IsEmailBounced": True}, "INVALID_FIELD_FOR_INSERT_UPDATE for IsEmailBounced: give the user edit access"),
        ({"Id": contact_id(ANA), "LastName": ""}, "REQUIRED_FIELD_MISSING for LastName"),
    ],
)
def test_a_row_that_salesforce_refuses_is_dead(salesforce: Salesforce, row: dict[str, Any], code: str) -> None:
    receipt = push(salesforce, Intent("i1", "contact", {"Threadline_Id__c": PROFILE, **row}))["i1"]
    assert receipt.status == "dead"
    assert f"Salesforce answered {code}" in (receipt.reason or "")
