"""The kit passes a connector that is right, and catches each fault that is planted in a copy of it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.conformance.tasks import Tasks, TasksSettings
from threadline.sdk import Cursor, Intent, Page, Receipt
from threadline.testing.conformance import cases_of, conformance, run_case
from threadline.testing.conformance.trial import NonconformityError

test_conformance = conformance(Tasks)


class CursorBeforeData(Tasks):
    """Its cursors stand one page ahead of the records."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        pages = list(super().pull(stream, since))
        following = [*pages[1:], *pages[-1:]]
        return iter([Page(page.records, ahead.cursor) for page, ahead in zip(pages, following, strict=True)])


class AtOrAfter(Tasks):
    """It asks for what is at the place or after it."""

    def read(self, place: Mapping[str, Any]) -> Sequence[bytes]:
        found = super().read({**place, "id": place["id"] - 1} if place["at"] else place)
        return [] if len(found) == 1 and place["at"] else found


class DroppedPage(Tasks):
    """It forgets every third page."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        return (page for number, page in enumerate(super().pull(stream, since), 1) if number % 3)


class Deaf(Tasks):
    """It misses what changes at the very moment where a page ended."""

    def read(self, place: Mapping[str, Any]) -> Sequence[bytes]:
        return super().read({**place, "id": 10**9} if place["at"] else place)


class AllOrNothing(Tasks):
    """One intent that is refused takes the others with it."""

    def write(self, intents: Sequence[Intent]) -> Iterator[Receipt]:
        receipts = list(super().write(intents)) if all(intent.payload["text"] for intent in intents) else []
        yield from receipts or (Receipt(intent.id, "dead", reason="the batch was refused") for intent in intents)


class BlindResend(Tasks):
    """It writes again without a look at what is there."""

    def held(self, ids: Sequence[str]) -> Mapping[str, int]:
        return {}


class Forgetful(Tasks):
    """It has no receipt for what was refused."""

    def write(self, intents: Sequence[Intent]) -> Iterator[Receipt]:
        return (receipt for receipt in super().write(intents) if receipt.status == "done")


class Optimist(Tasks):
    """It says that all is well, whatever the credentials."""

    def check(self) -> None:
        pass


class Chatterbox(Tasks):
    """It logs its headers."""

    def check(self) -> None:
        logging.getLogger("tasks").debug("calling with %s", self.http.session.headers)
        super().check()


class Hoarder(Tasks):
    """It gives up at the first record that it does not understand."""

    def read(self, place: Mapping[str, Any]) -> Sequence[bytes]:
        found = super().read(place)
        return [] if any(b"nobody knows" in raw for raw in found) else found


class Eager(Tasks):
    """It calls when it is made."""

    def __init__(self, settings: TasksSettings) -> None:
        super().__init__(settings)
        self.check()


def test_a_connector_that_calls_when_it_is_made_is_caught() -> None:
    with pytest.raises(NonconformityError, match="Eager cannot be made while its system is away"):
        list(cases_of(Eager))


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        (CursorBeforeData, "resumes: tasks"), (AtOrAfter, "reads each once: tasks"),
        (DroppedPage, "reads everything: tasks"), (Deaf, "reads one moment: tasks"), (AllOrNothing, "answers for each: note"),
        (BlindResend, "writes once when asked again: note"), (BlindResend, "pushes once when answers are lost: note"),
        (Forgetful, "answers for each: note"), (Optimist, "refuses wrong credentials"), (Chatterbox, "keeps secrets: tasks"),
        (Hoarder, "sets poison aside: tasks"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_caught(broken: type[Tasks], part: str) -> None:
    (case,) = (case for case in cases_of(broken) if str(case) == part)
    outcome = run_case(case)
    assert outcome.state == "failed", f"{broken.__name__} passes {part}"
    assert outcome.said
