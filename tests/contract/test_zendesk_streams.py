"""What the Zendesk connector reads besides users, tickets and comments, and how it gets by with few calls."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from connectors.zendesk import Zendesk, directory
from connectors.zendesk.exports import ALLOWED, calls_left
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.sandbox.account import comment_id
from connectors.zendesk.sandbox.records import stamp
from connectors.zendesk.sandbox.records_beside import rating
from connectors.zendesk.settings import ZendeskSettings
from tests.contract.sharing import shared
from tests.contract.zendesk_lab import connect, records
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import RetryableError
from threadline.sdk.budget import Budget, Left
from threadline.testing.faults.proxy import FaultProxy
from threadline.testing.faults.script import Fault, Rule, Script
from threadline.testing.story import Commented, Moved, Opened, Person

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
BEN = Person(2, "Ben", "Okoye", "ben@example.org", "030 654321", "ben_o")


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        running.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come.", channel="email"))
        yield running


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def mapped(connector: Zendesk, stream: str) -> list[dict[str, Any]]:
    mapping = pull_mapping(f"zendesk/{stream}", "zd", region="DE", functions=connector.functions)
    made = [describe(mapping, raw, str(json.loads(raw)["id"])) for page in connector.pull(stream, None) for raw in page.records]
    return [one for one in made if one]


def rate(sandbox: ZendeskSandbox, number: int, at: datetime, score: str, comment: str | None = None) -> None:
    sandbox.account.export("rating", rating(number, stamp(at), sandbox.account.ticket(35), score, comment), stamp(at))


# organizations


def test_an_organization_comes_again_when_it_changes_or_goes(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    for number in (1, 2):
        rig.put("organizations", number, NOON)
    (first,) = zendesk.pull("organizations", None)
    rig.change("organizations", 1, NOON + timedelta(minutes=1))
    rig.delete("organizations", 2, NOON + timedelta(minutes=2))
    changed = {one["name"]: one["deleted_at"] for one in records(list(zendesk.pull("organizations", first.cursor)))}
    assert changed == {"Acme 1 Limited": None, "Acme 2 Ltd": "2026-03-02T12:02:00Z"}
    shown = {one["formatted_name"]: (one["kind"], one["status"]) for one in mapped(zendesk, "organizations")}
    assert shown == {"Acme 1 Limited": ("organization", "active"), "Acme 2 Ltd": ("organization", "deleted")}


def test_what_changed_within_the_last_minute_comes_next_time(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    rig.put("organizations", 1, NOON)
    rig.put("organizations", 2, datetime.now(UTC))
    sandbox.kept_back = 60
    (page,) = zendesk.pull("organizations", None)
    assert [one["name"] for one in records([page])] == ["Acme 1 Ltd"]
    sandbox.kept_back = 0
    assert "Acme 2 Ltd" in [one["name"] for one in records(list(zendesk.pull("organizations", page.cursor)))]


# tickets


def test_a_case_says_when_it_was_solved_without_another_call(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Opened(NOON, "zendesk", BEN, 36, "Broken", "It is broken."))
    sandbox.tell(Moved(NOON + timedelta(hours=1), "zendesk", "case", "35", "solved"))
    cases = {case["status"]: case.get("resolution_date") for case in mapped(zendesk, "tickets")}
    assert cases == {"acknowledged": None, "resolved": datetime(2026, 3, 2, 13, tzinfo=UTC)}
    assert [path.partition("?")[0] for _, path in sandbox.calls] == ["/api/v2/incremental/tickets/cursor.json"]


def test_a_system_update_is_read_though_it_leaves_its_time(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (first,) = zendesk.pull("tickets", None)
    held = sandbox.account.ticket(35)
    sandbox.account.save_ticket({**held, "tags": ["swept"], "generated_timestamp": held["generated_timestamp"] + 3600})
    (again,) = records(list(zendesk.pull("tickets", first.cursor)))
    assert (again["tags"], again["updated_at"]) == (["swept"], held["updated_at"])


# satisfaction ratings


def test_ratings_that_were_only_offered_are_not_read(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    for number, score in enumerate(("offered", "good", "unoffered", "bad"), start=1):
        rate(sandbox, number, NOON + timedelta(seconds=number), score, "Thanks" if score == "good" else None)
    first, second = mapped(zendesk, "satisfaction_ratings")
    assert (first["metric"], first["channel"], first["normalized_rating"], second["normalized_rating"]) == ("csat", "survey", 1.0, 0.0)
    assert first["customer"] == {"zendesk_user": "6130000000001"}
    assert (first.get("comments"), second.get("comments")) == ("Thanks", None)


def test_ratings_are_read_from_the_settings_start_and_then_from_the_last_read(sandbox: ZendeskSandbox) -> None:
    connector = connect(sandbox, start=NOON, per_page=2)
    for number in range(-1, 5):
        rate(sandbox, 10 + number, NOON + timedelta(seconds=number), "good")
    pages = list(connector.pull("satisfaction_ratings", None))
    assert [one["id"] for one in records(pages)] == [10, 11, 12, 13, 14]
    rate(sandbox, 20, datetime.now(UTC) - timedelta(seconds=5), "bad")
    assert [one["id"] for one in records(list(connector.pull("satisfaction_ratings", pages[-1].cursor)))] == [20]
    connector.close()


@pytest.mark.parametrize(("told", "until"), [("Mon, 02 Mar 2026 13:00:00 GMT", NOON + timedelta(hours=1)), ("some time", None)])
def test_zendesks_own_clock_bounds_what_is_read(sandbox: ZendeskSandbox, told: str, until: datetime | None) -> None:
    answer = Fault("error body", headers={"Date": told}, body=b"{}")
    with FaultProxy(sandbox.url, Script(Rule(answer, path="users/me"))) as proxy:
        connector = connect(sandbox, base_url=proxy.url)
        if until:
            list(connector.pull("satisfaction_ratings", None))
            assert f"end_time={int(until.timestamp())}" in proxy.seen[-1].path
        else:
            with pytest.raises(RetryableError, match="does not say what time it is"):
                list(connector.pull("satisfaction_ratings", None))
        connector.close()


# comments that change


def change(sandbox: ZendeskSandbox, comment: int, kind: str, **changed: Any) -> None:
    sandbox.account.change_comment(comment, stamp(NOON + timedelta(hours=1)), {"type": kind}, **changed)


@pytest.mark.parametrize(
    ("kind", "changed", "shown"),
    [
        ("CommentPrivacyChange", {"public": False}, ("internal", "Mine neither.")),
        ("CommentRedactionEvent", {"body": "▇ neither."}, ("private", "▇ neither.")),
        ("AttachmentRedactionEvent", {}, ("private", "Mine neither.")),
    ],
)
def test_a_comment_comes_again_when_it_is_made_private_or_redacted(
    zendesk: Zendesk, sandbox: ZendeskSandbox, kind: str, changed: dict[str, Any], shown: tuple[str, str]
) -> None:
    sandbox.tell(Commented(NOON + timedelta(seconds=1), "zendesk", BEN, 35, 1, "Mine neither."))
    (page,) = zendesk.pull("comments", None)
    before = records([page])
    change(sandbox, comment_id(1), kind, **changed)
    *_, after = records(list(zendesk.pull("comments", page.cursor)))
    assert after.keys() <= before[-1].keys()
    assert (after["id"], after["author"]) == (comment_id(1), before[-1]["author"])
    said = mapped(zendesk, "comments")[-1]
    assert (said["visibility"], said["message"]["content"]) == shown


def test_a_change_is_found_among_many_comments_and_none_on_a_deleted_ticket(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    for number in range(1, 121):
        sandbox.tell(Commented(NOON + timedelta(seconds=number), "zendesk", BEN, 35, number, f"Comment {number}"))
    (page,) = zendesk.pull("comments", None)
    change(sandbox, comment_id(120), "CommentPrivacyChange", public=False)
    again = {one["id"]: one["public"] for one in records(list(zendesk.pull("comments", page.cursor)))}
    assert (len(again), again[comment_id(120)]) == (121, False)
    sandbox.tell(Moved(NOON + timedelta(hours=1), "zendesk", "case", "35", "deleted"))
    assert {one["id"] for one in records(list(zendesk.pull("comments", page.cursor)))} == {comment_id(120)}


# calls


def test_an_answer_about_others_makes_nobody_gone(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Commented(NOON, "zendesk", BEN, 35, 1, "Mine neither."))
    undisturbed = records(list(zendesk.pull("comments", None)))
    others = JSONResponse({"users": [{"id": 404, "role": "agent", "name": "Another"}]})
    with FaultProxy(sandbox.url, Script(Rule(Fault("error body", body=bytes(others.body)), 1, path="users/show_many"))) as proxy:
        connector = connect(sandbox, base_url=proxy.url)
        assert records(list(connector.pull("comments", None))) == undisturbed
        assert sum("users/show_many" in seen.path for seen in proxy.seen) == 2
        connector.close()


def test_who_is_no_longer_remembered_is_looked_up_again(zendesk: Zendesk, sandbox: ZendeskSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, person in enumerate((ANA, BEN, ANA), start=1):
        sandbox.tell(Commented(NOON + timedelta(seconds=number), "zendesk", person, 35, number, f"Comment {number}"))
    whole = records(list(zendesk.pull("comments", None)))
    monkeypatch.setattr(directory, "REMEMBERED", 0)
    connector = connect(sandbox, per_page=1)
    found = {one["id"]: one for one in records(list(connector.pull("comments", None)))}
    assert list(found.values()) == whole
    connector.close()


class Counted(Budget):
    """Notes what is spent."""

    def __init__(self) -> None:
        self.spent: list[str] = []
        self.told: list[Left | None] = []

    def spend(self, call: str) -> None:
        if ALLOWED.counts(call):
            self.spent.append(call.partition("?")[0])

    def heard(self, call: str, headers: Mapping[str, str]) -> None:
        if ALLOWED.counts(call):
            self.told.append(ALLOWED.told(headers))


def test_exports_are_taken_from_the_budget_and_look_ups_are_not(sandbox: ZendeskSandbox) -> None:
    sandbox.exports_per_minute = 10
    connector = connect(sandbox)
    connector.budget = counted = Counted()
    for stream in connector.streams:
        list(connector.pull(stream.name, None))
    connector.close()
    assert [call.removeprefix("GET /api/v2/incremental/") for call in counted.spent] == [
        "users/cursor.json", "tickets/cursor.json", "ticket_events.json", "ticket_events.json", "organizations.json",
    ]  # fmt: skip
    assert [left and left.calls for left in counted.told] == [9, 8, 7, 6, 5]


def test_an_account_of_its_own_has_an_allowance() -> None:
    login = {"email": "a@b.example", "token": "x"}
    own = Zendesk(ZendeskSettings.model_validate({"subdomain": "acme", **login}))
    assert (own.account(), [(one.name, one.calls, one.seconds) for one in own.allowances()]) == (
        "acme", [("exports", 10, 60), ("requests", None, 60)],
    )  # fmt: skip
    elsewhere = Zendesk(ZendeskSettings.model_validate({"base_url": "http://127.0.0.1:1", **login}))
    assert (elsewhere.account(), [one.calls for one in elsewhere.allowances()]) == (None, [None, None])


def test_a_refusal_is_heard_by_all_that_use_the_account(sandbox: ZendeskSandbox, tmp_path: Path) -> None:
    headers = {"ratelimit-limit": "700", "ratelimit-remaining": "0", "ratelimit-reset": "600", "Retry-After": "600"}
    sandbox.fail_next.append(JSONResponse({"error": "TooManyRequests"}, 429, headers))
    for message in ("Zendesk answered 429", "zendesk has none left of its 700 requests in 60 s; they are renewed in 10 minutes"):
        connector = connect(sandbox)
        with shared(connector, tmp_path), pytest.raises(RetryableError, match=message):
            connector.check()
        connector.close()
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("total=10; remaining=9; resets=42", Left(9, 42)),
        ("remaining=0", Left(0, None)),
        ("total=10", None),
        ("remaining=many", None),
        ("", None),
    ],
)
def test_the_header_of_exports_says_how_many_are_left(header: str, left: Left | None) -> None:
    assert calls_left({"zendesk-ratelimit-incremental-exports": header}) == left
