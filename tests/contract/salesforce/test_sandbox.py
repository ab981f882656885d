"""The stand-in org: a faithful wire format, errors in Salesforce's form, and stories told once."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML
from simple_salesforce import Salesforce as Library
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceOperationError

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.sandbox.ids import record_id, with_suffix
from connectors.salesforce.settings import SalesforceSettings
from threadline.mapping.errors import MappingError
from threadline.mapping.library import describe, pull_mapping, push_mapping, run_examples
from threadline.sdk.http import reroute
from threadline.testing.story import Commented, Event, Garbled, Moved, Opened, Person, Registered

RECORDED = Path(__file__).parents[3] / "../shared/contracts/recorded/salesforce"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded traffic beside the repository")


def person(number: int, role: Any = "customer") -> Person:
    return Person(number, "Ana", "Lima", f"ana{number}@example.org", "+49 30 901820", "ana", role)


def own_client(sandbox: SalesforceSandbox) -> Iterator[Any]:
    """simple-salesforce's client, which knows nothing of the connector."""
    session = requests.Session()
    reroute(session, "https://", sandbox.url)
    yield Library(**sandbox.secrets, domain="threadline.my", version="62.0", session=session)
    session.close()


@pytest.fixture
def library(sandbox: SalesforceSandbox) -> Iterator[Any]:
    yield from own_client(sandbox)


def recording(name: str) -> Any:
    return YAML(typ="safe").load((RECORDED / "cumulusci" / name).read_text())


