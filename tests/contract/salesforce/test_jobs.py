"""Query jobs in a Salesforce pull: made, waited for, read in parts, resumed, and done without."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from connectors.salesforce import Salesforce
from connectors.salesforce.rows import read_rows
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.settings import SalesforceSettings
from tests.contract.salesforce.lab import LONG_AGO, asked, ident, ids, register, rows, scan
from tests.contract.sharing import shared
from threadline.sdk import ConfigError, Page, RetryableError
from threadline.sync.pull import pull
from threadline.testing.conformance.trial import contents, no_waiting, trial

AWKWARD = 'Mary "Mo",\r\nthe 1st\n'


@pytest.fixture(autouse=True)
def waits() -> Iterator[list[float]]:
    with no_waiting() as noted:
        yield noted


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
        self, connect: Any, org: SalesforceSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.salesforce.jobs._PART", 4)
        org.limit_per_minute = 50
        settings = {"page_size": 3, "bulk_above": 5, "overlap": 0}
        pages: list[Page] = []

        def pull() -> None:
            with shared(connect(**settings, api_reserve=38), tmp_path) as connector:
                for page in connector.pull("contacts", None):
                    pages.append(page)  # noqa: PERF402 - the pages before the error count

        with pytest.raises(RetryableError, match="38 more are left to others"):
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
