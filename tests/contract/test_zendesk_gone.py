"""What is deleted in Zendesk for good is found by a sweep, and nothing else is taken for it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse

from connectors.zendesk import Zendesk
from connectors.zendesk.client import RefusalError
from connectors.zendesk.sandbox import ZendeskSandbox
from tests.contract.zendesk_lab import connect
from threadline.sync.reconcile import reconcile
from threadline.testing.conformance.trial import ONE_THREAD, contents, trial

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KINDS = {"users": "user", "tickets": "ticket", "organizations": "organization"}
NOT_ASKED_FOR = ["comments", "satisfaction_ratings", "deleted_tickets"]


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        yield running


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def gone(connector: Zendesk, stream: str, keys: list[str]) -> list[str]:
    return [key for some in connector.gone(stream, keys) for key in some]


@pytest.mark.parametrize("stream", KINDS)
def test_only_what_is_deleted_for_good_is_gone(zendesk: Zendesk, sandbox: ZendeskSandbox, stream: str) -> None:
    rig = sandbox.rig()
    there, deleted, purged = (rig.put(stream, number, NOON) for number in (1, 2, 3))
    rig.delete(stream, 2, NOON)
    sandbox.shelf.drop(KINDS[stream], purged)
    assert gone(zendesk, stream, [there, deleted, purged, "404", "?5f3a9c", ""]) == [purged, "404"]


def test_deleted_tickets_are_listed_to_the_end_and_once(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    keys = [rig.put("tickets", number, NOON) for number in range(1, 121)]
    for number in range(1, 121):
        rig.delete("tickets", number, NOON)
    assert gone(zendesk, "tickets", [*keys, "404"]) == ["404"]
    assert sum("deleted_tickets" in path for _, path in sandbox.calls) == 2


def test_what_a_list_leaves_out_is_asked_for_by_itself(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    key = sandbox.rig().put("users", 1, NOON)
    sandbox.fail_next.append(JSONResponse({"users": []}))
    assert gone(zendesk, "users", [key]) == []
    sandbox.fail_next.append(JSONResponse({"users": []}))
    sandbox.fail_next.append(JSONResponse({"error": "Forbidden"}, status_code=403))
    with pytest.raises(RefusalError, match="403"):
        gone(zendesk, "users", [key])


def test_a_sweep_marks_what_is_gone() -> None:
    with trial(Zendesk) as surroundings:
        rig, store = surroundings.rig, surroundings.store()
        (tickets,) = (stream for stream in Zendesk.streams if stream.name == "tickets")
        keys = [rig.put("tickets", number, surroundings.at(number)) for number in range(1, 6)]
        surroundings.pull(store, tickets)
        rig.sandbox.shelf.drop("ticket", keys[2])  # type: ignore[attr-defined]
        connector = surroundings.connect()
        found = reconcile(store, connector, surroundings.judge(connector, tickets), tickets, policy=ONE_THREAD)
        assert found.gone == 1
        assert {key: state for key, (state, _) in contents(store, tickets).items()} == {**dict.fromkeys(keys, "ok"), keys[2]: "gone"}


def test_what_has_no_address_cannot_be_asked_for(zendesk: Zendesk) -> None:
    assert [stream.name for stream in zendesk.streams if not zendesk.looks_up(stream.name)] == NOT_ASKED_FOR


def test_the_steps_of_a_ticket_are_gone_with_it(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    there, deleted, purged = (rig.put("status_changes", number, NOON) for number in (1, 2, 3))
    rig.delete("tickets", 2, NOON)
    rig.delete("status_changes", 3, NOON)
    assert gone(zendesk, "status_changes", [there, deleted, purged, "404:1", "404:2", "?5f3a9c"]) == [purged, "404:1", "404:2"]


def test_an_archived_article_is_gone(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    rig = sandbox.rig()
    there, archived = (rig.put("articles", number, NOON) for number in (1, 2))
    rig.delete("articles", 2, NOON)
    assert gone(zendesk, "articles", [there, archived, "?5f3a9c"]) == [archived]
