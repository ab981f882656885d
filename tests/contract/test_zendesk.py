"""The Zendesk connector reads its stand-in: complete, resumable, and clear about what goes wrong."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from starlette.responses import JSONResponse, Response

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.settings import ZendeskSettings
from tests.contract.zendesk_lab import connect, emptied, records
from threadline.mapping.errors import MappingError
from threadline.mapping.library import describe, pull_mapping, push_mapping, run_examples
from threadline.sdk import ConfigError, Page, RetryableError
from threadline.testing.story import Commented, Garbled, Mailed, Moved, Opened, Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
BEN = Person(2, "Ben", "Okoye", "ben@example.org", "030 654321", "ben_o")
TOM = Person(9, "Tom", "Reed", "tom@acme.example", "", "", role="agent")
OPENED = Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come.", channel="email", order="A-1001")


@pytest.fixture(scope="module")
def server() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: ZendeskSandbox) -> ZendeskSandbox:
    return emptied(server)


@pytest.fixture
def zendesk(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox)
    yield connector
    connector.close()


@pytest.fixture
def small_pages(sandbox: ZendeskSandbox) -> Iterator[Zendesk]:
    connector = connect(sandbox, per_page=2)
    yield connector
    connector.close()


def read(connector: Zendesk, stream: str, since: Any = None) -> list[dict[str, Any]]:
    return records(list(connector.pull(stream, since)))


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def comment(number: int, person: Person, at: datetime, text: str = "Hello", public: bool = True) -> Commented:
    return Commented(at, "zendesk", person, 35, number, text, public)


# check


def test_check_proves_address_and_credentials(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    zendesk.check()
    assert list(sandbox.calls) == [("GET", "/api/v2/users/me.json")]


def test_check_names_what_to_change_when_the_token_is_wrong(sandbox: ZendeskSandbox) -> None:
    connector = connect(sandbox, token="not-the-token")
    with pytest.raises(ConfigError, match="credentials were refused") as caught:
        connector.check()
    connector.close()
    assert "not-the-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "hint"),
    [({"id": None, "role": "end-user"}, "did not accept the credentials"), ({"id": 7, "role": "agent"}, "need an administrator")],
)
def test_check_refuses_users_who_cannot_export(zendesk: Zendesk, sandbox: ZendeskSandbox, user: Any, hint: str) -> None:
    sandbox.fail_next.append(JSONResponse({"user": user}))
    with pytest.raises(ConfigError, match=hint):
        zendesk.check()


def test_check_names_host_and_port_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        connector = Zendesk(ZendeskSettings(base_url=f"http://127.0.0.1:{port}", email="a@b.example", token=SecretStr("x")))
        with pytest.raises(RetryableError, match=f"127.0.0.1:{port} cannot be reached"):
            connector.check()
        connector.close()


def test_settings_take_one_address_and_hide_the_token() -> None:
    login = {"email": "a@b.example", "token": "very-secret"}
    for wrong in ({}, {"subdomain": "acme", "base_url": "http://127.0.0.1:1"}, {"subdomain": "https://acme.zendesk.com"}):
        with pytest.raises(ValidationError):
            ZendeskSettings.model_validate({**login, **wrong})
    assert "very-secret" not in repr(ZendeskSettings.model_validate({"subdomain": "acme", **login}))


# streams


def test_users_come_with_what_is_known_of_them(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Registered(NOON, "zendesk", ANA, ("name", "email", "phone"), preferred_channel="sms"))
    sandbox.tell(Registered(NOON, "zendesk", TOM, ("name", "email")))
    users = {user["name"]: user for user in read(zendesk, "users")}
    assert users["Ana Lima"]["email"] == "ana@example.org"
    assert users["Ana Lima"]["user_fields"] == {"preferred_channel": "sms"}
    assert users["Tom Reed"]["role"] == "agent"


def test_a_ticket_comes_again_when_it_moves(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    (first,) = zendesk.pull("tickets", None)
    assert [ticket["status"] for ticket in records([first])] == ["new"]
    sandbox.tell(Moved(later(5), "zendesk", "case", "35", "solved"))
    (second,) = zendesk.pull("tickets", first.cursor)
    assert [(ticket["id"], ticket["status"]) for ticket in records([second])] == [(35, "solved")]
    assert read(zendesk, "tickets", second.cursor) == []


def test_a_comment_says_who_wrote_it_on_whose_ticket(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    sandbox.tell(comment(1, TOM, later(3), "It left today."))
    sandbox.tell(comment(2, TOM, later(4), "Lost twice already", public=False))
    asked, answered, note = read(zendesk, "comments")
    ana = {"id": asked["author_id"], "role": "end-user", "name": "Ana Lima", "email": "ana@example.org"}
    assert (asked["author"], asked["recipient"], asked["ticket_id"]) == (ana, None, 35)
    assert (answered["author"]["role"], answered["recipient"], answered["body"]) == ("agent", ana, "It left today.")
    assert (answered["ticket_subject"], answered["created_at"]) == ("Where is my order?", "2026-03-02T12:03:00Z")
    assert (note["public"], note["metadata"]["custom"]) == (False, {})


def test_people_and_tickets_are_looked_up_in_hundreds_and_once(sandbox: ZendeskSandbox) -> None:
    connector = connect(sandbox, per_page=100)
    for number in range(1, 151):
        person = replace(ANA, number=number, email=f"p{number}@example.org")
        sandbox.tell(Opened(NOON + timedelta(seconds=number), "zendesk", person, number, "Late", "Late"))
        sandbox.tell(replace(comment(number, person, NOON + timedelta(seconds=number)), case=number))
    assert len({(said["id"]) for said in read(connector, "comments")}) == 300
    connector.close()
    looked_up = [path for _, path in sandbox.calls if "show_many" in path]
    ids = [one for path in looked_up for one in path.split("ids=")[1].split("%2C")]
    assert len(ids) == len(set(ids)) == 300
    assert all(path.count("%2C") < 100 for path in looked_up)


def test_the_author_of_a_comment_may_be_gone(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    child = {"event_type": "Comment", "body": "Hello", "via": {"channel": "web"}, "created_at": "2026-03-02T12:00:00Z"}
    children = [
        {**child, "id": 1, "author_id": 404, "public": True},
        {**child, "id": 2, "author_id": 405, "public": False},
        {**child, "id": 3, "author_id": -1, "public": True},
        {"id": 4, "event_type": "Change", "status": "open"},
    ]
    event = {"id": 9, "ticket_id": 1, "timestamp": 1772452800, "updater_id": 404, "child_events": children, "event_type": "Audit"}
    sandbox.fail_next.append(JSONResponse({"ticket_events": [event], "end_of_stream": True, "end_time": 1772452800, "count": 1}))
    assert [(said["id"], said["author"]["role"]) for said in read(zendesk, "comments")] == [(1, "end-user"), (2, "agent"), (3, "system")]


def test_events_that_cannot_be_read_are_kept_and_the_others_go_on(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    good = {"id": 1, "ticket_id": 1, "child_events": [{"id": 2, "event_type": "Comment", "author_id": 5, "body": "Hi", "public": True}]}
    bad = [{"id": 3, "child_events": []}, {"ticket_id": 1, "child_events": [{"event_type": "Comment"}]}]
    sandbox.fail_next.append(JSONResponse({"ticket_events": [bad[0], good, bad[1]], "end_of_stream": True, "end_time": 7}))
    (page,) = zendesk.pull("comments", None)
    assert [said["id"] for said in records([page])] == [2]
    assert [json.loads(rejected.raw) for rejected in page.rejected] == bad
    assert page.rejected[0].key == "event-3"
    assert len({rejected.key for rejected in page.rejected}) == 2
    assert page.cursor == {"start_time": 7}


def test_no_such_stream_or_object(zendesk: Zendesk) -> None:
    with pytest.raises(ConfigError, match="no stream 'calls'; it has users, tickets, comments, status_changes, organizations"):
        zendesk.pull("calls", None)
    with pytest.raises(ConfigError, match="takes no 'macro'; it takes user, ticket, ticket_comment"):
        zendesk.push("macro", [])


# resuming


@pytest.mark.parametrize("stream", ["users", "tickets", "comments"])
def test_every_page_can_be_resumed_from(small_pages: Zendesk, sandbox: ZendeskSandbox, stream: str) -> None:
    for number in range(1, 6):
        sandbox.tell(Opened(NOON, "zendesk", replace(ANA, number=number, email=f"p{number}@example.org"), number, "Late", "Late"))
        sandbox.tell(Commented(NOON + timedelta(seconds=number // 2), "zendesk", TOM, number, number, "Soon"))
    pages = list(small_pages.pull(stream, None))
    everything = {raw for page in pages for raw in page.records}
    assert len(pages) > 2
    assert len(everything) == {"users": 7, "tickets": 5, "comments": 10}[stream]
    for index, page in enumerate(pages):
        before = {raw for earlier in pages[: index + 1] for raw in earlier.records}
        after = {raw for later_page in small_pages.pull(stream, page.cursor) for raw in later_page.records}
        assert before | after == everything


@pytest.mark.parametrize("stream", ["users", "tickets"])
def test_reading_again_reads_nothing_and_keeps_the_cursor(zendesk: Zendesk, sandbox: ZendeskSandbox, stream: str) -> None:
    sandbox.tell(OPENED)
    (first,) = zendesk.pull(stream, None)
    (second,) = zendesk.pull(stream, first.cursor)
    assert (list(second.records), second.cursor) == ([], first.cursor)


def test_reading_comments_again_reads_the_last_second_only(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    sandbox.tell(comment(1, TOM, later(3)))
    (first,) = zendesk.pull("comments", None)
    assert [said["author"]["name"] for said in read(zendesk, "comments", first.cursor)] == ["Tom Reed"]


def test_more_comments_in_one_second_than_fit_a_page(small_pages: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    for number in range(1, 8):
        sandbox.tell(comment(number, TOM, later(1), f"Answer {number}"))
    assert len({said["id"] for said in read(small_pages, "comments")}) == 8


def test_an_empty_account_saves_no_position_past_it(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    (page,) = zendesk.pull("comments", None)
    assert page == Page([], None, [])
    sandbox.tell(OPENED)
    assert len(read(zendesk, "comments", page.cursor)) == 1


def test_an_export_that_does_not_go_on_is_an_error_and_no_endless_loop(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    stuck = {"tickets": [], "after_cursor": "same", "end_of_stream": False}
    sandbox.fail_next.extend(JSONResponse(stuck) for _ in range(2))
    with pytest.raises(RetryableError, match="says that there is more"):
        read(zendesk, "tickets")
    sandbox.fail_next.append(JSONResponse({"ticket_events": [], "end_time": 7, "end_of_stream": False}))
    with pytest.raises(RetryableError, match="does not get past its start_time; larger pages may help"):
        read(zendesk, "comments", {"start_time": 7})


def test_a_first_read_may_start_late_but_never_too_late(sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    sandbox.tell(Opened(later(60), "zendesk", BEN, 36, "Broken", "It is broken."))
    connector = connect(sandbox, start=later(30))
    assert [ticket["id"] for ticket in read(connector, "tickets")] == [36]
    assert [said["ticket_id"] for said in read(connector, "comments")] == [36]
    connector.close()
    sandbox.kept_back = 60
    connector = connect(sandbox, start=datetime.now(UTC) + timedelta(days=1))
    assert read(connector, "users") == []
    connector.close()


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": "StartTimeTooRecent"}, status_code=400),
        JSONResponse({"error": "InvalidValue", "description": "Too recent start_time."}, status_code=422),
    ],
)
def test_a_start_that_zendesk_calls_too_recent_reads_nothing_yet(zendesk: Zendesk, sandbox: ZendeskSandbox, answer: Response) -> None:
    for stream in ("tickets", "comments"):
        sandbox.fail_next.append(answer)
        assert list(zendesk.pull(stream, None)) == []


def test_what_zendesk_keeps_back_comes_next_time(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.kept_back = 60
    sandbox.tell(OPENED)
    now = datetime.now(UTC)
    sandbox.tell(comment(1, TOM, now))
    (page,) = zendesk.pull("comments", None)
    assert len(page.records) == 1
    assert list(zendesk.pull("comments", {"start_time": int(now.timestamp())})) == []
    sandbox.kept_back = 0
    assert [said["author"]["name"] for said in read(zendesk, "comments", page.cursor)][1:] == ["Tom Reed"]


# faults


@pytest.mark.parametrize(
    "fault",
    [
        JSONResponse({"error": "TooManyRequests"}, status_code=429, headers={"Retry-After": "0"}),
        JSONResponse({"error": "TooManyRequests"}, status_code=429),
        Response("<html>Bad gateway</html>", status_code=502),
        JSONResponse({"error": "InternalError", "description": "Please try again"}),
        Response('{"tickets": [{"id": 1}', media_type="application/json"),
    ],
    ids=["429", "429 without Retry-After", "502", "200 with an error", "cut off"],
)
def test_what_passes_is_tried_again(zendesk: Zendesk, sandbox: ZendeskSandbox, fault: Response) -> None:
    sandbox.tell(OPENED)
    sandbox.fail_next.append(fault)
    assert [ticket["id"] for ticket in read(zendesk, "tickets")] == [35]


def test_the_limit_on_exports_is_handed_on_when_it_takes_too_long(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(sandbox.limited(600))
    with pytest.raises(RetryableError, match="429") as caught:
        read(zendesk, "tickets")
    assert caught.value.retry_after == 600


def test_the_stand_in_counts_exports_as_zendesk_does(zendesk: Zendesk, sandbox: ZendeskSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.exports_per_minute = 1
    read(zendesk, "tickets")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        sandbox.exports_per_minute = 10

    monkeypatch.setattr("time.sleep", sleep)
    read(zendesk, "users")
    assert len(waited) == 1
    assert 50 < waited[0] <= 61


def test_a_refused_token_stops_the_read(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(sandbox.unauthorized())
    with pytest.raises(ConfigError, match="401"):
        read(zendesk, "tickets")


def test_a_position_that_zendesk_does_not_know_stops_the_read(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.fail_next.append(JSONResponse({"error": "InvalidCursor", "description": "Invalid cursor"}, status_code=400))
    with pytest.raises(ConfigError, match="400"):
        read(zendesk, "tickets", {"cursor": "nonsense"})


# the stand-in


def test_telling_twice_changes_nothing(sandbox: ZendeskSandbox, zendesk: Zendesk) -> None:
    story = [
        Registered(NOON, "zendesk", ANA, ("name", "email")),
        OPENED,
        comment(1, TOM, later(1)),
        Moved(later(2), "zendesk", "case", "35", "pending"),
        *(Garbled(later(3), "zendesk", number) for number in range(5)),
    ]
    for event in story:
        sandbox.tell(event)
    before = {stream.name: read(zendesk, stream.name) for stream in zendesk.streams}
    for event in story:
        sandbox.tell(event)
    assert {stream.name: read(zendesk, stream.name) for stream in zendesk.streams} == before


def test_it_says_what_cannot_happen_in_it(sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    for impossible in (
        Mailed(NOON, "zendesk", ANA, "inbound", "m1", "Hi", "Hi"),
        Moved(NOON, "zendesk", "order", "35", "shipped"),
        Moved(NOON, "zendesk", "case", "35", "forgotten"),
        Commented(NOON, "zendesk", ANA, 99, 1, "Hi"),
    ):
        with pytest.raises(ValueError, match=r"cannot happen|never|no ticket"):
            sandbox.tell(impossible)


def test_its_state_outlives_it(tmp_path: Any) -> None:
    with ZendeskSandbox(tmp_path) as first:
        first.tell(OPENED)
    with ZendeskSandbox(tmp_path) as second:
        connector = connect(second)
        assert [ticket["id"] for ticket in read(connector, "tickets")] == [35]
        connector.close()


# mappings


def made(connector: Zendesk, stream: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Map all records of a stream; return what becomes of them, and the complaints."""
    mapping = pull_mapping(f"zendesk/{stream}", "zd", region="DE", functions=connector.functions)
    results: list[dict[str, Any]] = []
    complaints: list[str] = []
    for page in connector.pull(stream, None):
        for raw in page.records:
            try:
                result = describe(mapping, raw, str(json.loads(raw)["id"]))
            except MappingError as error:
                complaints.append(f"{error.path}: {error}")
            else:
                results += [result] if result else []
    return results, complaints


