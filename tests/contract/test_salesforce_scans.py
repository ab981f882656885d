"""What a Salesforce pull does beyond pages in order: deletes, query jobs, custom fields, and everything once more."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from connectors.salesforce import Salesforce
from connectors.salesforce.rows import read_rows
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.story import contact_id
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, Cursor, Page, RetryableError
from threadline.sdk import http as sdk_http
from threadline.sync.pull import pull
from threadline.testing.conformance.trial import contents, no_waiting, trial
from threadline.testing.story import Opened, Person, Registered

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AWKWARD = 'Mary "Mo",\r\nthe 1st\n'


@pytest.fixture(scope="module")
def server() -> Iterator[SalesforceSandbox]:
    with SalesforceSandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: SalesforceSandbox) -> SalesforceSandbox:
    """An org without records or memory; starting a server for each test would take most of the time."""
    server.shelf._db.execute("DELETE FROM shelf")
    server.restart()
    server.expire_sessions()
    for kept in (server.calls, server.fail_next, server.refuse_next, server.row_faults, server._spent):
        kept.clear()
    server.late, server.batch_size, server.limit_per_minute, server.most_deleted = timedelta(), 2_000, 10_000, 600_000
    return server


@pytest.fixture
def connect(sandbox: SalesforceSandbox) -> Iterator[Any]:
    made: list[Salesforce] = []

    def make(**changes: Any) -> Salesforce:
        made.append(Salesforce(SalesforceSettings(**{**sandbox.settings, **sandbox.secrets, **changes})))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    monkeypatch.setattr(sdk_http, "_backoff", lambda _: 0.0)
    with no_waiting() as noted:
        yield noted


def person(number: int) -> Person:
    return Person(number, f"Given{number}", f"Family{number}", f"p{number}@example.org", f"+49 30 90{number:05d}", f"p{number}")


def register(sandbox: SalesforceSandbox, *contacts: int, at: datetime = LONG_AGO) -> None:
    with sandbox.shelf.together():
        for number in contacts:
            sandbox.tell(Registered(at + timedelta(seconds=number), "salesforce", person(number), ("name", "email")))


def ident(number: int) -> str:
    return contact_id(person(number))


def rows(pages: Sequence[Page]) -> list[dict[str, Any]]:
    return [json.loads(record) for page in pages for record in page.records]


def ids(pages: Sequence[Page]) -> list[str]:
    return [row["Id"] for row in rows(pages)]


def scan(connector: Salesforce, since: Cursor | None = None, stream: str = "contacts") -> list[Page]:
    return list(connector.pull(stream, json.loads(json.dumps(since))))


def asked(sandbox: SalesforceSandbox, part: str) -> int:
    return sum(part in path for _, path in sandbox.calls)


def earlier(cursor: Cursor | None, **by: Any) -> Cursor:
    """Return a cursor whose log of deletes was read so much longer ago."""
    found = dict(cursor or {})
    return found | {"deleted": (datetime.fromisoformat(found["deleted"]) - timedelta(**by)).isoformat()}


class TestDeletes:
    def test_the_recycle_bin_is_read_as_a_change(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2)
        cursor = scan(connect())[-1].cursor
        sandbox.org.delete("Contact", ident(2), LONG_AGO)
        (row,) = rows(scan(connect(), cursor))
        assert (row["Id"], row["IsDeleted"], row["LastName"]) == (ident(2), True, "Family2")

    def test_what_is_brought_back_is_a_change_again(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        sandbox.org.delete("Contact", ident(1), LONG_AGO)
        cursor = scan(connect())[-1].cursor
        sandbox.org.save("Contact", ident(1), {"IsDeleted": False}, LONG_AGO, "005")
        assert [row["IsDeleted"] for row in rows(scan(connect(), cursor))] == [False]

    def test_what_left_the_recycle_bin_is_told_by_the_log_alone(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2, 3)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        for number in (2, 3):
            sandbox.org.delete("Contact", ident(number), LONG_AGO)
        sandbox.org.purge("Contact", ident(3))
        move_deletes(sandbox, minutes=2)
        (row,) = rows(scan(connect(overlap=0), cursor))
        url = f"/services/data/v62.0/sobjects/Contact/{ident(3)}"
        assert row == {
            "attributes": {"type": "Contact", "url": url},
            "Id": ident(3),
            "IsDeleted": True,
            "deletedDate": row["deletedDate"],
        }

    def test_the_log_is_read_from_where_its_last_answer_ended(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        last = scan(connect(), cursor)[-1].cursor or {}
        assert asked(sandbox, "/deleted?") == 1
        covered, end = datetime.fromisoformat(last["deleted"]), datetime.fromisoformat(last["until"])
        assert end - timedelta(minutes=2) < covered <= end
        scan(connect(), last | {"deleted": last["until"]})
        assert asked(sandbox, "/deleted?") == 1

    def test_too_many_deletes_are_asked_for_in_shorter_spans(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(6))
        cursor = earlier(scan(connect())[-1].cursor, minutes=30)
        for number in range(6):
            sandbox.org.delete("Contact", ident(number), LONG_AGO)
            sandbox.org.purge("Contact", ident(number))
            move_deletes(sandbox, ident(number), minutes=2 + 4 * number)
        sandbox.most_deleted = 2
        assert sorted(ids(scan(connect(overlap=0), cursor))) == sorted(map(ident, range(6)))

    def test_deletes_of_longer_ago_than_the_log_are_said_to_be_unknown(
        self, connect: Any, sandbox: SalesforceSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, days=40)
        again = scan(connect(), cursor)[-1].cursor
        assert "no longer knows which records of Contact were deleted" in caplog.text
        assert "threadline reconcile finds them" in caplog.text
        caplog.clear()
        scan(connect(), again)
        assert not caplog.text

    def test_a_log_that_the_user_may_not_read_does_not_stop_the_stream(
        self, connect: Any, sandbox: SalesforceSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        connector = connect()
        connector.check()
        refused = JSONResponse([{"message": "no", "errorCode": "INSUFFICIENT_ACCESS"}], status_code=403)
        sandbox.refuse_next.extend([JSONResponse({"totalSize": 0, "done": True, "records": []}), refused])
        last = scan(connector, cursor)[-1].cursor or {}
        assert "threadline reconcile has to find" in caplog.text
        assert datetime.fromisoformat(last["deleted"]) == datetime.fromisoformat(cursor["deleted"])

    def test_a_resumed_pull_still_reads_the_log(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(4))
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        sandbox.org.delete("Contact", ident(3), LONG_AGO)
        sandbox.org.purge("Contact", ident(3))
        move_deletes(sandbox, minutes=2)
        register(sandbox, *range(10, 14), at=datetime.now(UTC))
        first = next(connect(page_size=2).pull("contacts", cursor))
        assert ident(3) in ids(scan(connect(page_size=2), first.cursor))


def move_deletes(sandbox: SalesforceSandbox, *only: str, **by: Any) -> None:
    """Let records have been deleted so much earlier."""
    for record in sandbox.shelf.all("Contact"):
        if record["IsDeleted"] and (not only or record["Id"] in only):
            moment = datetime.now(UTC) - timedelta(**by)
            sandbox.shelf.put("Contact", record["Id"], record | {"SystemModstamp": f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"})


class TestJobs:
    @pytest.fixture
    def org(self, sandbox: SalesforceSandbox) -> SalesforceSandbox:
        """Thirty contacts, of which one has every awkward value."""
        register(sandbox, *range(30))
        values = {
            "FirstName": AWKWARD, "Vip__c": True, "Lifetime_Value__c": 1.0e7, "Last_Survey__c": "2026-01-02T03:04:05.000+0000",
            "Birthdate": "1984-03-07",
        }  # fmt: skip
        sandbox.org.recompute("Contact", ident(17), values)
        sandbox.org.delete("Contact", ident(9), LONG_AGO + timedelta(seconds=20))
        return sandbox

    def test_much_is_read_by_a_job_and_every_record_is_as_a_query_answers_it(self, connect: Any, org: SalesforceSandbox) -> None:
        settings = {"page_size": 3, "custom_fields": True, "overlap": 0}
        queried = scan(connect(**settings, bulk_above=None))
        pages = scan(connect(**settings, bulk_above=10))
        assert sorted(record for page in pages for record in page.records) == sorted(record for page in queried for record in page.records)
        assert (asked(org, "/jobs/query"), asked(org, "/results")) == (4, 1)
        assert any(row["FirstName"] == AWKWARD and row["Vip__c"] is True for row in rows(pages))

    def test_little_is_read_by_queries(self, connect: Any, org: SalesforceSandbox) -> None:
        assert len(ids(scan(connect(page_size=10, bulk_above=20)))) == 30
        assert asked(org, "/jobs/query") == 0
        assert asked(org, "COUNT") == 1

    def test_fields_that_a_job_cannot_give_are_read_by_queries(self, connect: Any, org: SalesforceSandbox) -> None:
        assert len(ids(scan(connect(page_size=3, bulk_above=5, contact_fields=["MailingAddress"])))) == 30
        assert asked(org, "/jobs/query") == 0

    def test_a_job_is_read_in_parts_and_goes_on_from_each(
        self, connect: Any, org: SalesforceSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.salesforce.jobs._PART", 4)
        settings = {"page_size": 3, "bulk_above": 5}
        pages = scan(connect(**settings))
        assert len(pages) > 6
        for done, page in enumerate(pages, start=1):
            jobs = org.shelf.count("query_job")
            rest = ids(scan(connect(**settings, overlap=0), page.cursor))
            assert sorted(ids(pages[:done]) + rest) == sorted(map(ident, range(30)))
            assert org.shelf.count("query_job") == jobs + (done == 1)

    def test_it_waits_longer_and_longer_then_leaves_the_job_to_the_next_run(
        self, connect: Any, org: SalesforceSandbox, waits: list[float]
    ) -> None:
        org.jobs.polls = 10_000
        pages: list[Page] = []

        def pull() -> None:
            for page in connect(page_size=3, bulk_above=5).pull("contacts", None):
                pages.append(page)  # noqa: PERF402 - the pages before the error count

        with pytest.raises(RetryableError, match="still at work: the next run goes on with it"):
            pull()
        assert waits[:6] == [1, 2, 4, 8, 16, 30]
        assert 1_700 < sum(waits) < 1_900
        (held,) = org.shelf.all("query_job")
        org.shelf.put("query_job", held["job"]["id"], held | {"left": 0})
        found = ids(pages) + ids(scan(connect(page_size=3, bulk_above=5, overlap=0), pages[-1].cursor))
        assert sorted(found) == sorted(map(ident, range(30)))
        assert org.shelf.count("query_job") == 1

    def test_a_job_that_fails_is_made_good_by_queries(self, connect: Any, org: SalesforceSandbox, caplog: pytest.LogCaptureFixture) -> None:
        org.jobs.failures.append("InternalServerError")
        assert sorted(ids(scan(connect(page_size=3, bulk_above=5)))) == sorted(map(ident, range(30)))
        assert org.shelf.count("query_job") == 1
        assert "is Failed, so queries read on" in caplog.text

    @pytest.mark.parametrize("reached", [1, 2])
    def test_a_job_that_is_forgotten_is_made_again(
        self, connect: Any, org: SalesforceSandbox, monkeypatch: pytest.MonkeyPatch, reached: int
    ) -> None:
        monkeypatch.setattr("connectors.salesforce.jobs._PART", 4)
        settings = {"page_size": 3, "bulk_above": 5, "overlap": 0}
        pages = scan(connect(**settings))
        org.jobs.forget()
        found = ids(pages[:1]) + ids(scan(connect(**settings), pages[reached].cursor))
        assert sorted(found) == sorted(map(ident, range(30)))
        assert org.shelf.count("query_job") == 2

    def test_an_org_without_query_jobs_is_read_by_queries(
        self, connect: Any, org: SalesforceSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        connector = connect(page_size=3, bulk_above=5)
        pages = connector.pull("contacts", None)
        first = next(pages)
        refused = JSONResponse([{"message": "not for you", "errorCode": "FEATURENOTENABLED"}], status_code=403)
        org.refuse_next.extend([JSONResponse({"totalSize": 6, "done": True, "records": []}), *describing(org), refused])
        assert sorted(ids([first, *pages])) == sorted(map(ident, range(30)))
        assert "no query job, so queries read on" in caplog.text

    def test_a_session_that_ends_while_a_job_works_is_renewed(self, connect: Any, org: SalesforceSandbox) -> None:
        found: list[str] = []
        for page in connect(page_size=3, bulk_above=5).pull("contacts", None):
            found += ids([page])
            org.expire_sessions()
        assert sorted(found) == sorted(map(ident, range(30)))

    def test_the_reserve_stops_a_job_between_two_parts_and_the_job_goes_on_later(
        self, connect: Any, org: SalesforceSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.salesforce.jobs._PART", 4)
        org.limit_per_minute = 50
        settings = {"page_size": 3, "bulk_above": 5, "overlap": 0}
        pages: list[Page] = []

        def pull() -> None:
            for page in connect(**settings, api_reserve=38).pull("contacts", None):
                pages.append(page)  # noqa: PERF402 - the pages before the error count

        with pytest.raises(RetryableError, match="38 of the org's daily API requests are left"):
            pull()
        assert 3 < len(ids(pages)) < 30
        found = ids(pages) + ids(scan(connect(**settings), pages[-1].cursor))
        assert sorted(found) == sorted(map(ident, range(30)))
        assert org.shelf.count("query_job") == 1

    @pytest.mark.parametrize("answer", [PlainTextResponse('"Id"\n"003'), PlainTextResponse("Id\n003\n"), PlainTextResponse("<html>")])
    def test_results_that_are_cut_off_are_read_again(self, connect: Any, org: SalesforceSandbox, answer: Response) -> None:
        answer.headers["Sforce-NumberOfRecords"] = "27"
        connector = connect(page_size=3, bulk_above=5)
        pages = connector.pull("contacts", None)
        before = [next(pages), next(pages)]
        org.refuse_next.extend([JSONResponse({"id": "750", "state": "JobComplete"}), answer])
        with pytest.raises(RetryableError, match="query job's results"):
            next(pages)
        assert sorted(ids(before) + ids(scan(connect(overlap=0), before[-1].cursor))) == sorted(map(ident, range(30)))

    @pytest.mark.parametrize(
        "at", [["2026-01-02T03:04:05Z", "003", "750' OR", ""], ["2026-01-02T03:04:05Z", "003", "750", "", "more"], [None, "003", "750"]]
    )
    def test_a_foreign_job_is_refused(self, at: list[Any]) -> None:
        with pytest.raises(ConfigError, match="saved cursor"):
            scan(Salesforce(SalesforceSettings()), {"until": "2026-01-03T00:00:00Z", "part": "changed", "at": at})


def describing(sandbox: SalesforceSandbox) -> list[Response]:
    """Return what describes contacts, as the org would."""
    from connectors.salesforce.sandbox.schema import SOBJECTS

    return [JSONResponse(SOBJECTS["contact"].describe("62.0"))]


def test_a_store_that_queries_have_filled_finds_nothing_new_in_a_job() -> None:
    with trial(Salesforce) as surroundings:
        stream = surroundings.connect().available_streams()[0]
        for number in range(1, 12):
            surroundings.rig.put(stream.name, number, surroundings.at(number))
        store = surroundings.store()
        surroundings.pull(store, stream, small=True)
        before = contents(store, stream)
        connector = surroundings.connect({"page_size": 3, "bulk_above": 1})
        ledger = pull(store, connector, surroundings.judge(connector, stream), full=True)
        assert (ledger.read, ledger.unchanged) == (11, 11)
        assert contents(store, stream) == before


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("double", "12.0", 12.0),
        ("int", "-3", -3),
        ("double", "1.0E7", 1.0e7),
        ("double", "NaN", "NaN"),
        ("double", "0123", "0123"),
        ("datetime", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000+0000"),
        ("datetime", "soon", "soon"),
        ("date", "2026-01-02", "2026-01-02"),
        ("string", "true", "true"),
        ("textarea", 'say ""hi"",\r\nthen\n', 'say "hi",\r\nthen\n'),
        ("string", "", None),
        ("string", "a\0b", "ab"),
    ],
)
def test_a_cell_becomes_what_a_query_answers(kind: str, text: str, value: Any) -> None:
    body = f'"Id","Field__c"\n"003","{text}"\n'.encode()
    (record,) = read_rows(body, "Contact", {"id": "id", "field__c": kind}, "62.0")
    found = json.loads(record)["Field__c"]
    assert (found, type(found)) == (value, type(value))


def test_numbers_keep_the_way_they_are_written() -> None:
    (record,) = read_rows(b"Id,N\n003,1.0E7\n", "Contact", {"id": "id", "n": "double"}, "62.0")
    assert b'"N":1.0E7' in record


class TestFields:
    def test_custom_fields_are_those_that_the_org_describes(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        (plain,) = rows(scan(connect()))
        (row,) = rows(scan(connect(custom_fields=True)))
        assert set(row) - set(plain) == {"Vip__c", "Lifetime_Value__c", "Last_Survey__c", "Loyalty_Tier__c"}

    def test_a_statement_that_is_too_long_says_what_to_do(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        connector = connect()
        connector.check()
        sandbox.refuse_next.append(PlainTextResponse("URI Too Long", status_code=414))
        with pytest.raises(ConfigError, match="too long; read fewer fields"):
            scan(connector)

    def test_a_field_that_is_named_twice_is_read_once(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        (row,) = rows(scan(connect(custom_fields=True, contact_fields=["vip__c", "EMAIL"])))
        assert sorted(name.lower() for name in row) == sorted({name.lower() for name in row})

    def test_formula_fields_are_read_again_when_it_is_due(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2)
        settings = {"contact_fields": ["Loyalty_Tier__c"], "reread_hours": 24}
        cursor = scan(connect(**settings))[-1].cursor or {}
        sandbox.org.recompute("Contact", ident(2), {"Loyalty_Tier__c": "gold"})
        assert ids(scan(connect(**settings), cursor)) == []
        hour, day = ({"whole": (datetime.fromisoformat(cursor["whole"]) - timedelta(hours=hours)).isoformat()} for hours in (1, 24))
        since_then = scan(connect(**settings), cursor | hour)[-1].cursor or {}
        assert datetime.fromisoformat(since_then["whole"]) == datetime.fromisoformat(hour["whole"])
        pages = scan(connect(**settings), cursor | day)
        assert [row["Loyalty_Tier__c"] for row in rows(pages)] == [None, "gold"]
        assert ids(scan(connect(**settings), pages[-1].cursor)) == []

    def test_a_reread_that_breaks_off_is_finished_and_counts_then(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(7))
        settings = {"reread_hours": 1, "page_size": 2}
        cursor = {"until": datetime.now(UTC).isoformat()}
        first = next(connect(**settings).pull("contacts", cursor))
        assert "whole" not in (first.cursor or {})
        rest = scan(connect(**settings), first.cursor)
        assert ids([first, *rest]) == [ident(number) for number in range(7)]
        last = rest[-1].cursor or {}
        assert datetime.fromisoformat(last["whole"]) <= datetime.fromisoformat(last["until"])
        assert ids(scan(connect(**settings), last)) == []

    def test_without_the_setting_nothing_is_read_again(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        cursor = scan(connect())[-1].cursor or {}
        assert ids(scan(connect(), cursor | {"whole": LONG_AGO.isoformat()})) == []


def test_both_objects_are_described_by_themselves(connect: Any, sandbox: SalesforceSandbox) -> None:
    sandbox.tell(Opened(LONG_AGO, "salesforce", person(1), 7, "Late", "Where is it?", order="O-1"))
    (case,) = rows(scan(connect(case_fields=[], custom_fields=True), stream="cases"))
    assert case["Order_Number__c"] == "O-1"


@pytest.mark.parametrize("marks", [{"deleted": "yesterday"}, {"whole": 7}, {"deleted": "2026-01-02T03:04:05"}])
def test_marks_that_are_not_ours_are_refused(marks: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="saved cursor"):
        scan(Salesforce(SalesforceSettings()), {"until": "2026-01-03T00:00:00Z", **marks})
