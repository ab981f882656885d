"""Logging in to X by OAuth 2.0: a refresh token that X takes once, and the access token that all runs share."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.settings import XSettings
from tests.contract.sharing import shared
from threadline.sdk import ConfigError, Intent, RetryableError
from threadline.sync.config import load_config
from threadline.sync.connect import open_connector
from threadline.testing.story import Person, Posted

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        for number in range(12):
            running.tell(Posted(AT, "x", MARA, "inbound", number, f"Where is order {number}?", direct=number == 11))
        yield running


def connect(sandbox: XSandbox, **changes: Any) -> X:
    return X(XSettings.model_validate({**sandbox.settings, **sandbox.refresh_credentials, "page_size": 5, **changes}))


def read(connector: X, stream: str = "mentions") -> int:
    return sum(len(page.records) for page in connector.pull(stream, None))


def asked_for_tokens(sandbox: XSandbox) -> int:
    return sum(path == "/2/oauth2/token" for _, path in sandbox.calls)


def test_everything_is_read_and_written_with_one_token(sandbox: XSandbox, tmp_path: Path) -> None:
    for _ in range(2):
        with shared(connect(sandbox), tmp_path) as x:
            x.check()
            assert (read(x), read(x, "direct_messages")) == (11, 1)
            x.close()
    newest, *_ = sandbox.account.newest_first("tweet")
    message, *_ = sandbox.account.newest_first("dm")
    reply = {"text": "Please write to us", "in_reply_to_tweet_id": str(newest.position), "reference": "REF1"}
    answer = {"text": "It is on its way", "dm_conversation_id": message.record["dm_conversation_id"], "reference": "REF2"}
    with shared(connect(sandbox), tmp_path) as x:
        receipts = [*x.push("reply", [Intent("i1", "reply", reply)]), *x.push("direct_message", [Intent("i2", "direct_message", answer)])]
        x.close()
    assert [receipt.status for receipt in receipts] == ["done", "done"]
    assert asked_for_tokens(sandbox) == 1


def test_a_token_that_ends_half_way_is_replaced(sandbox: XSandbox, tmp_path: Path) -> None:
    with shared(connect(sandbox), tmp_path) as x:
        pages = x.pull("mentions", None)
        found = len(next(pages).records)
        sandbox.user_tokens.expire()
        assert found + sum(len(page.records) for page in pages) == 11
        x.close()
    assert (asked_for_tokens(sandbox), len(set(sandbox.user_tokens.spent))) == (2, 2)


def test_an_app_without_a_secret_says_its_client_id(sandbox: XSandbox, tmp_path: Path) -> None:
    with shared(connect(sandbox, client_secret=None), tmp_path) as x:
        x.check()
        x.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"refresh_token": "canary"}, r"X's token endpoint answered 400 to POST .*\(invalid_request\); grant access again"),
        ({"client_secret": "canary"}, r"X's token endpoint answered 401 .*\(client_id, client_secret"),
        ({"client_id": "canary", "client_secret": None}, r"answered 401"),
    ],
)
def test_a_refused_credential_is_named_and_not_shown(sandbox: XSandbox, changes: dict[str, Any], message: str) -> None:
    x = connect(sandbox, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        x.check()
    assert "canary" not in str(caught.value)
    x.close()


def test_a_new_token_that_x_refuses_ends_it(sandbox: XSandbox, tmp_path: Path) -> None:
    x = connect(sandbox)
    with shared(x, tmp_path):
        x.check()
        sandbox.fail_next.extend(JSONResponse({"title": "Unauthorized"}, 401) for _ in range(2))
        with pytest.raises((ConfigError, RetryableError)):
            x.check()
        x.close()
    assert len(sandbox.calls) == 4


def test_neither_library_nor_log_hears_the_token(sandbox: XSandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with shared(connect(sandbox), tmp_path) as x:
        assert read(x) == 11
        assert "sandbox-access" not in repr(x.settings) + repr(vars(x._api.client))
        x.close()
    assert "sandbox-access" not in caplog.text
    assert "sandbox-refresh" not in caplog.text


def test_to_count_posts_the_apps_own_keys_are_needed_too(sandbox: XSandbox, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must be given") as caught:
        connect(sandbox, posts_per_month=100)
    assert {error["loc"][0] for error in caught.value.errors()} == {"consumer_key", "consumer_secret"}
    keys = {name: sandbox.secrets[name] for name in ("consumer_key", "consumer_secret")}
    with shared(connect(sandbox, posts_per_month=100, **keys), tmp_path) as x:
        assert read(x) == 11
        x.close()


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "consumer_key"), ({"consumer_key": "k"}, "consumer_secret"), ({"refresh_token": "r"}, "client_id")],
)
def test_a_credential_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"THREADLINE_SOCIAL_{name.upper()}", value)
    (tmp_path / "threadline.yaml").write_text("sources: {social: {connector: x}}")
    source = load_config(tmp_path / "threadline.yaml").source("social")
    with pytest.raises(ConfigError, match=f"no {missing}: set the environment variable THREADLINE_SOCIAL_{missing.upper()}"):
        open_connector(source, database=f"sqlite:///{tmp_path}/store.db").__enter__()
