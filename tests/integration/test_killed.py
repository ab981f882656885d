"""Processes that are killed at any moment, and started again, end with the store of one that never was."""

import multiprocessing
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.lab import Lab, contents
from tests.integration.worker import Pages, pull_all
from threadline.store.database import open_database

BATCH = 20
START = datetime(2026, 1, 1, tzinfo=UTC)


def month(records: int, seed: int) -> Pages:
    """Make a month of four streams in small pages: people of shared addresses, junk, changes, and talk about orders and tickets."""
    chance = random.Random(seed)
    made: dict[str, list[Any]] = {name: [] for name in ("people", "tickets", "orders", "talks")}
    for number in range(records):
        person, at = number % 90, (START + timedelta(minutes=number)).isoformat()
        email = f"p{person if chance.random() < 0.9 else chance.randrange(90)}@example.org"
        made["people"].append(
            {"id": number % 150, "name": f"Person {chance.randrange(200)}", "email": email, "wish": chance.choice(WISHES)}
        )
        made["tickets"].append({"id": number % 200, "subject": f"Matter {number}", "at": at, "person": person})
        total, lines = chance.choice(["1.00", "20.55", "much"]), [{"sku": str(item)} for item in range(chance.randrange(4))]
        order = {"id": number, "number": f"A-{number % 300}", "at": at, "person": person, "lines": lines, "total": total, "currency": "EUR"}
        made["orders"].append(order)
        made["talks"].append({
            "id": number, "at": at, "person": person, "ticket": chance.choice([None, number % 200]), "message_id": f"m{number}",
            "text": f"About A-{chance.randrange(400)}", "reply_to": chance.choice([None, f"m{chance.randrange(records)}"]),
        })  # fmt: skip
    made["people"][7::50] = [b'{"name": "cut o'] * len(made["people"][7::50])
    return {stream: [held[start : start + BATCH] for start in range(0, len(held), BATCH)] for stream, held in made.items()}


WISHES = [None, "sms", "chat", "pigeon"]


class Worker:
    """A process that pulls everything, and can be killed."""

    def __init__(self, url: str, pages: Pages) -> None:
        self._line, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("forkserver")
        self._process = context.Process(target=pull_all, args=(url, pages, BATCH, theirs))
        self._process.start()
        theirs.close()

    def run(self, steps: int | None, wait: float) -> bool:
        """Let it go so many steps, and a moment more, then kill it; return whether it was done."""
        try:
            while steps is None or steps > 0:
                if self._line.recv() == "done":
                    return True
                steps = None if steps is None else steps - 1
            # Somewhere within one of the next transactions.
            time.sleep(wait)
        except EOFError:
            raise AssertionError("the worker ended with an error of its own") from None
        else:
            return False
        finally:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._line.close()


def undisturbed(url: str, pages: Pages) -> dict[str, Any]:
    assert Worker(url, pages).run(None, 0)
    with open_database(url, create=False) as database:
        return contents(database)


def killed_until_done(url: str, pages: Pages, kills: int, seed: int) -> dict[str, Any]:
    """Kill up to so many workers at moments of chance, spread over the work, then let one finish."""
    chance = random.Random(seed)
    steps = sum(map(len, pages.values()))
    for _ in range(kills):
        if Worker(url, pages).run(chance.randint(1, steps // kills), chance.random() * 0.005):
            break
    with open_database(url, create=False) as database:
        lost = Lab(database).rows("SELECT count(*) FROM runs WHERE state IN ('lost', 'running')")[0][0]
    assert lost >= kills // 2, "too few kills hit a run"
    return undisturbed(url, pages)


def differing(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [name for name in left if left[name] != right[name]]


def test_ten_kills_leave_no_trace(new_url):
    pages = month(600, seed=1)
    wanted = undisturbed(new_url(), pages)
    assert len(wanted["dead_letters"]) > 50
    assert len(wanted["thread partition"]) < len(wanted["thread_members"])
    found = killed_until_done(new_url(), pages, kills=10, seed=2)
    assert differing(found, wanted) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_kills_leave_no_trace(new_url, seed):
    pages = month(1_500, seed=seed)
    wanted = undisturbed(new_url(), pages)
    found = killed_until_done(new_url(), pages, kills=100, seed=seed)
    assert differing(found, wanted) == []