@pytest.mark.parametrize("name", [stream.name for stream in Zendesk.streams])
def test_pull_mappings_do_what_their_examples_say(name: str) -> None:
    assert run_examples(pull_mapping(f"zendesk/{name}", "zd", region="DE", functions=Zendesk.functions)) == []


@pytest.mark.parametrize("name", [one.name for one in Zendesk.objects])
def test_push_mappings_do_what_their_examples_say(name: str) -> None:
    assert run_examples(push_mapping(f"zendesk/push/{name}", functions=Zendesk.functions)) == []


def test_the_shipped_mappings_take_what_the_account_holds(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(Registered(NOON, "zendesk", BEN, ("name", "phone", "handle"), preferred_channel="voice"))
    sandbox.tell(OPENED)
    sandbox.tell(comment(1, TOM, later(3), "It left today."))
    sandbox.tell(comment(2, TOM, later(4), "Lost twice already", public=False))
    for state in ("open", "pending", "hold", "solved", "closed", "deleted"):
        sandbox.tell(Moved(later(5), "zendesk", "case", "35", state))
    users, wrong_users = made(zendesk, "users")
    tickets, wrong_tickets = made(zendesk, "tickets")
    comments, wrong_comments = made(zendesk, "comments")
    assert wrong_users + wrong_tickets + wrong_comments == []
    ben = next(user for user in users if user["formatted_name"] == "Ben Okoye")
    assert ben["identifiers"] == {"zendesk_user": "6130000000002", "phone": "+4930654321", "handle": "x:ben_o"}
    assert ben["preferences"]["channel"] == "voice"
    (ticket,) = tickets
    assert (ticket["status"], ticket["order_ref"], ticket["channel"]) == ("cancelled", "A-1001", "email")
    assert ticket["agent"] == {"zendesk_user": "6120000000009"}
    shown = [(said["direction"], said["visibility"], said["message"]["sender"]) for said in comments]
    assert shown == [
        ("inbound", "private", "ana@example.org"),
        ("outbound", "private", "tom@acme.example"),
        ("outbound", "internal", "tom@acme.example"),
    ]
    # The ticket is deleted, so Zendesk no longer says whose it was.
    assert "customer" not in comments[1]


def test_an_answer_names_the_customer_whom_it_went_to(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    sandbox.tell(OPENED)
    sandbox.tell(comment(1, TOM, later(3)))
    comments, _ = made(zendesk, "comments")
    assert comments[1]["customer"] == {"zendesk_user": "6130000000001"}
    assert comments[1]["agent"]["zendesk_user"] == "6120000000009"
    assert comments[1]["message"]["receivers"] == ["ana@example.org"]


def test_no_garbled_record_fits_the_mappings(zendesk: Zendesk, sandbox: ZendeskSandbox) -> None:
    for number in range(10):
        sandbox.tell(Garbled(NOON, "zendesk", number))
    complaints = [complaint for stream in zendesk.streams for complaint in made(zendesk, stream.name)[1]]
    assert len(complaints) == 10
    assert len(set(complaints)) == 5
