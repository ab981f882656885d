"""How much the X connector reads: X's windows and days, and the posts of a month."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from connectors.x import X
from connectors.x.posts import Usage
from connectors.x.sandbox import XSandbox
from connectors.x.settings import XSettings
from tests.contract.sharing import shared
from threadline.mapping.library import pull_mapping
from threadline.sdk import ConfigError, Intent, RetryableError
from threadline.store.database import Database, open_database
from threadline.sync.batch import Judge
from threadline.sync.policy import Policy
from threadline.sync.pull import pull
from threadline.sync.views import Ledger
from threadline.testing.story import Person, Posted

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")
POSTS = 23


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        for number in range(POSTS):
            running.tell(Posted(AT, "x", MARA, "inbound", number, f"Where is order {number}?"))
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    with open_database(f"sqlite:///{tmp_path}/store.db", create=True) as database:
        yield database


def connect(sandbox: XSandbox, **changes: Any) -> X:
    return X(XSettings.model_validate({**sandbox.settings, **sandbox.secrets, "page_size": 5, **changes}))


def pulled(sandbox: XSandbox, store: Database, folder: Path, **changes: Any) -> Ledger | RetryableError:
    """Pull the mentions as the engine does."""
    connector = connect(sandbox, **changes)
    judge = Judge("x", "mentions", ("id",), pull_mapping("x/mentions", "x", functions={}))
    with closing(connector), shared(connector, folder):
        try:
            return pull(store, connector, judge, policy=Policy(ahead=0))
        except RetryableError as error:
            return error


def stored(store: Database) -> int:
    with store.read() as view:
        ((count,),) = view.query("SELECT count(*) FROM records")
    return int(count)


def test_a_read_stops_at_the_months_posts_and_goes_on_after_it(sandbox: XSandbox, store: Database, tmp_path: Path) -> None:
    soon, lately = (datetime.now(UTC) + timedelta(days=days) for days in (2, -1))
    sandbox.application.read, sandbox.application.cap_reset_day = 100, soon.day
    stopped = pulled(sandbox, store, tmp_path, posts_per_month=112)
    assert isinstance(stopped, RetryableError)
    assert "x has 2 left of its 112 posts in 31 days, and 5 at least are needed" in str(stopped)
    assert stopped.retry_after
    assert 0 < stopped.retry_after <= 2 * 24 * 3600
    assert (stored(store), sandbox.application.read) == (10, 110)
    again = pulled(sandbox, store, tmp_path, posts_per_month=112)
    assert isinstance(again, RetryableError)
    assert (stored(store), sandbox.application.read) == (10, 110)
    sandbox.application.read, sandbox.application.cap_reset_day = 0, lately.day
    rest = pulled(sandbox, store, tmp_path, posts_per_month=112)
    assert isinstance(rest, Ledger)
    assert (rest.read, rest.new) == (POSTS - 10, POSTS - 10)
    assert stored(store) == POSTS


def test_two_pulls_at_once_stay_within_the_months_posts_together(sandbox: XSandbox, tmp_path: Path) -> None:
    def read(_: int) -> int:
        connector = connect(sandbox, posts_per_month=17)
        found = 0
        with closing(connector), shared(connector, tmp_path), suppress(RetryableError):
            for page in connector.pull("mentions", None):
                found += len(page.records)
        return found

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(read, range(3))) == sandbox.application.read
    assert 10 <= sandbox.application.read <= 17


def test_the_last_page_is_as_small_as_what_is_left(sandbox: XSandbox, store: Database, tmp_path: Path) -> None:
    assert isinstance(pulled(sandbox, store, tmp_path, posts_per_month=17, page_size=10), RetryableError)
    assert (stored(store), sandbox.application.read) == (17, 17)


def test_posts_that_x_did_not_show_are_given_back(sandbox: XSandbox, store: Database, tmp_path: Path) -> None:
    assert isinstance(pulled(sandbox, store, tmp_path, posts_per_month=30, page_size=10), Ledger)
    with store.read() as view:
        assert view.query("SELECT used FROM budgets WHERE name = 'posts'") == [(POSTS,)]


def test_without_a_bound_x_is_not_asked_what_was_read(sandbox: XSandbox, store: Database, tmp_path: Path) -> None:
    assert isinstance(pulled(sandbox, store, tmp_path), Ledger)
    assert not [path for _, path in sandbox.calls if "usage" in path or "oauth2" in path]


def test_messages_are_no_posts(sandbox: XSandbox) -> None:
    sandbox.tell(Posted(AT, "x", MARA, "inbound", 99, "it is order 4711", direct=True))
    connector = connect(sandbox, posts_per_month=0)
    assert sum(len(page.records) for page in connector.pull("direct_messages", None)) == 1
    connector.close()


def test_a_check_proves_that_posts_can_be_counted(sandbox: XSandbox) -> None:
    connector = connect(sandbox, posts_per_month=10)
    connector.check()
    assert [path.partition("?")[0] for _, path in sandbox.calls] == ["/2/users/me", "/oauth2/token", "/2/usage/tweets"]
    sandbox.fail_next.extend([JSONResponse({"data": {"id": "1", "username": "a"}}), JSONResponse({"errors": [{"code": 99}]}, 403)])
    with pytest.raises(ConfigError, match="403 to POST /oauth2/token"):
        connector.check()
    connector.close()


def test_a_wrong_secret_is_not_shown_when_posts_are_counted(sandbox: XSandbox) -> None:
    connector = connect(sandbox, posts_per_month=10, consumer_secret=SecretStr("wr0ng-key"))
    with pytest.raises(ConfigError, match="401") as caught:
        connector._api.usage()
    assert "wr0ng" not in str(caught.value)
    connector.close()


@pytest.mark.parametrize("body", [{"data": {}}, {"data": {"project_usage": "many", "cap_reset_day": 3}}, {}])
def test_a_count_that_says_nothing_is_no_leave_to_read(
    sandbox: XSandbox, body: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    connector = connect(sandbox, posts_per_month=10)
    assert list(connector.pull("direct_messages", None)) == []
    token = {"access_token": "t"}
    sandbox.fail_next.extend(one for _ in range(5) for one in (JSONResponse(token), JSONResponse(body)))
    with shared(connector, tmp_path), pytest.raises(RetryableError, match="/2/usage/tweets without"):
        connector.pull("mentions", None).__next__()
    assert sandbox.application.read == 0
    connector.close()


@pytest.mark.parametrize(
    ("at", "day", "days"),
    [
        ("2026-03-02T00:00:00Z", 14, 12),
        ("2026-03-14T00:00:00Z", 14, 31),
        ("2026-12-20T12:00:00Z", 14, 24.5),
        ("2026-02-20T00:00:00Z", 31, 8),
        ("2026-01-31T12:00:00Z", 31, 27.5),
    ],
)
def test_the_count_begins_anew_on_its_day(at: str, day: int, days: float) -> None:
    assert Usage(0, day, datetime.fromisoformat(at)).until_reset() == days * 24 * 3600


def test_calls_are_kept_back_for_others(sandbox: XSandbox, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reset = [900]
    headers = XSandbox.limit_headers
    monkeypatch.setattr(XSandbox, "limit_headers", lambda self, limit, left, _: headers(self, limit, left, reset[0]))
    sandbox.limit_per_minute = 10
    stopped = pulled(sandbox, store, tmp_path, calls_kept_back=7)
    assert isinstance(stopped, RetryableError)
    assert "x has none left of its 10 mentions in 15 minutes (7 more are left to others)" in str(stopped)
    assert len(sandbox.calls) == 3
    assert stored(store) == 10
    again = pulled(sandbox, store, tmp_path, calls_kept_back=7)
    assert isinstance(again, RetryableError)
    assert [path for _, path in list(sandbox.calls)[3:]] == ["/2/users/me"], "another process knows of it without asking X"
    sandbox.limit_per_minute, reset[0] = 10_000, 1_800
    assert isinstance(pulled(sandbox, store, tmp_path), Ledger)
    assert stored(store) == POSTS


def day_limit(response: Response, *, left: int) -> Response:
    now = int(time.time())
    windows = {"x-rate-limit": (99, 60), "x-user-limit-24hour": (left, 7200)}
    for name, (remaining, seconds) in windows.items():
        response.headers.update({f"{name}-remaining": str(remaining), f"{name}-reset": str(now + seconds)})
    return response


def reply(sandbox: XSandbox, reference: str) -> Intent:
    (newest, *_) = sandbox.account.newest_first("tweet")
    return Intent(reference, "reply", {"text": "Please write to us", "in_reply_to_tweet_id": str(newest.position), "reference": reference})


def test_the_limit_of_a_day_is_waited_for_and_not_that_of_the_window(sandbox: XSandbox) -> None:
    connector = connect(sandbox)
    sandbox.fail_next.append(day_limit(JSONResponse({"title": "Too Many Requests"}, 429), left=0))
    with pytest.raises(RetryableError, match="429") as caught:
        list(connector.push("reply", [reply(sandbox, "FIRSTREF")]))
    assert caught.value.retry_after == pytest.approx(7200, abs=5)
    connector.close()


def test_the_last_reply_of_a_day_is_followed_by_none(sandbox: XSandbox, tmp_path: Path) -> None:
    connector = connect(sandbox)
    sandbox.fail_next.append(day_limit(JSONResponse({"data": {"id": "1"}}, 201), left=0))
    with shared(connector, tmp_path):
        receipts = connector.push("reply", [reply(sandbox, "FIRSTREF"), reply(sandbox, "OTHERREF")])
        assert next(receipts).status == "done"
        with pytest.raises(RetryableError, match=r"x has none left of its .* replies_a_day in 24 hours") as caught:
            next(receipts)
    assert caught.value.retry_after == pytest.approx(7200, abs=5)
    assert sandbox.pushed("reply") == []
    connector.close()
