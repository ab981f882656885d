"""What is no longer on X: found by asking again for what a sweep did not meet."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.responses import JSONResponse

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.sandbox.records import FIRST_POST, post_position
from connectors.x.settings import XSettings
from tests.contract.sharing import shared
from threadline.sdk import ConfigError, RetryableError
from threadline.testing.story import Person, Posted

NOW = datetime.now(UTC).replace(microsecond=0)
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")
PROBLEMS = "https://api.x.com/2/problems"


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        yield running


def connect(sandbox: XSandbox, **changes: Any) -> X:
    return X(XSettings.model_validate({**sandbox.settings, **sandbox.secrets, **changes}))


@pytest.fixture
def x(sandbox: XSandbox) -> Iterator[X]:
    connector = connect(sandbox)
    yield connector
    connector.close()


def say(sandbox: XSandbox, count: int, *, days_ago: float = 1, direct: bool = False) -> list[str]:
    """Let a customer write; return the ids, oldest first."""
    first = round((NOW - timedelta(days=days_ago) - FIRST_POST).total_seconds() * 1000)
    for number in range(first, first + count):
        sandbox.tell(Posted(NOW, "x", MARA, "inbound", number, f"Where is order {number}?", direct=direct))
    return [str(post_position(number)) for number in range(first, first + count)]


def gone(connector: X, stream: str, keys: list[str]) -> list[str]:
    return [key for keys in connector.gone(stream, keys) for key in keys]


def test_posts_are_asked_for_a_hundred_at_a_time_newest_first(sandbox: XSandbox, x: X) -> None:
    ids = say(sandbox, 230)
    deleted = [ids[0], ids[150], ids[229]]
    for identity in deleted:
        sandbox.account.forget("tweet", identity)
    assert gone(x, "mentions", ids) == deleted[::-1]
    asked = [parse_qs(urlsplit(path).query)["ids"][0].split(",") for _, path in sandbox.calls]
    assert [len(some) for some in asked] == [100, 100, 30]
    assert [identity for some in asked for identity in some] == ids[::-1]


def test_what_is_only_hidden_is_not_gone(sandbox: XSandbox, x: X) -> None:
    shown, hidden, suspended, deleted, unsaid = say(sandbox, 5)
    errors = [
        {"resource_id": hidden, "resource_type": "tweet", "type": f"{PROBLEMS}/not-authorized-for-resource"},
        {"resource_id": suspended, "resource_type": "user", "type": f"{PROBLEMS}/resource-not-found"},
        {"value": deleted, "resource_type": "tweet", "type": f"{PROBLEMS}/resource-not-found"},
    ]
    sandbox.fail_next.append(JSONResponse({"data": [{"id": shown, "text": "hi"}], "errors": errors}))
    assert gone(x, "mentions", [shown, hidden, suspended, deleted, unsaid]) == [deleted]


def test_a_broken_answer_says_nothing_of_deletes(sandbox: XSandbox, x: X) -> None:
    ids = say(sandbox, 3)
    x.check()
    assert gone(x, "mentions", ids[:1]) == []
    sandbox.fail_next.append(JSONResponse(["busy"]))
    sandbox.account.forget("tweet", ids[1])
    assert gone(x, "mentions", ids) == [ids[1]]


def test_what_is_old_is_not_asked_for(sandbox: XSandbox) -> None:
    old, young = say(sandbox, 1, days_ago=8), say(sandbox, 1, days_ago=6)
    for identity in (*old, *young):
        sandbox.account.forget("tweet", identity)
    connector = connect(sandbox, recheck_days=7)
    assert gone(connector, "mentions", [*old, *young, "not-a-number"]) == young
    connector.close()


@pytest.mark.parametrize("status", [200, 404])
def test_a_message_is_asked_for_alone(sandbox: XSandbox, x: X, status: int) -> None:
    kept, deleted = say(sandbox, 2, direct=True)
    sandbox.account.forget("dm", deleted)
    if status == 404:
        problem = {"title": "Not Found Error", "type": f"{PROBLEMS}/resource-not-found", "status": 404}
        sandbox.fail_next.append(JSONResponse(problem, 404))
    assert gone(x, "direct_messages", [kept, deleted]) == [deleted]
    assert [path for _, path in sandbox.calls] == [f"/2/dm_events/{deleted}", f"/2/dm_events/{kept}"]


def test_a_message_that_x_shows_no_longer_is_not_taken_for_deleted(sandbox: XSandbox) -> None:
    connector = connect(sandbox, recheck_days=365)
    assert gone(connector, "direct_messages", say(sandbox, 1, days_ago=30, direct=True)) == []
    assert not sandbox.calls
    connector.close()


def test_a_refusal_is_no_delete(sandbox: XSandbox, x: X) -> None:
    (message,) = say(sandbox, 1, direct=True)
    x.check()
    sandbox.fail_next.append(JSONResponse({"title": "Forbidden", "detail": "Forbidden", "status": 403}, 403))
    with pytest.raises(ConfigError, match="403"):
        gone(x, "direct_messages", [message])


def test_asking_again_counts_among_the_posts_of_a_month(sandbox: XSandbox, tmp_path: Path) -> None:
    ids = say(sandbox, 120)
    connector = connect(sandbox, posts_per_month=110)
    with shared(connector, tmp_path), pytest.raises(RetryableError, match=r"has 10 left of its 110 posts .*, and 20 at least are needed"):
        gone(connector, "mentions", ids)
    assert sandbox.application.read == 100
    connector.close()