class TestAgainstTheLibrary:
    def test_query_follows_locators(self, library: Any, sandbox: SalesforceSandbox) -> None:
        for number in range(5):
            sandbox.tell(Registered(AT, "salesforce", person(number), ("name",)))
        sandbox.batch_size = 2
        first = library.query("SELECT Id, Name FROM Contact ORDER BY Id")
        assert (first["totalSize"], first["done"], len(first["records"])) == (5, False, 2)
        assert re.fullmatch(r"/services/data/v62\.0/query/01g\w+-2", first["nextRecordsUrl"])
        assert len(library.query_all("SELECT Id FROM Contact")["records"]) == 5
        assert library.api_usage["api-usage"].used > 0

    def test_a_job_reads_all_in_parts(self, library: Any, sandbox: SalesforceSandbox) -> None:
        for number in range(7):
            sandbox.tell(Registered(AT, "salesforce", person(number), ("name", "email")))
        sandbox.org.delete("Contact", record_id("003", 3), AT)
        statement = "SELECT Id, Email, SystemModstamp, Birthdate FROM Contact"
        parts = [list(csv.DictReader(StringIO(part))) for part in library.bulk2.Contact.query(statement, max_records=4, wait=0)]
        assert [len(part) for part in parts] == [4, 2]
        assert parts[0][0] == {
            "Id": record_id("003", 6), "Email": "ana6@example.org", "SystemModstamp": "2026-01-02T03:04:05.000Z", "Birthdate": "",
        }  # fmt: skip
        (whole,) = library.bulk2.Contact.query_all(statement, wait=0)
        assert len(whole.splitlines()) == 8

    def test_a_job_fails_or_is_refused_in_salesforce_s_words(self, library: Any, sandbox: SalesforceSandbox) -> None:
        sandbox.jobs.failures.append("InternalServerError: again")
        with pytest.raises(SalesforceOperationError, match="InternalServerError: again"):
            list(library.bulk2.Contact.query("SELECT Id FROM Contact", wait=0))
        for statement in ("SELECT MailingAddress FROM Contact", "SELECT COUNT() FROM Contact", "SELECT Id FROM Lead"):
            with pytest.raises(SalesforceMalformedRequest, match="API_ERROR"):
                list(library.bulk2.Contact.query(statement, wait=0))

    def test_the_log_of_deletes_keeps_its_limits(self, library: Any, sandbox: SalesforceSandbox) -> None:
        sandbox.tell(Registered(AT, "salesforce", person(1), ("name",)))
        library.query("SELECT Id FROM Contact")
        sandbox.org.delete("Contact", record_id("003", 1), AT)
        sandbox.org.purge("Contact", record_id("003", 1))
        now = datetime.now(UTC)
        found = library.Contact.deleted(now - timedelta(minutes=2), now + timedelta(minutes=2))
        assert [record["id"] for record in found["deletedRecords"]] == [record_id("003", 1)]
        assert set(found) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
        assert library.query_all("SELECT Id FROM Contact", include_deleted=True)["totalSize"] == 0
        for start, end in ((now, now), (now - timedelta(days=31), now)):
            with pytest.raises(SalesforceMalformedRequest, match="INVALID_REPLICATION_DATE"):
                library.Contact.deleted(start, end)

    def test_the_recycle_bin_is_seen_by_those_who_ask_for_it(self, library: Any, sandbox: SalesforceSandbox) -> None:
        sandbox.tell(Registered(AT, "salesforce", person(1), ("name",)))
        sandbox.org.delete("Contact", record_id("003", 1), AT)
        assert library.query_all("SELECT Id FROM Contact")["totalSize"] == 0
        assert library.query_all("SELECT Id FROM Contact", include_deleted=True)["totalSize"] == 1

    @pytest.mark.parametrize("flow", ["client_credentials", "jwt_credentials"])
    def test_the_library_gets_in_by_oauth(self, sandbox: SalesforceSandbox, flow: str) -> None:
        given = {{"private_key": "privatekey"}.get(name, name): value for name, value in getattr(sandbox, flow).items()}
        with requests.Session() as session:
            reroute(session, "https://", sandbox.url)
            # It names the login server that a My Domain's JWTs are for after the domain.
            domain = "login" if flow == "jwt_credentials" else "threadline.my"
            assert Library(**given, domain=domain, version="62.0", session=session).query("SELECT COUNT() FROM Contact")["totalSize"] == 0

    @pytest.mark.parametrize(
        ("statement", "code", "says"),
        [
            ("SELECT Id, Nope FROM Contact", "INVALID_FIELD", "No such column 'Nope' on entity 'Contact'"),
            ("SELECT Account.Name FROM Contact", "INVALID_FIELD", "relationship 'Account'"),
            ("SELECT Id FROM Lead", "INVALID_TYPE", "sObject type 'Lead' is not supported"),
            ("SELECT Id Contact", "MALFORMED_QUERY", "unexpected token: 'Contact'"),
            ("SELECT Id FROM Contact WHERE Id > ", "MALFORMED_QUERY", "<EOF>"),
            ("SELECT Id, Id FROM Contact", "MALFORMED_QUERY", "duplicate field selected"),
            ("SELECT Id FROM Contact GROUP BY Id", "MALFORMED_QUERY", "stand-in"),
            ("SELECT Id FROM Contact WHERE Id = 'a' AND Id = 'b' OR Id = 'c'", "MALFORMED_QUERY", "brackets"),
            ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-02T03:04:05.000+0000", "MALFORMED_QUERY", "unexpected token"),
            ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-02T03:04:05Z'", "INVALID_FIELD", "must be of type datetime"),
        ],
    )
    def test_a_wrong_statement_is_refused_in_salesforce_s_form(self, library: Any, statement: str, code: str, says: str) -> None:
        with pytest.raises(SalesforceMalformedRequest) as caught:
            library.query(statement)
        (error,) = caught.value.content
        assert set(error) == {"message", "errorCode"}
        assert error["errorCode"] == code
        assert says in error["message"]

    def test_conditions_compare_and_combine(self, library: Any, sandbox: SalesforceSandbox) -> None:
        sandbox.tell(Registered(AT, "salesforce", Person(1, "Mary", "O'Hara \\ Sons", "m@example.org", "1", "m"), ("name", "email")))
        sandbox.tell(Registered(AT + timedelta(hours=1), "salesforce", person(2), ("name",)))

        def names(where: str) -> list[str]:
            return [
                row["FirstName"] for row in library.query(f"SELECT FirstName FROM contact WHERE {where} ORDER BY firstname DESC")["records"]
            ]

        assert names(r"LastName = 'O\'Hara \\ Sons'") == ["Mary"]
        assert names("Email = null") == ["Ana"]
        assert names("Email != null OR (IsDeleted = false AND LastName >= 'L')") == ["Mary", "Ana"]
        assert names("FirstName IN ('Ana', 'Bo')") == ["Ana"]
        assert names("SystemModstamp > 2027-01-01T00:00:00Z OR LastName = 'Lima'") == ["Ana"]
        assert library.query("SELECT COUNT() FROM Contact LIMIT 1")["totalSize"] == 1
        assert names("SystemModstamp > 2026-01-02T04:04:05+01:00") == ["Ana"]

    def test_a_locator_that_never_was_is_refused(self, library: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest, match="INVALID_QUERY_LOCATOR"):
            library.query_more("01g000000000007AAA-2000")

    def test_limits_and_describe_answer(self, library: Any) -> None:
        assert library.limits()["DailyApiRequests"]["Max"] == 10_000
        described = {field["name"]: field for field in library.Contact.describe()["fields"]}
        assert (described["Threadline_Id__c"]["externalId"], described["LastName"]["nillable"]) == (True, False)


