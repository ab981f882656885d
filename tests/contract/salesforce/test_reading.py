"""The Salesforce connector against its stand-in, over real sockets."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.login import ConnectedApp
from connectors.salesforce.sandbox.story import contact_id
from connectors.salesforce.settings import SalesforceSettings
from tests.contract.salesforce.lab import LONG_AGO, person, rows
from tests.contract.sharing import shared
from threadline.sdk import ConfigError, Cursor, Page, RetryableError, Window
from threadline.testing.story import Event, Garbled, Moved, Opened, Registered

NO_PASSWORD = {"username": None, "password": None}
FLOWS = ["client_credentials", "refresh_credentials", "jwt_credentials"]


def registered(number: int, at: datetime = LONG_AGO, knows: tuple[str, ...] = ("name", "email", "phone")) -> Registered:
    return Registered(at, "salesforce", person(number), knows)


def opened(number: int, customer: int, at: datetime = LONG_AGO, **changes: Any) -> Opened:
    return Opened(at, "salesforce", person(customer), number, f"Case {number}", "Where is it?", **changes)


def tell(sandbox: SalesforceSandbox, events: Sequence[Event]) -> None:
    with sandbox.shelf.together():
        for event in events:
            sandbox.tell(event)


def numbers(pages: Sequence[Page]) -> list[str]:
    return [row["Id"] for row in rows(pages)]


def statements(sandbox: SalesforceSandbox) -> int:
    return sum("/queryAll?" in path and "COUNT" not in path for _, path in sandbox.calls)


class TestLogin:
    def test_password_and_token_prove_themselves(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        salesforce.check()
        assert [path for _, path in sandbox.calls] == ["/services/Soap/u/62.0", "/services/data/v62.0"]

    @pytest.mark.parametrize("flow", FLOWS)
    def test_every_oauth_flow_proves_itself(self, sandbox: SalesforceSandbox, connect: Any, flow: str) -> None:
        connect(**NO_PASSWORD | getattr(sandbox, flow)).check()
        assert [path for _, path in sandbox.calls] == ["/services/oauth2/token", "/services/data/v62.0"]

    @pytest.mark.parametrize("flow", FLOWS)
    def test_every_flow_renews_a_session_once_in_the_middle_of_a_scan(self, sandbox: SalesforceSandbox, connect: Any, flow: str) -> None:
        tell(sandbox, [registered(number) for number in range(6)])
        pages = connect(**NO_PASSWORD | getattr(sandbox, flow), page_size=2).pull("contacts", None)
        found = numbers([next(pages)])
        sandbox.expire_sessions()
        found += numbers(list(pages))
        assert found == [contact_id(person(number)) for number in range(6)]
        assert sum("/oauth2/" in path for _, path in sandbox.calls) == 2

    @pytest.mark.parametrize(
        ("flow", "name", "advice"),
        [
            ("client_credentials", "consumer_secret", "invalid_client: check consumer_secret"),
            ("refresh_credentials", "refresh_token", "invalid_grant: check refresh_token: authorize the app again"),
            ("refresh_credentials", "consumer_key", "invalid_client_id: check consumer_key"),
            ("refresh_credentials", "consumer_secret", "invalid_client: check consumer_secret"),
            ("jwt_credentials", "consumer_key", "invalid_client_id: check consumer_key"),
            ("jwt_credentials", "username", "invalid_grant: check that the connected app has the certificate"),
            ("jwt_credentials", "private_key", "private_key is no RSA key in PEM"),
        ],
    )
    def test_each_flow_names_what_is_wrong(self, sandbox: SalesforceSandbox, connect: Any, flow: str, name: str, advice: str) -> None:
        given = {**NO_PASSWORD, **getattr(sandbox, flow), name: "wrong-secret"}
        with pytest.raises(ConfigError, match=advice) as caught:
            connect(**given).check()
        assert "wrong-secret" not in str(caught.value)

    def test_a_key_that_the_app_has_no_certificate_of_is_refused(self, sandbox: SalesforceSandbox, connect: Any) -> None:
        other = {**sandbox.jwt_credentials, "private_key": ConnectedApp().private_key}
        with pytest.raises(ConfigError, match="certificate of private_key"):
            connect(**NO_PASSWORD | other).check()

    def test_the_audience_of_a_sandbox_org_is_another(self, sandbox: SalesforceSandbox, connect: Any) -> None:
        with pytest.raises(ConfigError, match="domain is right"):
            connect(**sandbox.jwt_credentials, domain="threadline--uat.sandbox.my").check()

    def test_a_key_from_the_environment_may_have_its_line_ends_escaped(self, sandbox: SalesforceSandbox, connect: Any) -> None:
        escaped = sandbox.jwt_credentials["private_key"].replace("\n", "\\n")
        connect(**{**NO_PASSWORD, **sandbox.jwt_credentials, "private_key": escaped}).check()

    def test_the_jwt_flow_needs_a_user(self, sandbox: SalesforceSandbox, connect: Any) -> None:
        with pytest.raises(ConfigError, match="needs username"):
            connect(**{**sandbox.jwt_credentials, "username": None}).check()

    def test_a_session_that_several_saw_end_is_renewed_once(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        sessions = salesforce._client._sessions
        ended = sessions.current()
        assert sessions.renewed(ended) is sessions.renewed(ended) is sessions.current() is not ended
        assert sum("/Soap/" in path for _, path in sandbox.calls) == 2
        assert ended.token not in repr(ended)

    def test_what_a_refresh_token_has_become_outlives_the_connector(
        self, sandbox: SalesforceSandbox, connect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(sandbox, "app", ConnectedApp())
        sandbox.app.rotates = True
        given = NO_PASSWORD | sandbox.refresh_credentials
        for ended, logins in ((False, 1), (False, 1), (True, 2), (True, 3)):
            if ended:
                sandbox.expire_sessions()
            with shared(connect(**given), tmp_path) as connector:
                connector.check()
            assert len(sandbox.app.spent) == logins, "a session serves the next process, too"
        sandbox.expire_sessions()
        with pytest.raises(ConfigError, match="invalid_grant: check refresh_token: authorize the app again, and set the new one"):
            connect(**given).check()
        with shared(connect(**given), tmp_path) as connector, pytest.raises(ConfigError, match="salesforce: Salesforce refused the login"):
            connector.check()

    @pytest.mark.parametrize(
        ("changes", "advice"),
        [
            ({"password": "wrong-secret"}, "INVALID_LOGIN.*check username, password and security_token"),
            ({"security_token": "wrong-secret"}, "INVALID_LOGIN"),
            ({"consumer_key": "wrong-secret", "consumer_secret": "x"}, "check consumer_key"),
            ({"consumer_key": "3MVG9.threadline.sandbox", "consumer_secret": "wrong-secret"}, "check consumer_secret"),
            ({"consumer_key": "k", "consumer_secret": "x", "domain": "login"}, "set domain to its My Domain"),
            ({"password": None}, "no credentials: set consumer_key"),
            ({"api_version": "65.0"}, "at most, or use consumer_key"),
            ({"api_version": "20.0"}, "check api_version"),
        ],
    )
    def test_a_wrong_credential_is_named_and_not_shown(self, connect: Any, changes: Mapping[str, Any], advice: str) -> None:
        with pytest.raises(ConfigError, match=advice) as caught:
            connect(**changes).check()
        assert "wrong-secret" not in str(caught.value)
        assert "not & secret" not in str(caught.value)

    def test_an_unreachable_host_is_named(self, connect: Any) -> None:
        with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9 cannot be reached"):
            connect(base_url="http://127.0.0.1:9").check()

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (PlainTextResponse("<html>down", status_code=503), None),
            (PlainTextResponse("<a/>", status_code=500), None),
            (PlainTextResponse("nonsense"), None),
            (PlainTextResponse("nothing here", status_code=404), ConfigError),
        ],
    )
    def test_a_login_that_is_down_is_tried_again(
        self, salesforce: Salesforce, sandbox: SalesforceSandbox, answer: Response, error: type[Exception] | None
    ) -> None:
        sandbox.fail_next.append(answer)
        if error:
            with pytest.raises(error, match="check domain and base_url"):
                salesforce.check()
        else:
            salesforce.check()

    def test_a_throttled_login_is_not_called_a_wrong_one(self, sandbox: SalesforceSandbox, connect: Any) -> None:
        throttled = {"error": "invalid_grant", "error_description": "login rate exceeded"}
        sandbox.fail_next.append(JSONResponse(throttled, status_code=400))
        connect(username=None, **sandbox.client_credentials).check()

    @pytest.mark.parametrize(
        "wrong", [{"domain": "https://acme.my"}, {"contact_fields": ["Id FROM User"]}, {"api_version": "v62"}, {"base_url": "localhost"}]
    )
    def test_bad_settings_are_refused_without_quoting_secrets(self, wrong: Any) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
            SalesforceSettings(**{"password": "a-secret", **wrong})
        assert "a-secret" not in str(caught.value)

    def test_the_domain_may_be_given_in_full(self) -> None:
        assert SalesforceSettings(domain="acme.my.salesforce.com").domain == "acme.my"


class TestPull:
    def test_reads_contacts_and_cases_in_salesforce_s_own_shape(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(1), opened(7, 1, channel="email", order="O-9")])
        (contact,) = rows(list(salesforce.pull("contacts", None)))
        (case,) = rows(list(salesforce.pull("cases", None)))
        assert contact["attributes"] == {"type": "Contact", "url": f"/services/data/v62.0/sobjects/Contact/{contact['Id']}"}
        assert (contact["Name"], contact["Phone"], contact["Threadline_Id__c"]) == ("Given1 Family1", "+49 30 9000001", None)
        assert (case["ContactId"], case["Order_Number__c"], case["Status"]) == (contact["Id"], "O-9", "New")
        assert case["CreatedDate"] == case["SystemModstamp"] == "2026-01-02T03:04:05.000+0000"

    def test_equal_timestamps_survive_small_pages(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number, LONG_AGO + timedelta(seconds=number // 4)) for number in range(11)])
        sandbox.batch_size = 3
        pages = list(salesforce.pull("contacts", None))
        assert [len(page.records) for page in pages] == [3, 3, 3, 2]
        assert numbers(pages) == [contact_id(person(number)) for number in range(11)]

    def test_any_page_s_cursor_gives_exactly_the_rest(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number, LONG_AGO + timedelta(seconds=number // 4)) for number in range(11)])
        sandbox.batch_size = 2
        everything = list(connect().pull("contacts", None))
        for done, page in enumerate(everything, start=1):
            saved = json.loads(json.dumps(page.cursor))
            assert numbers(everything[:done]) + numbers(list(connect().pull("contacts", saved))) == numbers(everything)

    def test_pages_by_2000_rows_with_one_query_each(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number) for number in range(2_050)])
        pages = list(salesforce.pull("contacts", None))
        assert [len(page.records) for page in pages] == [2_000, 50]
        assert len(set(numbers(pages))) == 2_050
        assert statements(sandbox) == 2

    def test_nothing_changed_reads_nothing(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number) for number in range(5)])
        cursor = list(salesforce.pull("contacts", None))[-1].cursor
        (page,) = salesforce.pull("contacts", cursor)
        assert page.records == []

    def test_a_change_is_read_once_it_happened(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(1), registered(2), opened(7, 1)])
        contacts, cases = (list(salesforce.pull(stream, None))[-1].cursor for stream in ("contacts", "cases"))
        tell(sandbox, [registered(2, LONG_AGO + timedelta(days=1), ("email",)), Moved(LONG_AGO, "salesforce", "case", "7", "closed")])
        assert numbers(list(salesforce.pull("contacts", contacts))) == [contact_id(person(2))]
        (case,) = rows(list(salesforce.pull("cases", cases)))
        assert (case["Status"], case["IsClosed"], case["ClosedDate"]) == ("Closed", True, "2026-01-02T03:04:05.000+0000")

    def test_a_late_commit_within_the_overlap_is_read(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(1)])
        cursor = list(connect().pull("contacts", None))[-1].cursor
        sandbox.late = timedelta(seconds=60)
        tell(sandbox, [registered(2)])
        assert numbers(list(connect(overlap=120).pull("contacts", cursor))) == [contact_id(person(2))]
        assert numbers(list(connect(overlap=10).pull("contacts", cursor))) == []

    def test_never_reads_or_saves_above_the_server_s_clock(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        tell(sandbox, [registered(1), registered(2, tomorrow)])
        pages = list(salesforce.pull("contacts", None))
        assert numbers(pages) == [contact_id(person(1))]
        assert pages[-1].cursor is not None
        assert datetime.fromisoformat(pages[-1].cursor["until"]) <= datetime.now(UTC)

    @pytest.mark.parametrize("version", ["0.1", "today"])
    def test_a_resumed_scan_keeps_its_bound_and_a_new_one_follows(
        self, salesforce: Salesforce, sandbox: SalesforceSandbox, version: str
    ) -> None:
        tell(sandbox, [registered(number, LONG_AGO + timedelta(hours=number)) for number in range(4)])
        bound, modstamp, first = "2026-01-02T05:04:05Z", LONG_AGO.isoformat(), contact_id(person(0))
        flat = {"modstamp": modstamp, "id": first, "until": bound}
        old, new, *_ = salesforce.pull(
            "contacts", flat if version == "0.1" else {"until": bound, "part": "changed", "at": [modstamp, first]}
        )
        assert numbers([old]) == [contact_id(person(1)), contact_id(person(2))]
        assert (old.cursor or {})["until"] == bound
        assert not {"part", "at"} & set(old.cursor or {})
        assert numbers([new]) == [contact_id(person(2)), contact_id(person(3))]

    def test_a_finished_scan_of_version_0_1_goes_on_from_its_bound(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number, LONG_AGO + timedelta(hours=number)) for number in range(3)])
        saved = {"modstamp": (LONG_AGO + timedelta(minutes=90)).isoformat()}
        assert numbers(list(salesforce.pull("contacts", saved))) == [contact_id(person(2))]

    def test_an_expired_session_is_renewed_in_the_middle_of_a_scan(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(number) for number in range(6)])
        sandbox.batch_size = 2
        pages: list[Page] = []
        for page in salesforce.pull("contacts", None):
            pages.append(page)
            sandbox.expire_sessions()
        assert len(set(numbers(pages))) == len(numbers(pages)) == 6
        assert sum("/Soap/" in path for _, path in sandbox.calls) == 3

    def test_a_user_that_no_session_serves_is_a_config_error(
        self, salesforce: Salesforce, sandbox: SalesforceSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        salesforce.check()
        monkeypatch.setattr(sandbox, "authorized", lambda request: request.url.path.startswith("/services/Soap/"))
        with pytest.raises(ConfigError, match="401 INVALID_SESSION_ID"):
            salesforce.check()

    @pytest.mark.parametrize(
        "answer",
        [
            JSONResponse([{"message": "unable to obtain exclusive access to this record", "errorCode": "UNABLE_TO_LOCK_ROW"}], 400),
            JSONResponse([{"message": "Your query request was running for too long.", "errorCode": "QUERY_TIMEOUT"}], 400),
            JSONResponse([{"message": "ConcurrentRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}], 403),
            PlainTextResponse("busy", status_code=503),
            PlainTextResponse('{"done": true, "records": [{"Id"'),
            PlainTextResponse('{"totalSize": 1, "done": false, "records": []}'),
            PlainTextResponse('{"totalSize": 4, "done": true, "records": []}'),
        ],
    )
    def test_what_may_pass_is_retryable(self, salesforce: Salesforce, sandbox: SalesforceSandbox, answer: Response) -> None:
        tell(sandbox, [registered(1)])
        salesforce.check()
        pages = salesforce.pull("contacts", None)
        sandbox.fail_next.extend([JSONResponse([]), answer])
        try:
            found = list(pages)
        except RetryableError:
            found = list(salesforce.pull("contacts", None))
        assert numbers(found) == [contact_id(person(1))]

    def test_spent_requests_wait_instead_of_burning_more(self, salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
        sandbox.limit_per_minute = 1
        with pytest.raises(RetryableError, match=r"REQUEST_LIMIT_EXCEEDED.*are spent") as caught:
            list(salesforce.pull("contacts", None))
        assert caught.value.retry_after == 3600
        assert len(sandbox.calls) == 2

    def test_the_reserve_stops_between_pages_and_resumes(self, connect: Any, sandbox: SalesforceSandbox, tmp_path: Path) -> None:
        tell(sandbox, [registered(number) for number in range(6)])
        sandbox.batch_size, sandbox.limit_per_minute = 2, 50
        pages: list[Page] = []

        def pull() -> None:
            with shared(connect(api_reserve=46), tmp_path) as connector:
                for page in connector.pull("contacts", None):
                    pages.append(page)  # noqa: PERF402 - the pages before the error count

        message = r"salesforce has none left of its 50 requests in 24 hours \(46 more are left to others\)"
        with pytest.raises(RetryableError, match=message) as caught:
            pull()
        assert 90 < (caught.value.retry_after or 0) < 24 * 3600
        assert 0 < len(pages) < 3
        calls = len(sandbox.calls)
        with pytest.raises(RetryableError, match=message):
            pull()
        assert all("/v62.0" not in path for _, path in list(sandbox.calls)[calls:]), "another process knows of it without asking"
        assert len(numbers(pages) + numbers(list(connect().pull("contacts", pages[-1].cursor)))) == 6

    def test_an_unknown_field_is_named(self, connect: Any) -> None:
        with pytest.raises(ConfigError, match=r"INVALID_FIELD.*'Shoe_Size__c' does not exist"):
            list(connect(contact_fields=["Shoe_Size__c"]).pull("contacts", None))
        with pytest.raises(ConfigError, match="'Shop'"):
            list(connect(case_fields=["Shop.Name"]).pull("cases", None))

    def test_an_org_without_the_external_id_field_is_readable(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        tell(sandbox, [registered(1)])
        (contact,) = rows(list(connect(external_id_field=None).pull("contacts", None)))
        assert "Threadline_Id__c" not in contact

    @pytest.mark.parametrize(
        "cursor",
        [
            {"modstamp": "yesterday"},
            {"modstamp": "2026-01-02T03:04:05"},
            {"modstamp": "2026-01-02T03:04:05Z", "id": "003' OR Id != '", "until": "2026-01-03T00:00:00Z"},
            {"modstamp": "2026-01-02T03:04:05Z", "until": "2026-01-03T00:00:00Z"},
            {"until": "2026-01-02T03:04:05Z", "part": "changed", "at": ["2026-01-02T03:04:05Z", "003' OR Id != '"]},
            {"until": "2026-01-02T03:04:05Z", "part": "changed", "at": ["2026-01-02T03:04:05Z"]},
            {"until": "2026-01-02T03:04:05Z", "part": "changed", "at": [7, 8]},
            {"seq": 7},
        ],
    )
    def test_a_foreign_cursor_is_refused(self, cursor: Cursor) -> None:
        with pytest.raises(ConfigError, match="saved cursor"):
            list(Salesforce(SalesforceSettings()).pull("contacts", cursor))

    def test_streams_declare_the_window_of_the_settings(self, connect: Any) -> None:
        window = Window("SystemModstamp", timedelta(seconds=7), lag=timedelta(seconds=3))
        assert [stream.cursor for stream in connect(overlap=7, lag=3).available_streams()] == [window, window]

    def test_an_unknown_stream_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="no stream named 'leads'; salesforce has: contacts, cases"):
            Salesforce(SalesforceSettings()).pull("leads", None)

    def test_a_proxy_that_eats_the_date_is_named(
        self, salesforce: Salesforce, sandbox: SalesforceSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert sandbox._server
        monkeypatch.setattr(sandbox._server.config, "date_header", False)
        monkeypatch.setattr(sandbox._server.server_state, "default_headers", [])
        with pytest.raises(ConfigError, match="readable Date header"):
            list(salesforce.pull("contacts", None))


def test_garbled_records_are_of_several_kinds(salesforce: Salesforce, sandbox: SalesforceSandbox) -> None:
    tell(sandbox, [Garbled(LONG_AGO, "salesforce", number) for number in range(3)])
    (contact,) = rows(list(salesforce.pull("contacts", None)))
    unlisted, undated = rows(list(salesforce.pull("cases", None)))
    assert (contact["Birthdate"], unlisted["Status"], undated["CreatedDate"]) == ("0000-00-00", "Awaiting RMA 7", None)
