"""What the demo prints: what was synchronised, held against the truth that the company knows."""

import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from threadline.cli.airflow_stack import AirflowStack
from threadline.cli.letters import print_letters
from threadline.cli.looking import print_streams, print_thread
from threadline.cli.output import plain, print_facts, print_table, show
from threadline.journey.timeline import customer, find_customers
from threadline.journey.views import CustomerView
from threadline.model.ids import parse_id
from threadline.store.database import Transaction, open_database
from threadline.sync import dead
from threadline.sync.config import Config
from threadline.sync.health import health
from threadline.testing.company import Company
from threadline.testing.sandbox import Sandbox


def print_report(config: Config, company: Company, boxes: Mapping[str, Sandbox], airflow: AirflowStack, *, ends: bool) -> None:
    """Print everything that the demo shows; `ends`: nothing of it runs on."""
    with open_database(config.database, create=False) as database, database.read() as transaction:
        _heading("Records", "What was read from each system, stream by stream, and what became of it.")
        print_streams(health(transaction, config))
        _heading("One customer", "Who is who, found from e-mail addresses, phone numbers and handles, held against the truth of the story.")
        _print_profiles(transaction, company)
        _heading("One thread", "What belongs together over all channels: messages, tickets, calls and orders.")
        _print_threads(transaction, company)
        _heading("Pushes", "What was sent to each system, and what its stand-in then holds.")
        _print_pushes(transaction, config, boxes)
        _heading("Dead letters", "Records that cannot be used. They are kept, and the streams go on.")
        print_letters(dead.letters(transaction))
        _heading("One customer's thread", "Somebody who was known to every system, and had to tell everything only once.")
        email = _print_journey(transaction, config, company)
    _heading("Airflow", "It has run all of this on schedule" + (", and ends now: without --once it goes on." if ends else "."))
    _print_airflow(airflow)
    _heading("Look further", "Any customer, the dead letters, the state of all streams.")
    _print_commands(config, email)


def _heading(text: str, about: str) -> None:
    print()
    show(Text(text, "bold underline"), Text(about, "dim"))


def found_profiles(transaction: Transaction, company: Company) -> dict[int, set[bytes]]:
    """Return the profiles in which each true customer's identifiers are found."""
    rows = transaction.query(
        "SELECT p.source, i.type, i.value_normalized, m.profile FROM party_identifiers i JOIN parties p ON p.id = i.party "
        "JOIN party_profiles m ON m.party = i.party"
    )
    found: dict[int, set[bytes]] = defaultdict(set)
    for source, kind, value, profile in rows:
        if (number := company.truth.identity.get((source, kind, value))) is not None:
            found[number].add(profile)
    return found


def _print_profiles(transaction: Transaction, company: Company) -> None:
    found = found_profiles(transaction, company)
    owners: dict[bytes, set[int]] = defaultdict(set)
    for number, profiles in found.items():
        for profile in profiles:
            owners[profile].add(number)
    mixed = sum(len(numbers) > 1 for numbers in owners.values())
    whole = sum(len(profiles) == 1 for profiles in found.values())
    print_facts(
        [
            ("customers in truth", len(found)),
            ("profiles found", len(owners)),
            (
                "best that can be reached",
                f"{company.truth.reachable_profiles:,} (some write on X from an account that no other system knows)",
            ),
            ("customers with exactly one profile", whole),
            ("profiles that mix customers", mixed),
        ]
    )


def _print_threads(transaction: Transaction, company: Company) -> None:
    rows = transaction.query(
        "SELECT t.id, count(DISTINCT e.channel), count(*) FROM threads t JOIN thread_members m ON m.thread = t.id JOIN "
        "(SELECT id, source AS channel FROM interactions UNION ALL SELECT id, source FROM cases UNION ALL SELECT id, source FROM orders) e "
        "ON e.id = m.entity GROUP BY t.id"
    )
    spread = defaultdict[int, int](int)
    for _, systems, _ in rows:
        spread[int(systems)] += 1
    journeys = len(company.truth.journeys)
    found = sum(count for systems, count in spread.items() if systems >= 4)
    lines: list[tuple[str, str | int]] = [("threads over 4 systems or more", f"{found:,} (in truth {journeys:,})")]
    lines += [(f"threads over {systems} systems", spread[systems]) for systems in (3, 2)]
    lines.append(("threads in one system", spread[1]))
    print_facts(lines)


def _print_pushes(transaction: Transaction, config: Config, boxes: Mapping[str, Sandbox]) -> None:
    counts = {(target, name, state): count for target, name, state, count in transaction.query(_COUNTS)}
    rows: list[tuple[str, int, int, int]] = []
    for target in config.targets.values():
        for name in target.objects:
            sent = counts.get((target.name, name, "done"), 0)
            waiting = sum(counts.get((target.name, name, state), 0) for state in ("pending", "inflight", "unknown", "dead"))
            rows.append((f"{target.name}.{name}", sent, len(boxes[target.system].pushed(name)), waiting))
    print_table(["target", "sent", "confirmed there", "not done"], rows, numbers=["sent", "confirmed there", "not done"], prose=["target"])


_COUNTS = "SELECT target, object, state, count(DISTINCT entity_id) FROM outbox GROUP BY target, object, state"


def _print_journey(transaction: Transaction, config: Config, company: Company) -> str | None:
    """Print the longest journey that was found as one thread; return its customer's e-mail address."""
    people = {person.number: person for person in company.people}
    for journey in sorted(company.truth.journeys, key=lambda journey: (-len(journey.systems), -len(journey.events))):
        hits = find_customers(transaction, people[journey.customer].email, config.region)
        view = customer(transaction, parse_id(hits[0].id) or b"") if len(hits) == 1 else None
        if isinstance(view, CustomerView) and view.threads:
            thread = max(view.threads, key=lambda one: (len({entry.source for entry in one.entries}), len(one.entries)))
            print(plain(f"{view.name}, known in {', '.join(sorted({record.source for record in view.records}))}"))
            print_thread(thread)
            return people[journey.customer].email
    return None


def _print_commands(config: Config, email: str | None) -> None:
    beside = Path(sys.executable).with_name("threadline")
    threadline = "threadline" if shutil.which("threadline") else shlex.quote(str(beside))
    print(f"  export THREADLINE_CONFIG={shlex.quote(str(config.path))}")
    for command in ([f"timeline {email}"] if email else []) + ["dead list", "status"]:
        print(f"  {threadline} {command}")


def _print_airflow(airflow: AirflowStack) -> None:
    with airflow.api() as api:
        runs = api.runs()
    states = defaultdict[str, int](int)
    for run in runs:
        states[run.state] += 1
    user, password = airflow.login
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print_facts(
        [("DAG runs", said), ("pages", f"{airflow.url}/  (Sync health and Customers in the menu)"), ("login", f"{user} / {password}")]
    )
