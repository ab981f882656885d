"""Users and comments that are written to Zendesk arrive there once, whatever happens on the way."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.settings import ZendeskSettings
from tests.contract.zendesk_lab import connect, emptied
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError, Intent, Receipt, RetryableError
from threadline.testing.story import Moved, Opened, Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
PROFILE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(scope="module")
def server() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: ZendeskSandbox) -> ZendeskSandbox:
    emptied(server)
    server.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come."))
    return server


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def user(intent: str = "I1", attempt: int = 1, **payload: Any) -> Intent:
    return Intent(intent, "user", {"external_id": PROFILE, "name": "Ana Lima", "skip_verify_email": True, **payload}, attempt)


def note(intent: str = "I1", attempt: int = 1, body: str = "It has still not come.", ticket_id: Any = 35, reference: str = "R1") -> Intent:
    comment = {"public": False, "heading": "Ana Lima wrote by email at 2026-03-02T12:00:00Z:", "body": body}
    return Intent(intent, "ticket_comment", {"ticket_id": ticket_id, "reference": reference, "comment": comment}, attempt)


def push(connector: Zendesk, *intents: Intent) -> dict[str, Receipt]:
    receipts = list(connector.push(intents[0].object, intents))
    assert sorted(receipt.intent for receipt in receipts) == sorted(intent.id for intent in intents)
    return {receipt.intent: receipt for receipt in receipts}


def statuses(receipts: dict[str, Receipt]) -> list[str]:
    return [receipts[intent].status for intent in sorted(receipts)]


def writes(sandbox: ZendeskSandbox) -> list[str]:
    return [path.removeprefix("/api/v2/") for method, path in sandbox.calls if method != "GET"]


def read(connector: Zendesk, stream: str) -> list[dict[str, Any]]:
    return [json.loads(raw) for page in connector.pull(stream, None) for raw in page.records]


# users


def test_a_customer_is_found_by_address_and_keeps_what_zendesk_knows(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    receipt = push(zendesk, user(email="Ana@Example.org", user_fields={"preferred_channel": "sms"}))["I1"]
    assert (receipt.status, receipt.remote_id) == ("done", "6130000000001")
    (written,) = sandbox.pushed("user")
    assert (written["external_id"], written["user_fields"], written["role"]) == (PROFILE, {"preferred_channel": "sms"}, "end-user")
    assert written["created_at"] == "2026-03-02T12:00:00Z"
    mapping = pull_mapping("zendesk/users", "zd", functions=zendesk.functions)
    shown = describe(mapping, json.dumps(read(zendesk, "users")[-1]).encode(), "6130000000001")
    assert shown
    assert shown["identifiers"]["threadline"] == PROFILE


def test_a_new_customer_is_made_once(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    first = push(zendesk, user(name="Mara", email="mara@example.org"))["I1"]
    again = push(zendesk, user(attempt=2, name="Mara", email="mara@example.org"))["I1"]
    assert first.remote_id == again.remote_id
    assert [one["name"] for one in sandbox.pushed("user")] == ["Mara"]
    assert sum(one["name"] == "Mara" for one in read(zendesk, "users")) == 1


def test_a_customer_known_here_is_changed_by_id(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    push(zendesk, user(id=6130000000001, email="ana@private.example", phone="+49 30 1"))
    (written,) = sandbox.pushed("user")
    assert (written["id"], written["phone"], written["email"]) == (6130000000001, "+49 30 1", "ana@example.org")
    assert writes(sandbox) == ["users/6130000000001.json"]


def test_only_a_new_user_without_name_is_named_by_address(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    nameless = {"external_id": PROFILE, "email": "ana@example.org"}
    push(
        zendesk,
        Intent("I1", "user", nameless),
        Intent("I2", "user", {"external_id": "01ARZ3NDEKTSV4RRFFQ69G5FAW", "email": "mara.q@example.org"}),
    )
    assert [one["name"] for one in sandbox.pushed("user")] == ["Ana Lima", "mara.q"]


def many(count: int) -> list[Intent]:
    return [
        user(f"I{number:03}", external_id=f"{PROFILE[:-3]}{number:03}", name=f"P{number}", email=f"p{number}@x.example")
        for number in range(count)
    ]


def test_many_users_go_in_one_job(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    known = [user("K1", id=6130000000001), user("K2", id=6110000000001, external_id="01ARZ3NDEKTSV4RRFFQ69G5FAW", name="Integration")]
    assert statuses(push(zendesk, *many(98), *known)) == ["done"] * 100
    assert len(sandbox.pushed("user")) == 100
    assert writes(sandbox) == ["users/update_many.json", "users/create_or_update_many.json"]


def test_one_bad_user_in_a_job_stops_no_other(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    bad = user("B1", external_id=None, email="not an address")
    receipts = push(zendesk, *many(3), bad)
    assert statuses(receipts) == ["dead", "done", "done", "done"]
    assert receipts["B1"].reason == "Zendesk answered 422 RecordInvalid (email)"
    assert "not an address" not in str(receipts)
    assert len(sandbox.pushed("user")) == 3
    assert writes(sandbox) == ["users/create_or_update_many.json", "users/create_or_update.json"]


def test_an_account_without_bulk_imports_gets_users_one_by_one(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.bulk_imports = False
    assert statuses(push(zendesk, *many(3))) == ["done"] * 3
    assert len(sandbox.pushed("user")) == 3


@pytest.mark.parametrize(
    "answer",
    [{"status": "failed", "results": {"success": False}}, {"status": "completed", "results": []}, {"status": "killed", "results": None}],
)
def test_what_a_job_leaves_open_is_written_one_by_one(zendesk: Zendesk, sandbox: ZendeskSandbox, answer: dict[str, Any]) -> None:
    posted = JSONResponse({"job_status": {"id": "V3-1", "status": "queued"}})
    sandbox.fail_next.extend([posted, JSONResponse({"job_status": {"id": "V3-1", **answer}})])
    assert statuses(push(zendesk, *many(2))) == ["done"] * 2
    assert len(sandbox.pushed("user")) == 2


def test_a_user_is_written_again_after_an_answer_that_says_nothing(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(Response("", status_code=502))
    assert statuses(push(zendesk, user(email="ana@example.org"))) == ["done"]
    sandbox.fail_next.append(JSONResponse({"error": "Oops"}))
    assert statuses(push(zendesk, user(email="ana@example.org"))) == ["done"]


def test_two_users_cannot_share_an_address(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Registered(NOON, "zendesk", Person(2, "Ben", "Okoye", "ben@example.org", "", ""), ("name", "email")))
    receipt = push(zendesk, user(id=6130000000001, email="ben@example.org"))["I1"]
    assert (receipt.status, receipt.reason) == ("dead", "Zendesk answered 422 RecordInvalid (email)")
    gone = push(zendesk, user(id=404))["I1"]
    assert (gone.status, gone.reason) == ("dead", "Zendesk answered 404 RecordNotFound")


# comments


def test_a_note_is_internal_and_comes_back_as_our_own(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    receipt = push(zendesk, note())["I1"]
    (written,) = sandbox.pushed("ticket_comment")
    assert (written["ticket_id"], written["public"]) == (35, False)
    assert written["body"] == "Ana Lima wrote by email at 2026-03-02T12:00:00Z:\n\nIt has still not come."
    assert (receipt.status, receipt.remote_id) == ("done", str(written["id"]))
    exported = read(zendesk, "comments")[-1]
    assert (exported["id"], exported["metadata"]["custom"]["threadline_id"]) == (written["id"], "I1")
    mapping = pull_mapping("zendesk/comments", "zd", functions=zendesk.functions)
    assert [describe(mapping, json.dumps(said).encode(), "1") is None for said in read(zendesk, "comments")] == [False, True]


def test_a_repeated_note_finds_the_first(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    first = push(zendesk, note())["I1"]
    assert push(zendesk, note(attempt=2))["I1"] == first
    assert len(sandbox.pushed("ticket_comment")) == 1
    assert push(zendesk, note(attempt=2, intent="I2", reference="R2"))["I2"].remote_id != first.remote_id


def test_a_note_is_not_told_again_because_a_name_has_changed(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    first = push(zendesk, note(), note("I2", body="The same, other words"))
    assert first["I2"].remote_id == first["I1"].remote_id
    assert push(zendesk, note("I3"))["I3"].remote_id == first["I1"].remote_id
    assert len(sandbox.pushed("ticket_comment")) == 1


def test_the_mark_is_found_behind_many_audits(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    push(zendesk, note())
    states = ("open", "pending")
    for minute in range(120):
        at = NOON.replace(hour=13 + minute // 60, minute=minute % 60)
        sandbox.tell(Moved(at, "zendesk", "case", "35", states[minute % 2]))
    push(zendesk, note("I2", reference="R2"))
    assert push(zendesk, note(attempt=2))["I1"].status == push(zendesk, note("I2", 2, reference="R2"))["I2"].status == "done"
    assert len(sandbox.pushed("ticket_comment")) == 2


class ForgetfulSandbox(ZendeskSandbox):
    """Takes a write, and loses the answer."""

    lose = 0

    async def _write_ticket(self, request: Any) -> Response:
        return self._lost(await super()._write_ticket(request))

    async def _write_user(self, request: Any) -> Response:
        return self._lost(await super()._write_user(request))

    def _lost(self, response: Response) -> Response:
        self.lose -= 1
        return Response("", status_code=504) if self.lose >= 0 else response


def test_a_write_whose_answer_was_lost_is_not_made_twice() -> None:
    with ForgetfulSandbox() as sandbox:
        sandbox.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come."))
        connector = connect(sandbox)
        sandbox.lose = 1
        with pytest.raises(RetryableError, match="504"):
            push(connector, note())
        assert push(connector, note(attempt=2))["I1"].status == "done"
        sandbox.lose = 1
        assert push(connector, user(name="Mara", email="mara@example.org"))["I1"].status == "done"
        assert len(sandbox.pushed("ticket_comment")) == len(sandbox.pushed("user")) == 1
        connector.close()


@pytest.mark.parametrize(("status", "then"), [(429, RetryableError), (503, RetryableError), (401, ConfigError)])
def test_what_stops_a_push_leaves_the_rest_unsaid(zendesk: Zendesk, sandbox: ZendeskSandbox, status: int, then: type[Exception]) -> None:
    receipts = zendesk.push("ticket_comment", [note("I1"), note("I2", reference="R2"), note("I3", reference="R3")])
    assert next(receipts).status == "done"
    sandbox.fail_next.append(JSONResponse({"error": "x"}, status_code=status, headers={"Retry-After": "7"}))
    with pytest.raises(then) as caught:
        next(receipts)
    assert getattr(caught.value, "retry_after", 7) == 7
    assert len(sandbox.pushed("ticket_comment")) == 1


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (note(ticket_id=99), "404 RecordNotFound"),
        (note(ticket_id="A-1"), "ticket_id: expected a ticket's number"),
        (note(body=""), "comment.body: expected a text"),
    ],
)
def test_a_note_that_cannot_be_written_is_dead_and_says_why(zendesk: Zendesk, sandbox: ZendeskSandbox, intent: Intent, reason: str) -> None:
    receipts = push(zendesk, intent, note("I2", reference="R2"))
    assert (receipts["I1"].status, receipts["I2"].status) == ("dead", "done")
    assert reason in str(receipts["I1"].reason)


def test_a_closed_ticket_takes_no_note_and_a_busy_one_later(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(JSONResponse({"audits": [], "meta": {}}))
    sandbox.fail_next.append(JSONResponse({"error": "UpdateConflict", "description": "Busy"}, status_code=409))
    assert push(zendesk, note())["I1"].status == "retry"
    sandbox.tell(Moved(NOON, "zendesk", "case", "35", "closed"))
    receipt = push(zendesk, note())["I1"]
    assert (receipt.status, receipt.reason) == ("dead", "Zendesk answered 422 RecordInvalid (status)")


def test_no_secret_and_no_text_in_the_logs(zendesk: Zendesk, sandbox: ZendeskSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    push(zendesk, note(), note("I2", body="", reference="R2"))
    push(zendesk, user(email="ana@example.org"))
    for secret in (sandbox.secrets["token"], "It has still not come", "ana@example.org"):
        assert secret not in caplog.text


# the way there


def test_pages_that_are_not_zendesks_own_are_told_apart(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(Response("<html>No such page</html>", status_code=404))
    receipt = push(zendesk, user(email="ana@example.org"))["I1"]
    assert (receipt.status, receipt.reason) == ("dead", "Zendesk answered 404 Not Found")
    sandbox.fail_next.append(Response("Welcome to the proxy"))
    assert push(zendesk, user(email="ana@example.org"))["I1"].status == "done"


def test_a_job_that_takes_too_long_is_asked_for_again_later(
    zendesk: Zendesk, sandbox: ZendeskSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.zendesk.push.JOB_PATIENCE", 0.0)
    with pytest.raises(RetryableError, match="is not done after"):
        push(zendesk, *many(2))


def test_an_account_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    connector = Zendesk(ZendeskSettings.model_validate({"base_url": "http://127.0.0.1:1", "email": "a@b.example", "token": "x"}))
    with pytest.raises(RetryableError, match=r"Zendesk at 127\.0\.0\.1:1 cannot be reached"):
        push(connector, user())
    connector.close()


def test_reading_does_without_zenpy_and_writing_says_how_to_get_it(
    zendesk: Zendesk, sandbox: ZendeskSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zenpy", None)
    zendesk.check()
    assert len(read(zendesk, "comments")) == 1
    with pytest.raises(ConfigError, match=r"pip install 'threadline\[zendesk\]'"):
        push(zendesk, user())
