"""What the demo prints: what was synchronised, held against the truth that the company knows."""

from collections import defaultdict
from collections.abc import Mapping

from threadline.cli.airflow_stack import AirflowStack
from threadline.cli.letters import why
from threadline.cli.looking import print_streams, print_thread
from threadline.cli.output import console, print_facts, print_table
from threadline.journey.timeline import customer, find_customers
from threadline.journey.views import CustomerView
from threadline.model.ids import parse_id
from threadline.store.database import Transaction, open_database
from threadline.sync import dead
from threadline.sync.config import Config
from threadline.sync.health import health
from threadline.testing.company import Company
from threadline.testing.sandbox import Sandbox


def print_report(config: Config, company: Company, boxes: Mapping[str, Sandbox], airflow: AirflowStack) -> None:
    """Print everything that the demo shows."""
    with open_database(config.database, create=False) as database, database.read() as transaction:
        _heading("Records")
        print_streams(health(transaction, config))
        _heading("One customer")
        _print_profiles(transaction, company)
        _heading("One thread")
        _print_threads(transaction, company)
        _heading("Pushes")
        _print_pushes(transaction, config, boxes)
        _heading("Dead letters")
        rows = [(one.id[:10], f"{one.source}.{one.stream}", one.key, why(one)) for one in dead.letters(transaction)]
        print_table(["id", "stream", "record", "why"], rows)
        _heading("One customer's thread")
        _print_journey(transaction, config, company)
    _heading("Airflow")
    _print_airflow(airflow)


def _heading(text: str) -> None:
    console().print(f"\n{text}", style="bold underline")


def found_profiles(transaction: Transaction, company: Company) -> dict[int, set[bytes]]:
    """Return the profiles in which each true customer's identifiers are found."""
    rows = transaction.query(
        "SELECT p.source, i.type, i.value_normalized, m.profile FROM party_identifiers i JOIN parties p ON p.id = i.party "
        "JOIN memberships m ON m.party = i.party"
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
            ("true customers", len(found)),
            ("profiles found", len(owners)),
            ("profiles that identifiers can reach at best", company.truth.reachable_profiles),
            ("customers found as exactly one profile", whole),
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
    lines = [(f"threads over {systems} systems", spread[systems]) for systems in sorted(spread, reverse=True) if systems > 1]
    lines.append(("threads in one system", spread[1]))
    lines.append(("journeys over four systems and more, in truth", len(company.truth.journeys)))
    print_facts(lines)


def _print_pushes(transaction: Transaction, config: Config, boxes: Mapping[str, Sandbox]) -> None:
    counts = {(target, name, state): count for target, name, state, count in transaction.query(_COUNTS)}
    rows: list[tuple[str, int, int, int]] = []
    for target in config.targets.values():
        for name in target.objects:
            sent = counts.get((target.name, name, "done"), 0)
            waiting = sum(counts.get((target.name, name, state), 0) for state in ("pending", "inflight", "unknown", "dead"))
            rows.append((f"{target.name}.{name}", sent, len(boxes[target.system].pushed(name)), waiting))
    print_table(["target", "sent", "confirmed there", "not done"], rows, numbers=["sent", "confirmed there", "not done"])


_COUNTS = "SELECT target, object, state, count(DISTINCT entity_id) FROM outbox GROUP BY target, object, state"


def _print_journey(transaction: Transaction, config: Config, company: Company) -> None:
    people = {person.number: person for person in company.people}
    for journey in sorted(company.truth.journeys, key=lambda journey: (-len(journey.systems), -len(journey.events))):
        hits = find_customers(transaction, people[journey.customer].email, config.region)
        view = customer(transaction, parse_id(hits[0].id) or b"") if len(hits) == 1 else None
        if isinstance(view, CustomerView) and view.threads:
            thread = max(view.threads, key=lambda one: (len({entry.source for entry in one.entries}), len(one.entries)))
            console().print(f"{view.name}, known in {', '.join(sorted({record.source for record in view.records}))}")
            print_thread(thread)
            console().print(f"\n  threadline timeline {people[journey.customer].email}")
            return


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