class TestFaithfulness:
    @recorded
    @pytest.mark.parametrize("sobject", ["Contact", "Case"])
    def test_describe_has_the_keys_and_fields_of_a_real_org(self, library: Any, sobject: str) -> None:
        real = json.loads(recording(f"GET_sobjects_{sobject}_describe.yaml")["response"]["body"]["string"])
        ours = getattr(library, sobject).describe()
        assert set(real) <= set(ours)
        assert {key for field in real["fields"] for key in field} == {key for field in ours["fields"] for key in field}
        told_apart = ("type", "length", "nillable", "createable", "soapType", "referenceTo")
        expected = {field["name"]: [field[key] for key in told_apart] for field in real["fields"]}
        made = {field["name"]: [field[key] for key in told_apart] for field in ours["fields"]}
        assert all(name.endswith("__c") for name in set(made) - set(expected))
        assert {name: made[name] for name in expected} == expected

    @recorded
    def test_every_recorded_id_carries_the_suffix_that_we_compute(self) -> None:
        ids = {
            found
            for file in RECORDED.rglob("*.yaml")
            for found in re.findall(r"\b(?:001|003|005|500)[A-Za-z0-9]{12}[A-Z0-5]{3}\b", file.read_text())
        }
        # Some were shortened or invented by those who published the recordings.
        ours = [identity for identity in ids if with_suffix(identity[:15]) == identity]
        assert len(ours) > 0.9 * len(ids)

    def test_ids_tell_case_apart(self) -> None:
        made = [record_id("003", number) for number in range(200)]
        assert len({identity.upper() for identity in made}) == len(made)
        assert record_id("003", 16) == "0035eT00000000GABQ"


class TestStories:
    def test_telling_again_changes_nothing(self, tmp_path: Path) -> None:
        events: list[Event] = [
            Registered(AT, "salesforce", person(1), ("name",)),
            Opened(AT, "salesforce", person(1), 7, "Late", "Where is it?"),
            Moved(AT, "salesforce", "case", "7", "closed"),
        ]
        seen: list[list[list[tuple[int, Any]]]] = []
        for _ in range(2):
            sandbox = SalesforceSandbox(tmp_path)
            for event in events:
                sandbox.tell(event)
            seen.append([sandbox.shelf.after(kind) for kind in ("Contact", "Case")])
            sandbox.stop()
        assert seen[0] == seen[1]
        assert [[row["Name"] for _, row in seen[0][0]], [row["Status"] for _, row in seen[0][1]]] == [["Ana Lima"], ["Closed"]]

    @pytest.mark.parametrize(
        ("event", "reason"),
        [
            (Commented(AT, "salesforce", person(1), 7, 1, "hello"), "Commented cannot happen in Salesforce"),
            (Moved(AT, "salesforce", "case", "8", "open"), "no case 8"),
            (Moved(AT, "salesforce", "order", "8", "shipped"), "Moved cannot happen"),
            (Registered(AT, "salesforce", person(1, "agent"), ("name",)), "an agent is a user"),
        ],
    )
    def test_what_cannot_happen_is_refused(self, event: Event, reason: str) -> None:
        sandbox = SalesforceSandbox()
        with pytest.raises(ValueError, match=reason):
            sandbox.tell(event)
        sandbox.stop()


class TestMappings:
    @pytest.fixture
    def records(self, sandbox: SalesforceSandbox) -> Iterator[Any]:
        connector = Salesforce(SalesforceSettings(**{**sandbox.settings, **sandbox.secrets}))
        yield lambda stream: [record for page in connector.pull(stream, None) for record in page.records]
        connector.close()

    def test_examples_hold(self) -> None:
        functions = Salesforce.functions
        mappings = [pull_mapping(stream.mapping, "crm", functions=functions) for stream in Salesforce.streams]
        problems = [problem for mapping in mappings for problem in run_examples(mapping)]
        assert problems + run_examples(push_mapping("salesforce/push/contact", functions=functions)) == []
        assert all(mapping.tree.examples for mapping in mappings)

    def test_a_case_belongs_to_its_contact_or_to_who_wrote(self, sandbox: SalesforceSandbox, records: Any) -> None:
        sandbox.tell(Registered(AT, "salesforce", person(1), ("name",)))
        sandbox.tell(Opened(AT, "salesforce", person(1), 1, "Late", "Where?", "voice"))
        sandbox.tell(Opened(AT + timedelta(seconds=1), "salesforce", person(2), 2, "Late", "Where?", "email", "O-1"))
        sandbox.tell(Opened(AT + timedelta(seconds=2), "salesforce", person(3), 3, "Late", "Where?", "chat"))
        read = pull_mapping("salesforce/cases", "crm", functions=Salesforce.functions)
        known, wrote, unknown = (describe(read, record, str(number)) or {} for number, record in enumerate(records("cases")))
        assert known["customer"]["salesforce_contact"] == record_id("003", 1)
        assert (wrote["customer"]["email"], wrote["channel"], wrote["order_ref"]) == ("ana2@example.org", "email", "O-1")
        assert ("customer" in unknown, unknown["channel"], unknown["status"]) == (False, "chat", "acknowledged")

    def test_garbled_records_say_what_is_wrong(self, sandbox: SalesforceSandbox, records: Any) -> None:
        for number in range(3):
            sandbox.tell(Garbled(AT, "salesforce", number))
        paths: list[str] = []
        for stream in ("contacts", "cases"):
            read = pull_mapping(f"salesforce/{stream}", "crm", functions=Salesforce.functions)
            for record in records(stream):
                with pytest.raises(MappingError) as caught:
                    describe(read, record, "key")
                paths.append(caught.value.path)
        assert paths == ["$.Birthdate", "$.Status", "$.CreatedDate"]
