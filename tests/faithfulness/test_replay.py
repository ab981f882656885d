"""Every record in a recorded answer comes out of its connector, with its key, mapped or set aside for a reason that is right."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.faithfulness.replay import Answer, Outcome, replayed
from threadline.testing.faithfulness import Exchange, Subject, load_subject

CONTRACTS = Path(__file__).parents[2] / "../shared/contracts"
pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="vendor documents and recorded traffic (../shared/contracts) are not here")


@cache
def subject_of(vendor: str) -> Subject:
    return load_subject(vendor, CONTRACTS)


@dataclass(frozen=True)
class Page:
    """A recorded answer: the stream that reads such answers, the keys in it, and how it is served."""

    vendor: str
    stream: str
    endpoint: str
    keys: frozenset[str]
    settings: Mapping[str, Any]
    answer: Answer

    def replayed(self) -> Outcome:
        return replayed(self.vendor, self.stream, self.settings, self.answer)


def recorded(vendor: str) -> Iterator[tuple[str, Exchange]]:
    """Yield each different answer once, with its endpoint."""
    subject = subject_of(vendor)
    seen: set[bytes] = set()
    for exchange in subject.recorded:
        if exchange.status in (200, 201) and exchange.received not in seen:
            seen.add(exchange.received)
            yield subject.endpoint(exchange), exchange


# Zendesk: nobody recorded an export, whose rows are those of lists; ticket events are the audits of tickets

ZENDESK_LISTS = {
    "GET /api/v2/users 200": "users",
    "GET /api/v2/users/show_many 200": "users",
    "GET /api/v2/tickets 200": "tickets",
    "GET /api/v2/tickets/show_many 200": "tickets",
    "GET /api/v2/views/{view_id}/tickets 200": "tickets",
    "GET /api/v2/organizations 200": "organizations",
    "GET /api/v2/organizations/show_many 200": "organizations",
}
ZENDESK = {"email": "agent@example.org", "token": "t"}


def zendesk_pages() -> Iterator[Page]:
    found = list(recorded("zendesk"))
    users = {user["id"]: user for endpoint, one in found if endpoint == "GET /api/v2/users 200" for user in one.answer["users"]}
    for endpoint, exchange in found:
        if stream := ZENDESK_LISTS.get(endpoint):
            rows = exchange.answer[stream]
            keys = frozenset(str(row["id"]) for row in rows)
            yield Page("zendesk", stream, endpoint, keys, ZENDESK, zendesk_export({stream: rows}, users))
        elif endpoint == "GET /api/v2/ticket_audits 200":
            audits = exchange.answer["audits"]
            events = [{**audit, "child_events": audit["events"], "updater_id": audit["author_id"]} for audit in audits]
            said = frozenset(str(event["id"]) for audit in audits for event in audit["events"] if event["type"] == "Comment")
            yield Page("zendesk", "comments", endpoint, said, ZENDESK, zendesk_export({"ticket_events": events}, users))
            steps = frozenset(
                f"{audit['ticket_id']}:{event['id']}"
                for audit in audits
                for event in audit["events"]
                if event.get("field_name") == "status"
            )
            yield Page("zendesk", "status_changes", endpoint, steps, ZENDESK, zendesk_export({"ticket_events": events}, users))
        elif endpoint == "POST /api/v2/help_center/sections/{id}/articles 201":
            article = exchange.answer["article"]
            yield Page(
                "zendesk", "articles", endpoint, frozenset({str(article["id"])}), ZENDESK, zendesk_export({"articles": [article]}, {})
            )


def zendesk_export(rows: Mapping[str, Any], users: Mapping[int, Any]) -> Answer:
    def answer(path: str, query: Mapping[str, str]) -> Any:
        asked = [int(one) for one in query.get("ids", "").split(",") if one]
        if path == "/api/v2/users/show_many.json":
            return {"users": [users[one] for one in asked if one in users]}
        if path == "/api/v2/tickets/show_many.json":
            return {"tickets": [{"id": one, "requester_id": None, "subject": "recorded"} for one in asked]}
        return {**rows, "after_cursor": "c", "end_time": 7, "end_of_stream": True, "next_page": None}

    return answer


# X: whatever lists posts; the recorded calls asked for no fields beyond the usual ones

X_LISTS = {
    "GET /2/users/{id}/mentions 200": "mentions",
    "GET /2/users/{id}/tweets 200": "timeline",
    "GET /2/tweets/search/recent 200": "search",
    "GET /2/tweets/search/all 200": "search",
    "GET /2/users/{id}/timelines/reverse_chronological 200": "mentions",
    "GET /2/users/{id}/liked_tweets 200": "mentions",
    "GET /2/tweets/{id}/quote_tweets 200": "mentions",
    "GET /2/lists/{id}/tweets 200": "mentions",
}
X = {"timeline": True, "search": "parcel", **dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "k")}


def x_pages() -> Iterator[Page]:
    found = list(recorded("x"))
    account = next(exchange.received for endpoint, exchange in found if endpoint == "GET /2/users/me 200")
    for endpoint, exchange in found:
        if stream := X_LISTS.get(endpoint):
            keys = frozenset(post["id"] for post in exchange.answer.get("data", ()))
            yield Page("x", stream, endpoint, keys, X, x_list(exchange.received, account))


def completed(page: Page) -> Page:
    """Add to posts what the connector asks for, and the recorded calls did not."""
    account, body = page.answer("/2/users/me", {}), json.loads(page.answer("", {}))
    said = "1" if page.stream != "timeline" else json.loads(account)["data"]["id"]
    asked = {"author_id": said, "created_at": "2022-01-07T08:05:56.000Z", "conversation_id": "7"}
    body["data"] = [{**post, **asked} for post in body.get("data", ())]
    return replace(page, answer=x_list(json.dumps(body).encode(), account))


def x_list(body: bytes, account: bytes) -> Answer:
    left = [body]

    def answer(path: str, query: Mapping[str, str]) -> Any:
        if path == "/2/users/me":
            return account
        return left.pop() if left else {"meta": {"result_count": 0}}

    return answer


# Salesforce: rows of any object, as if they were contacts

SALESFORCE = {"domain": "acme.my", "consumer_key": "k", "consumer_secret": "s"}
SALESFORCE_QUERY = "GET /services/data/{version}/query 200"


def salesforce_pages() -> Iterator[Page]:
    token = dict(subject_of("salesforce").samples)["POST /services/oauth2/token 200"]
    for endpoint, exchange in recorded("salesforce"):
        if endpoint == SALESFORCE_QUERY:
            keys = frozenset(row["Id"] for row in exchange.answer["records"] if "Id" in row)
            yield Page("salesforce", "contacts", endpoint, keys, SALESFORCE, salesforce_query(exchange.received, token))


def salesforce_query(body: bytes, token: Any) -> Answer:
    def answer(path: str, query: Mapping[str, str]) -> Any:
        if path.endswith("/oauth2/token"):
            return token
        return body if path.endswith("/queryAll") else []

    return answer


def all_of(pages: Iterator[Page]) -> Outcome:
    """Replay every page; each of its keys must come out."""
    total = Outcome()
    for page in pages:
        outcome = page.replayed()
        assert page.keys <= outcome.keys, f"{page.endpoint}: {len(page.keys - outcome.keys)} of {len(page.keys)} records are lost"
        total.states += outcome.states
        total.reasons += outcome.reasons
        total.keys |= outcome.keys
    return total


def test_zendesk_records_are_all_mapped() -> None:
    outcome = all_of(zendesk_pages())
    assert set(outcome.states) == {"ok"}
    assert outcome.states["ok"] > 2_000


def test_x_posts_without_their_author_are_set_aside_for_that() -> None:
    outcome = all_of(x_pages())
    assert set(outcome.states) == {"dead", "filtered"}
    assert outcome.states["dead"] > 300
    assert {reason.partition(";")[0] for reason in outcome.reasons} == {"$.author.id: missing"}


def test_x_posts_are_mapped_with_what_the_connector_asks_for() -> None:
    outcome = all_of(completed(page) for page in x_pages())
    assert set(outcome.states) == {"ok", "filtered"}
    assert outcome.states["ok"] > 300
    # Own posts that answer nobody are no customer's.
    assert outcome.states["filtered"] == sum(len(page.keys) for page in x_pages() if page.stream == "timeline")


def test_salesforce_rows_with_an_id_are_mapped_and_others_set_aside_for_that() -> None:
    outcome = all_of(salesforce_pages())
    assert outcome.states["ok"] == sum(len(page.keys) for page in salesforce_pages())
    assert outcome.states["dead"] == sum(outcome.reasons.values()) > 0
    assert set(outcome.reasons) == {"$: the record has no key: 'Id' is missing or no plain value"}
