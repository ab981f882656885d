"""Tickets that are written to Zendesk are opened once and changed with care, whatever others do meanwhile."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from starlette.responses import JSONResponse, Response

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from tests.contract.zendesk_lab import connect
from threadline.mapping.library import describe, pull_mapping, push_mapping
from threadline.sdk import Intent, Receipt
from threadline.testing.story import Moved, Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
CREATED = "POST /api/v2/tickets.json"
NONE_YET = JSONResponse({"tickets": []})


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        running.tell(Registered(NOON, "zendesk", ANA, ("name", "email")))
        yield running


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def ticket(intent: str = "I1", attempt: int = 1, **payload: Any) -> Intent:
    opening = {"requester": {"email": "ana@example.org"}, "comment": {"body": "It has not come.", "public": False}}
    return Intent(intent, "ticket", {"external_id": "thread-1", "subject": "Late", **opening, **payload}, attempt)


def push(connector: Zendesk, *intents: Intent) -> list[Receipt]:
    receipts = list(connector.push("ticket", intents))
    assert [receipt.intent for receipt in receipts] == [intent.id for intent in intents]
    return receipts


def writes(sandbox: ZendeskSandbox) -> list[str]:
    return [f"{method} {path}" for method, path in sandbox.calls if method != "GET"]


def listed(sandbox: ZendeskSandbox) -> dict[str, Any]:
    """Return what Zendesk lists for the ticket now, to be answered again when it is out of date."""
    login = (f"{sandbox.secrets['email']}/token", sandbox.secrets["token"])
    found: dict[str, Any] = requests.get(f"{sandbox.url}/api/v2/tickets.json?external_id=thread-1", auth=login, timeout=10).json()
    sandbox.calls.clear()
    return found


def test_a_ticket_is_opened_for_its_requester(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (receipt,) = push(zendesk, ticket(tags=["vip"], custom_fields=[{"id": 36000000, "value": "A-1001"}]))
    (written,) = sandbox.pushed("ticket")
    assert (receipt.status, receipt.remote_id) == ("done", str(written["id"]))
    assert (written["subject"], written["requester_id"], written["tags"]) == ("Late", 6130000000001, ["vip"])
    assert (written["external_id"], written["description"]) == ("thread-1", "It has not come.")


def test_the_opening_comment_comes_back_as_our_own(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    push(zendesk, ticket())
    (page,) = zendesk.pull("comments", None)
    (said,) = page.records
    assert json.loads(said)["metadata"]["custom"] == {"threadline_id": "I1"}
    assert describe(pull_mapping("zendesk/comments", "zd", functions=zendesk.functions), said, "1") is None


def test_a_new_requester_is_named_by_address_and_a_known_one_by_id(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    known = ticket("I2", external_id="thread-2", requester_id=6130000000001)
    assert [receipt.status for receipt in push(zendesk, ticket(requester={"email": "mara.q@example.org"}), known)] == ["done", "done"]
    first, second = sandbox.pushed("ticket")
    assert (sandbox.shelf.get("user", str(first["requester_id"])) or {})["name"] == "mara.q"
    assert second["requester_id"] == 6130000000001


def test_a_ticket_that_is_there_is_changed_where_it_differs(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    sandbox.calls.clear()
    assert push(zendesk, ticket(attempt=2)) == [first]
    assert writes(sandbox) == []
    other_words = ticket("I2", external_id="THREAD-1", priority="high", comment={"body": "Other words"})
    assert push(zendesk, other_words)[0].remote_id == first.remote_id
    assert writes(sandbox) == [f"PUT /api/v2/tickets/{first.remote_id}.json"]
    (written,) = sandbox.pushed("ticket")
    assert (written["priority"], written["description"]) == ("high", "It has not come.")


def test_tags_in_another_order_and_fields_of_others_are_no_difference(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    fields = [{"id": 36000000, "value": "A-1001"}]
    push(zendesk, ticket(tags=["a", "b"], custom_fields=[*fields, {"id": 7, "value": "theirs"}]))
    sandbox.calls.clear()
    push(zendesk, ticket("I2", tags=["b", "a"], custom_fields=fields))
    assert writes(sandbox) == []
    push(zendesk, ticket("I3", tags=["b"], custom_fields=[{"id": 36000000, "value": "A-1002"}]))
    (written,) = sandbox.pushed("ticket")
    assert written["tags"] == ["b"]
    assert written["custom_fields"] == [{"id": 36000000, "value": "A-1002"}, {"id": 7, "value": "theirs"}]


def test_the_key_finds_a_ticket_that_is_not_listed_yet(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    sandbox.fail_next.append(NONE_YET)
    assert push(zendesk, ticket(attempt=2)) == [first]
    assert writes(sandbox) == [CREATED, CREATED]
    assert len(sandbox.pushed("ticket")) == 1


def test_a_key_used_with_another_body_has_opened_a_ticket_that_is_looked_for_again(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    sandbox.fail_next.append(NONE_YET)
    assert push(zendesk, ticket(attempt=2, subject="Very late")) == [first]
    (written,) = sandbox.pushed("ticket")
    assert written["subject"] == "Very late"


def test_a_key_of_a_ticket_that_is_never_found_is_dead(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    push(zendesk, ticket())
    (receipt,) = push(zendesk, ticket(external_id="thread-2"))
    assert (receipt.status, receipt.reason) == ("dead", "Zendesk answered 400 IdempotentRequestError")
    assert len(sandbox.pushed("ticket")) == 1


def test_what_changed_since_it_was_read_is_read_again(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    before = listed(sandbox)
    sandbox.tell(Moved(NOON, "zendesk", "case", str(first.remote_id), "pending"))
    sandbox.fail_next.append(JSONResponse(before))
    assert push(zendesk, ticket("I2", priority="urgent"))[0].status == "done"
    assert len(writes(sandbox)) == 2
    (written,) = sandbox.pushed("ticket")
    assert (written["priority"], written["status"]) == ("urgent", "pending")


def test_what_somebody_else_has_done_meanwhile_is_left(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    before = listed(sandbox)
    sandbox.tell(Moved(NOON, "zendesk", "case", str(first.remote_id), "pending"))
    sandbox.fail_next.append(JSONResponse(before))
    assert push(zendesk, ticket("I2", status="pending"))[0].status == "done"
    assert len(writes(sandbox)) == 1


def test_a_ticket_that_never_holds_still_is_tried_again_later(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    push(zendesk, ticket())
    before = listed(sandbox)
    conflict = {"error": "UpdateConflict", "description": "outdated"}
    for _ in range(3):
        sandbox.fail_next.extend([JSONResponse(before), JSONResponse(conflict, status_code=409)])
    (receipt,) = push(zendesk, ticket("I2", priority="low"))
    assert (receipt.status, receipt.reason) == ("retry", "Zendesk answered 409 UpdateConflict")


class ForgetfulSandbox(ZendeskSandbox):
    """Takes a write, and loses the answer."""

    lose = 0

    async def _create_ticket(self, request: Any) -> Response:
        return self._lost(await super()._create_ticket(request))

    async def _write_ticket(self, request: Any) -> Response:
        return self._lost(await super()._write_ticket(request))

    def _lost(self, response: Response) -> Response:
        self.lose -= 1
        return Response("", status_code=504) if self.lose >= 0 else response


def test_a_write_whose_answer_was_lost_is_not_made_twice() -> None:
    with ForgetfulSandbox() as sandbox:
        connector = connect(sandbox)
        sandbox.lose = 1
        (opened,) = push(connector, ticket())
        sandbox.lose = 1
        (changed,) = push(connector, ticket("I2", priority="high"))
        (written,) = sandbox.pushed("ticket")
        assert (opened.remote_id, changed.remote_id, written["priority"]) == (str(written["id"]), str(written["id"]), "high")
        connector.close()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"external_id": None}, "external_id: expected a text"),
        ({"id": 35}, "id: a ticket is found by its external_id"),
        ({"requester": {"name": "Ana"}}, "requester: expected an e-mail address, or requester_id"),
        ({"requester_id": 404}, "Zendesk answered 422 RecordInvalid (requester)"),
        ({"comment": {}}, "Zendesk answered 422 RecordInvalid (base)"),
        ({"priority": "sky-high"}, "Zendesk answered 422 RecordInvalid (priority)"),
    ],
)
def test_a_ticket_that_cannot_be_opened_is_dead_and_says_why(
    zendesk: Zendesk, sandbox: ZendeskSandbox, payload: dict[str, Any], reason: str
) -> None:
    dead, done = push(zendesk, ticket(**payload), ticket("I2", external_id="thread-2"))
    assert (dead.status, done.status) == ("dead", "done")
    assert str(dead.reason).startswith(reason)
    assert len(sandbox.pushed("ticket")) == 1


def test_two_tickets_of_one_external_id_are_left_to_a_person(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(JSONResponse({"tickets": [{"id": 1, "external_id": "thread-1"}, {"id": 2, "external_id": "thread-1"}]}))
    (receipt,) = push(zendesk, ticket())
    assert (receipt.status, receipt.reason) == ("dead", "2 tickets have this external_id (1, 2): leave it to one of them")
    assert writes(sandbox) == []


def test_an_answer_about_another_ticket_is_not_taken_for_it(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(JSONResponse({"tickets": [{"id": 1, "external_id": "thread-9"}]}))
    assert push(zendesk, ticket())[0].remote_id == str(sandbox.pushed("ticket")[0]["id"])


def test_a_closed_ticket_stays_as_it_is(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = push(zendesk, ticket())
    sandbox.tell(Moved(NOON, "zendesk", "case", str(first.remote_id), "closed"))
    (receipt,) = push(zendesk, ticket("I2", priority="high"))
    assert (receipt.status, receipt.reason) == ("dead", "Zendesk answered 422 RecordInvalid (status)")


def test_the_shipped_mapping_opens_one_ticket_for_a_conversation(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    mapping = push_mapping("zendesk/push/ticket", functions=zendesk.functions)
    document = {
        "elsewhere": True, "direction": "inbound", "content": "Where is it?", "thread": {"id": "T1", "title": "Late", "here": {}},
        "customer": {"email": "ana@example.org", "formatted_name": "Ana Lima", "here": {}},
    }  # fmt: skip
    first, second = (mapping({**document, "id": f"M{number}", "content": f"Mail {number}"}) for number in (1, 2))
    assert first
    assert second
    receipts = push(zendesk, Intent("I1", "ticket", first), Intent("I2", "ticket", second))
    assert receipts[0].remote_id == receipts[1].remote_id
    assert [one["description"] for one in sandbox.pushed("ticket")] == ["Mail 1"]


def test_no_text_of_a_customer_is_logged(zendesk: Zendesk, sandbox: ZendeskSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    push(zendesk, ticket(), ticket("I2", external_id="thread-2", priority="sky-high"))
    for secret in (sandbox.secrets["token"], "It has not come", "ana@example.org"):
        assert secret not in caplog.text
