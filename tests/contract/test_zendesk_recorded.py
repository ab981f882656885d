"""The stand-in answers as Zendesk's servers did when they were recorded, and the connector reads those records, too."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.responses import JSONResponse

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.settings import ZendeskSettings
from threadline.mapping.library import describe, pull_mapping
from threadline.testing.story import Commented, Moved, Opened, Person, Registered

CONTRACTS = Path(__file__).parents[2] / "../shared/contracts"
RECORDED = CONTRACTS / "recorded/zendesk/zenpy"
SPEC = CONTRACTS / "specs/zendesk-support.vendor-oas.json"
OPEN = ("user_fields", "custom", "system", "from", "to", "source")
"""Objects whose keys are the account's own, or depend on the channel."""

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
TOM = Person(9, "Tom", "Reed", "tom@acme.example", "", "", role="agent")

recorded_only = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded traffic of Zendesk (../shared/contracts) is not here")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        running.tell(Registered(NOON, "zendesk", ANA, ("name", "email", "phone", "handle")))
        running.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come.", channel="email", order="A-1"))
        running.tell(Commented(NOON, "zendesk", TOM, 35, 1, "It left today."))
        running.tell(Moved(NOON, "zendesk", "case", "35", "open"))
        running.account.touch(running.account.ticket(35), "2026-03-02T12:00:00Z", external_id="T1")
        running.rig().put("organizations", 1, NOON)
        yield running


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = Zendesk(ZendeskSettings.model_validate({**sandbox.settings, **sandbox.secrets}))
    yield connector
    connector.close()


@cache
def traffic() -> list[tuple[str, int, dict[str, list[str]], Any]]:
    """Return the recorded answers: ("GET /path", status, headers, JSON body)."""
    found: list[tuple[str, int, dict[str, list[str]], Any]] = []
    for file in sorted(RECORDED.glob("*.json")):
        for exchange in json.loads(file.read_text())["http_interactions"]:
            answer = exchange["response"]
            text = answer["body"].get("string") or ""
            if "base64_string" in answer["body"]:
                packed = base64.b64decode(answer["body"]["base64_string"])
                text = gzip.decompress(packed).decode() if packed[:2] == b"\x1f\x8b" else packed.decode()
            path = exchange["request"]["uri"].split(".zendesk.com")[-1].split("?")[0]
            body = json.loads(text) if text.startswith("{") else None
            found.append((f"{exchange['request']['method']} {path}", answer["status"]["code"], answer["headers"], body))
    return found


def recorded(call: str, status: int = 200) -> list[Any]:
    return [body for made, code, _, body in traffic() if re.fullmatch(call, made) and code == status and body]


def differences(made: Any, samples: list[Any], path: str = "$") -> list[str]:
    """Compare keys and types with what was recorded at the same place; where only null was recorded, nothing is known."""
    known = [sample for sample in samples if sample is not None]
    if not known or made is None:
        return [] if made is None or not known else [f"{path} is null"]
    if type(made) not in {type(sample) for sample in known}:
        return [f"{path} is {type(made).__name__}, recorded {sorted({type(sample).__name__ for sample in known})}"]
    if isinstance(made, list):
        elements = [element for sample in known for element in sample]
        return [problem for element in made for problem in differences(element, elements, f"{path}[]")]
    if not isinstance(made, dict) or path.rpartition(".")[2] in OPEN:
        return []
    shapes = [set(sample) for sample in known]
    problems = [] if set(made) in shapes else [f"{path} has {sorted(made)}, recorded {sorted(shapes[0])}"]
    for name, value in made.items():
        problems += differences(value, [sample[name] for sample in known if name in sample], f"{path}.{name}")
    return problems


def call(sandbox: ZendeskSandbox, method: str, path: str, body: Any = None) -> requests.Response:
    login = (f"{sandbox.secrets['email']}/token", sandbox.secrets["token"])
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{sandbox.url}/api/v2/{path}", json=body, auth=login, timeout=10)


