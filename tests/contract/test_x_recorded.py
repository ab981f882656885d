"""Recorded answers of X, through the connector and beside those of its stand-in."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from starlette.responses import Response

from connectors.x import X
from connectors.x.sandbox import XSandbox
from connectors.x.settings import XSettings
from threadline.testing.story import Person, Posted

RECORDED = Path(__file__).parents[2] / "../shared/contracts/recorded/x/tweepy"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded traffic is not part of the repository")
MARA = Person(7, "Mara", "Lindqvist", "mara@example.org", "+46 70 174 06 05", "mara_lq")


def recorded(name: str) -> bytes:
    (call, *_) = YAML(typ="safe").load(RECORDED / f"test_client_{name}.yaml")["interactions"]
    return gzip.decompress(call["response"]["body"]["string"])


@pytest.fixture
def sandbox() -> Iterator[XSandbox]:
    with XSandbox() as running:
        yield running


@pytest.fixture
def x(sandbox: XSandbox) -> Iterator[X]:
    connector = X(XSettings(**{**sandbox.settings, **sandbox.secrets}))
    yield connector
    connector.close()


def test_recorded_mentions_become_records(sandbox: XSandbox, x: X) -> None:
    body = recorded("get_users_mentions")
    posts = {post["id"]: post for post in json.loads(body)["data"]}
    x.check()
    assert list(x.pull("mentions", None)) == []
    sandbox.fail_next.append(Response(body, media_type="application/json"))
    pages = x.pull("mentions", None)
    page = next(pages)
    records = [json.loads(record) for record in page.records]
    assert {record["id"] for record in records} == set(posts)
    assert all(posts[record["id"]].items() <= record.items() for record in records)
    assert not page.rejected
    assert page.cursor
    assert page.cursor["newest_id"] == max(posts, key=int)
    assert page.cursor["resume"] == {"until_id": min(posts, key=int)}


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("get_me", "/2/users/me"),
        ("get_users_mentions", "/2/users/1500000000000000000/mentions"),
        ("get_users_tweets", "/2/users/1500000000000000000/tweets"),
    ],
)
def test_the_stand_in_answers_in_the_recorded_shape(sandbox: XSandbox, x: X, recording: str, path: str) -> None:
    for number in range(20):
        direction = "inbound" if number % 2 else "outbound"
        sandbox.tell(Posted(datetime(2026, 3, 2, tzinfo=UTC), "x", MARA, direction, number, f"number {number}"))
    ours = x._api.client.request("GET", path, params=None if path.endswith("/me") else {"max_results": "5"}, user_auth=True)
    assert shape(ours.json()) == shape(json.loads(recorded(recording)))
