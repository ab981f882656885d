"""What the Zendesk connector reads of a ticket's way, of deleted tickets, and of the Help Center."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.sandbox.account import API_USER
from connectors.zendesk.sandbox.records import audit, change, stamp, via
from tests.contract.zendesk_lab import connect, emptied, records
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError
from threadline.testing.story import Commented, Moved, Opened, Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
TOM = Person(9, "Tom", "Reed", "tom@acme.example", "", "", role="agent")


@pytest.fixture(scope="module")
def server() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: ZendeskSandbox) -> ZendeskSandbox:
    emptied(server)
    server.tell(Registered(NOON, "zendesk", ANA, ("name", "email")))
    server.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come.", channel="email"))
    server.tell(Commented(later(1), "zendesk", TOM, 35, 1, "It left today."))
    return server


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def mapped(connector: Zendesk, stream: str) -> list[dict[str, Any]]:
    mapping = pull_mapping(f"zendesk/{stream}", "zd", region="DE", functions=connector.functions)
    made = [describe(mapping, raw, str(json.loads(raw)["id"])) for page in connector.pull(stream, None) for raw in page.records]
    return [one for one in made if one]


def update(sandbox: ZendeskSandbox, author: int, minutes: int, *events: dict[str, Any]) -> None:
    """Write an update of the ticket, with these events."""
    number = 17 * 10**12 + sandbox.shelf.count("audit") * 4096
    sandbox.account.save_audit(audit(number, 35, stamp(later(minutes)), author, events, channel=via("web")))


# status changes


def test_every_status_is_read_with_its_time_and_who_gave_it(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Moved(later(2), "zendesk", "case", "35", "pending"))
    update(sandbox, 6_130_000_000_001, 3, change("status", "open", "pending"), change("priority", "high", None))
    update(sandbox, -1, 4, change("status", "solved", "open"))
    update(sandbox, 404, 5, change("status", "closed", "solved"))
    steps = [(one["status"], one["change_date"], one.get("agent"), one.get("customer")) for one in mapped(zendesk, "status_changes")]
    tom = {"zendesk_user": "6120000000009", "formatted_name": "Tom Reed"}
    ana = {"zendesk_user": "6130000000001", "formatted_name": "Ana Lima"}
    assert steps == [
        ("acknowledged", NOON, None, ana),
        ("pending", later(2), tom, None),
        ("in_progress", later(3), None, ana),
        ("resolved", later(4), None, None),
        ("closed", later(5), None, None),
    ]


def test_a_status_says_which_rule_gave_it_and_what_was_before(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rule = {"channel": "rule", "source": {"from": {"id": 44, "title": "Solve after a week"}, "to": {}, "rel": "automation"}}
    update(sandbox, -1, 2, {**change("status", "solved", "open"), "via": rule})
    step = mapped(zendesk, "status_changes")[-1]
    assert (step["change_reason"], step["extensions"]) == ("Solve after a week", {"previous_status": "open"})


def test_what_says_nothing_of_a_status_is_left_out_and_comments_are_not_asked_for(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    update(sandbox, API_USER, 2, change("subject", "Late", "Where is my order?"), {"type": "Notification", "body": "Hi"})
    assert [one["status"] for one in records(zendesk.pull("status_changes", None))] == ["new"]
    (export,) = [path for _, path in sandbox.calls if "incremental" in path]
    assert "include" not in export


@pytest.mark.parametrize(
    "child",
    [
        {"id": 7, "via": "Rule", "via_reference_id": 44, "status": "solved", "previous_value": "open", "event_type": "Change"},
        {"id": 7, "type": "Change", "field_name": "status", "value": "solved", "previous_value": "open"},
    ],
    ids=["as exports write it", "as audits write it"],
)
def test_both_ways_to_write_a_status_are_read(zendesk: Zendesk, sandbox: ZendeskSandbox, child: dict[str, Any]) -> None:
    event = {"id": 1, "ticket_id": 35, "created_at": stamp(NOON), "updater_id": -1, "child_events": [child]}
    for _ in range(2):
        sandbox.fail_next.append(JSONResponse({"ticket_events": [event], "end_time": 1, "end_of_stream": True}))
    (read,) = records(zendesk.pull("status_changes", None))
    assert (read["id"], read["ticket_id"], read["status"], read["previous_value"], read["event_id"]) == (7, 35, "solved", "open", 1)
    assert read["author"] == {"id": -1, "role": "system", "name": None, "email": None}
    assert [one["status"] for one in mapped(zendesk, "status_changes")] == ["resolved"]


def test_an_event_that_cannot_be_read_is_set_aside_whole(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    events = [{"id": 1, "ticket_id": 35, "child_events": [{"status": "open", "event_type": "Change"}]}, {"id": 2}, 3]
    sandbox.fail_next.append(JSONResponse({"ticket_events": events, "end_time": 1, "end_of_stream": True}))
    (page,) = zendesk.pull("status_changes", None)
    assert (page.records, [one.key for one in page.rejected][:2]) == ([], ["event-1", "event-2"])
    assert page.rejected[2].key.startswith("event-")


# deleted tickets


def test_who_deleted_a_ticket_is_read_until_it_is_restored(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Moved(later(3), "zendesk", "case", "35", "deleted"))
    (step,) = mapped(zendesk, "deleted_tickets")
    assert (step["status"], step["change_date"], step["agent"]["formatted_name"]) == ("cancelled", later(3), "Tom Reed")
    assert step["extensions"] == {"previous_status": "new"}
    sandbox.tell(Moved(later(4), "zendesk", "case", "35", "open"))
    assert mapped(zendesk, "deleted_tickets") == []


def test_deleted_tickets_are_read_a_hundred_at_once(sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    keys = {rig.put("deleted_tickets", number, NOON) for number in range(101, 222)}
    connector = connect(sandbox)
    pages = list(connector.pull("deleted_tickets", None))
    connector.close()
    assert [len(page.records) for page in pages] == [100, 21]
    assert {str(one["id"]) for one in records(pages)} == keys


# articles


def test_an_article_is_plain_text_with_a_page_to_read_it_on(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    key = sandbox.rig().put("articles", 1, NOON)
    (article,) = mapped(zendesk, "articles")
    assert (article["number"], article["title"], article["content"]) == (key, "Returns 1", "Print the label.")
    assert (article["language"], article["status"], article["last_update"]) == ("en-US", "published", NOON)
    assert article["url"].startswith("https://acme.zendesk.com/hc/en-us/articles/")


def test_articles_are_read_on_from_what_was_read_and_nothing_new_leads_nowhere(sandbox: ZendeskSandbox) -> None:
    rig, connector = sandbox.rig(), connect(sandbox, per_page=2)
    for number in range(1, 6):
        rig.put("articles", number, later(number))
    pages = list(connector.pull("articles", None))
    assert len(pages) > 2
    assert {one["title"] for one in records(pages)} == {f"Returns {number}" for number in range(1, 6)}
    # What the Help Center answers where nothing has changed.
    sandbox.fail_next.append(JSONResponse({"count": 0, "next_page": None, "end_time": 1, "articles": []}))
    (nothing,) = connector.pull("articles", pages[-1].cursor)
    assert nothing.cursor == pages[-1].cursor
    rig.change("articles", 2, later(9))
    assert [one["title"] for one in records(connector.pull("articles", nothing.cursor))] == ["Returns 5", "Returns 2, revised"]
    connector.close()


def test_an_account_without_a_help_center_is_told_so(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(JSONResponse({"error": "RecordNotFound", "description": "Not found"}, status_code=404))
    with pytest.raises(ConfigError, match=r"404.*help_center|help_center.*404"):
        list(zendesk.pull("articles", None))