CASES: list[tuple[str, str, Any, str, int]] = [
    ("GET", "users/me.json", None, r"GET .*/users/me\.json", 200),
    ("GET", "users/show_many.json?ids=6130000000001,6120000000009", None, r"GET .*/users/show_many\.json", 200),
    ("GET", "tickets/show_many.json?ids=35", None, r"GET .*/tickets/show_many\.json", 200),
    ("POST", "users/create_or_update.json", {"user": {"name": "Ben", "email": "ben@example.org"}}, r"POST .*/users\.json", 201),
    ("PUT", "users/6130000000001.json", {"user": {"phone": "+49 30 2"}}, r"PUT .*/users/\d+\.json", 200),
    ("PUT", "users/404.json", {"user": {"phone": "+49 30 2"}}, r"PUT .*/users/\d+\.json", 404),
    ("PUT", "tickets/404.json", {"ticket": {"comment": {"body": "x"}}}, r"PUT .*/tickets/\d+\.json", 404),
    ("POST", "users/create_or_update_many.json", {"users": [{"name": "Cy"}]}, r"POST .*/users/create_many\.json", 200),
    ("GET", "tickets.json?external_id=T1", None, r"GET .*/tickets\.json", 200),
    ("POST", "tickets.json", {"ticket": {"subject": "Late", "comment": {"body": "Where?"}}}, r"POST .*/tickets\.json", 201),
    ("PUT", "tickets/35.json", {"ticket": {"priority": "high"}}, r"PUT .*/tickets/\d+\.json", 200),
    ("GET", "tickets/35/comments.json", None, r"GET .*/tickets/\d+/comments\.json", 200),
    ("GET", "tickets/35/audits.json", None, r"GET .*/ticket_audits\.json", 200),
]


@recorded_only
@pytest.mark.parametrize(("method", "path", "body", "like", "status"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_answers_have_the_recorded_keys_and_types(
    sandbox: ZendeskSandbox, method: str, path: str, body: Any, like: str, status: int
) -> None:
    samples = recorded(like, status)
    assert samples
    response = call(sandbox, method, path, body)
    assert response.status_code == status
    assert differences(response.json(), samples) == []


@recorded_only
def test_a_written_comment_is_answered_as_recorded(sandbox: ZendeskSandbox) -> None:
    body = {"ticket": {"comment": {"body": "Hello", "public": False}, "metadata": {"threadline_id": "I1"}}}
    answer = call(sandbox, "PUT", "tickets/35.json", body).json()
    # No update with a comment was recorded; a new ticket's audit has one.
    samples = [*recorded(r"PUT .*/tickets/\d+\.json"), *recorded(r"POST .*/tickets\.json", 201)]
    assert differences(answer, samples) == []
    assert answer["audit"]["metadata"]["custom"] == {"threadline_id": "I1"}


@recorded_only
def test_a_job_goes_through_the_recorded_states(sandbox: ZendeskSandbox) -> None:
    job = call(sandbox, "POST", "users/create_or_update_many.json", {"users": [{"name": "Di"}, {"name": "Ed"}]}).json()["job_status"]
    path = f"job_statuses/{job['id']}.json"
    answers = [call(sandbox, "GET", path).json() for _ in range(2)]
    assert [answer["job_status"]["status"] for answer in answers] == ["working", "completed"]
    samples = recorded(r"GET .*/job_statuses/.*")
    assert {sample["job_status"]["status"] for sample in samples} >= {"queued", "working", "completed"}
    assert [differences(answer, samples) for answer in answers] == [[], []]


@recorded_only
def test_limits_stand_in_recorded_headers(sandbox: ZendeskSandbox) -> None:
    sent = {name.lower() for name in call(sandbox, "GET", "users/me.json").headers if "rate" in name.lower()}
    seen = {name.lower() for _, _, headers, _ in traffic() for name in headers if "rate" in name.lower()}
    assert sent
    assert sent <= seen


@pytest.mark.skipif(not SPEC.is_file(), reason="Zendesk's OpenAPI document (../shared/contracts) is not here")
@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("incremental/users/cursor.json", "CursorBasedExportIncrementalUsersResponse"),
        ("incremental/tickets/cursor.json", "CursorBasedExportIncrementalTicketsResponse"),
        ("incremental/ticket_events.json", "ExportIncrementalTicketEventsResponse"),
        ("incremental/organizations.json", "ExportIncrementalOrganizationsResponse"),
    ],
)
def test_exports_have_the_documented_keys(sandbox: ZendeskSandbox, path: str, schema: str) -> None:
    documented = json.loads(SPEC.read_text())["components"]["schemas"][schema]["properties"]
    answer = call(sandbox, "GET", f"{path}?start_time=0&include=comment_events").json()
    assert set(answer) == set(documented)
    for link in ("after_url", "next_page"):
        assert str(answer.get(link, sandbox.url)).startswith(sandbox.url)


