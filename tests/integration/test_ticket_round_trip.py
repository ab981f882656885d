"""What a customer wrote elsewhere opens a Zendesk ticket; read back, it stands in the same thread, and nothing is told twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.settings import ZendeskSettings
from tests.integration.lab import Lab, talk, threads, ticket
from threadline.mapping.library import pull_mapping, push_mapping
from threadline.sync.batch import Judge
from threadline.sync.pull import pull
from threadline.sync.push import Outgoing, push

AT = "2026-01-01T00:{:02}:00Z"


class Desk:
    """A Zendesk account beside what the lab's mailbox holds."""

    def __init__(self, lab: Lab, sandbox: ZendeskSandbox) -> None:
        self.lab = lab
        self.sandbox = sandbox
        self.connector = Zendesk(ZendeskSettings.model_validate({**sandbox.settings, **sandbox.secrets}))

    def mail(self, *numbers: int) -> None:
        said: dict[str, Any] = {"conversation": "c", "person": 1, "subject": "Late"}
        self.lab.read("talks", *({"id": n, "at": AT.format(n), "text": f"Mail {n}", **said} for n in numbers), source="mail")

    def write(self) -> int:
        """Push what is due; return how many writes reached Zendesk."""
        self.lab.resolve()
        self.sandbox.calls.clear()
        outgoing = [
            Outgoing("helpdesk", "helpdesk", item, push_mapping(f"zendesk/push/{item.name}", functions={}))
            for item in Zendesk.objects
            if item.name != "user"
        ]
        counts = push(self.lab.database, self.connector, outgoing)
        assert counts.failed == counts.waiting == 0
        return sum(method != "GET" for method, _ in self.sandbox.calls)

    def read(self) -> None:
        """Pull everything, and thread it."""
        for stream in self.connector.streams:
            mapping = pull_mapping(stream.mapping, "helpdesk", region="DE", functions={})
            pull(self.lab.database, self.connector, Judge("helpdesk", stream.name, stream.key, mapping))
        self.lab.resolve()

    def told(self) -> list[str]:
        """Return what stands on the only ticket."""
        (number,) = (one["id"] for one in self.sandbox.shelf.all("ticket"))
        audits = [one for one in self.sandbox.shelf.all("audit") if one["ticket_id"] == number]
        return [event["body"].rpartition("\n\n")[2] for one in audits for event in one["events"] if event["type"] == "Comment"]

    def case(self) -> bytes:
        (number,) = (one["id"] for one in self.sandbox.shelf.all("ticket"))
        return ticket(number, "helpdesk")


@pytest.fixture
def desk(lab: Lab) -> Iterator[Desk]:
    lab.read("people", {"id": 1, "name": "Ana Lima", "email": "ana@example.org"}, source="mail")
    with ZendeskSandbox() as sandbox:
        found = Desk(lab, sandbox)
        yield found
        found.connector.close()


def together(desk: Desk) -> set[frozenset[bytes]]:
    with desk.lab.database.read() as transaction:
        return set(threads(transaction))


def test_a_ticket_joins_the_thread_that_it_was_opened_for_and_comes_back_as_no_news(desk: Desk) -> None:
    desk.mail(1)
    assert desk.write() == 1
    desk.read()
    assert together(desk) == {frozenset({talk(1, "mail"), desk.case()})}
    assert (desk.write(), desk.told()) == (0, ["Mail 1"])
    desk.read()
    assert desk.write() == 0


def test_what_follows_is_a_note_on_that_ticket_once(desk: Desk) -> None:
    desk.mail(1)
    desk.write()
    desk.read()
    desk.mail(2)
    assert (desk.write(), desk.told()) == (1, ["Mail 1", "Mail 2"])
    desk.read()
    assert together(desk) == {frozenset({talk(1, "mail"), talk(2, "mail"), desk.case()})}
    assert desk.write() == 0


def test_of_two_words_that_were_waiting_the_first_opens_the_ticket_and_the_second_follows_as_a_note(desk: Desk) -> None:
    desk.mail(1, 2)
    assert desk.write() == 1
    desk.read()
    assert together(desk) == {frozenset({talk(1, "mail"), talk(2, "mail"), desk.case()})}
    assert (desk.write(), desk.told()) == (1, ["Mail 1", "Mail 2"])
    desk.read()
    assert desk.write() == 0


def test_what_an_agent_answers_there_stands_in_the_thread(desk: Desk) -> None:
    desk.mail(1)
    desk.write()
    (opened,) = desk.sandbox.shelf.all("ticket")
    desk.read()
    answer = {"ticket": {"status": "pending", "comment": {"body": "On its way.", "public": True}}}
    desk.connector._client.send("PUT", f"/api/v2/tickets/{opened['id']}.json", answer, dict[str, Any])
    desk.read()
    (members,) = together(desk)
    assert {talk(1, "mail"), desk.case()} < members
    assert desk.lab.rows("SELECT content FROM messages WHERE source = 'helpdesk'") == [("On its way.",)]
    assert desk.lab.rows("SELECT status FROM status_changes ORDER BY change_date, external_id") == [("acknowledged",), ("pending",)]