@recorded_only
@pytest.mark.parametrize("stream", ["users", "tickets"])
def test_exported_rows_are_recorded_rows(sandbox: ZendeskSandbox, stream: str) -> None:
    rows = call(sandbox, "GET", f"incremental/{stream}/cursor.json?start_time=0").json()[stream]
    samples = [row for body in recorded(rf"GET .*/{stream}\.json") for row in body[stream]]
    for row in rows:
        # Only exports have it, and no export was recorded.
        row.pop("generated_timestamp", None)
    assert [differences(row, samples) for row in rows] == [[]] * len(rows)


@recorded_only
def test_exported_organizations_are_recorded_rows(sandbox: ZendeskSandbox) -> None:
    (row,) = call(sandbox, "GET", "incremental/organizations.json?start_time=0").json()["organizations"]
    # Only exports tell of deleted ones, and no export was recorded.
    assert row.pop("deleted_at") is None
    assert differences(row, [one for body in recorded(r"GET .*/organizations\.json") for one in body["organizations"]]) == []


@pytest.mark.skipif(not SPEC.is_file(), reason="Zendesk's OpenAPI document (../shared/contracts) is not here")
def test_ratings_and_metrics_have_documented_keys(sandbox: ZendeskSandbox) -> None:
    sandbox.rig().put("satisfaction_ratings", 1, NOON)
    schemas = json.loads(SPEC.read_text())["components"]["schemas"]
    (rating,) = call(sandbox, "GET", "satisfaction_ratings.json?score=received").json()["satisfaction_ratings"]
    assert set(rating) <= set(schemas["SatisfactionRatingObject"]["properties"])
    tickets = call(sandbox, "GET", "incremental/tickets/cursor.json?start_time=0&include=metric_sets").json()["tickets"]
    assert set(tickets[0]["metric_set"]) <= set(schemas["TicketMetricObject"]["properties"])


# Recorded records, read by the connector and its mappings


def mapped(zendesk: Zendesk, stream: str) -> list[Any]:
    mapping = pull_mapping(f"zendesk/{stream}", "zd", region="US", functions=zendesk.functions)
    raws = [raw for page in zendesk.pull(stream, None) for raw in page.records]
    return [describe(mapping, raw, str(json.loads(raw)["id"])) for raw in raws]


@recorded_only
@pytest.mark.parametrize(("stream", "most"), [("users", 100), ("tickets", 100), ("organizations", 50)])
def test_recorded_rows_are_read_and_mapped(zendesk: Zendesk, sandbox: ZendeskSandbox, stream: str, most: int) -> None:
    rows = [row for body in recorded(rf"GET .*/{stream}\.json") for row in body[stream]]
    sandbox.fail_next.append(JSONResponse({stream: rows, "after_cursor": "c", "end_time": 7, "end_of_stream": True}))
    results = mapped(zendesk, stream)
    assert len(results) == len(rows) > most
    assert all(results)


@recorded_only
def test_recorded_comments_are_read_and_mapped(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    audits = [audit for body in recorded(r"GET .*/ticket_audits\.json") for audit in body["audits"]]
    events = [{**audit, "child_events": audit["events"], "updater_id": audit["author_id"]} for audit in audits]
    users = [user for body in recorded(r"GET .*/users\.json") for user in body["users"]]
    sandbox.fail_next.append(JSONResponse({"ticket_events": events, "end_time": 7, "end_of_stream": True}))
    tickets = len({audit["ticket_id"] for audit in audits})
    sandbox.fail_next.extend(JSONResponse({"tickets": []}) for _ in range(-(-tickets // 100)))
    sandbox.fail_next.append(JSONResponse({"users": users}))
    results = mapped(zendesk, "comments")
    said = [event for audit in audits for event in audit["events"] if event["type"] == "Comment"]
    assert [result["message"]["content"] for result in results] == [event["body"] for event in said]
    assert {result["direction"] for result in results} == {"inbound", "outbound"}
    sandbox.fail_next.clear()
