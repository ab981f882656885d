"""`threadline status` and `threadline timeline`."""

from rich.padding import Padding
from rich.text import Text

from threadline.cli.context import CONFIG
from threadline.cli.exits import NEEDS_A_PERSON, leave, say
from threadline.cli.output import ago, console, plain, print_json, print_table, safe_lines
from threadline.journey.timeline import customer, find_customers
from threadline.journey.views import CustomerHit, CustomerView, Entry, ThreadView
from threadline.model.ids import parse_id
from threadline.store.database import Transaction, open_database
from threadline.sync.health import health
from threadline.sync.views import Health

_GOOD = frozenset({"fresh", "waiting", "never"})


def show_status(*, json: bool) -> None:
    """Print the state of every stream and target; exit code 1 when something needs a person."""
    config = CONFIG.load()
    with open_database(config.database, create=False) as database, database.read() as transaction:
        state = health(transaction, config)
    if json:
        print_json(state)
    else:
        print_streams(state)
        _print_targets(state)
    for problem in state.problems:
        say(problem.message, 0)
    for stream in state.streams:
        if stream.error:
            say(f"{stream.source}.{stream.stream}: {stream.error}", 0)
    for target in state.targets:
        if target.error:
            say(f"{target.target}.{target.object}: {target.error}", 0)
    states = {stream.state for stream in state.streams} | {target.state for target in state.targets}
    leave(NEEDS_A_PERSON if state.problems or states - _GOOD else 0)


def print_streams(state: Health) -> None:
    """Print the table of streams."""
    numbers = ["read", "new", "changed", "unchanged", "filtered", "dead", "open dead"]
    rows = [
        (
            f"{item.source}.{item.stream}", item.state, ago(item.lag), item.ledger.read, item.ledger.new, item.ledger.changed,
            item.ledger.unchanged, item.ledger.filtered, item.ledger.dead, item.open_dead,
        )
        for item in state.streams
    ]  # fmt: skip
    print_table(["stream", "state", "last success", *numbers], rows, numbers=numbers)


def _print_targets(state: Health) -> None:
    if not state.targets:
        return
    numbers = ["done", "waiting", "dead"]
    rows = [
        (f"{item.target}.{item.object}", item.state, plain(item.last_push), item.done, item.waiting, item.dead) for item in state.targets
    ]
    console().print()
    print_table(["target", "state", "last push", *numbers], rows, numbers=numbers)


def show_timeline(who: str, *, json: bool) -> None:
    """Print the one customer that `who` names; exit code 1 when there is none, or more than one."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        hits = find_customers(transaction, who, config.region)
        view = _view(transaction, hits[0]) if len(hits) == 1 else None
    if view is None:
        _print_hits(who, hits, json=json)
    elif json:
        print_json(view)
    else:
        print_customer(view)


def _view(transaction: Transaction, hit: CustomerHit) -> CustomerView | None:
    found = customer(transaction, parse_id(hit.id) or b"")
    return found if isinstance(found, CustomerView) else None


def _print_hits(who: str, hits: list[CustomerHit], *, json: bool) -> None:
    if json:
        print_json({"hits": hits})
    elif hits:
        print_table(["profile", "name", "found by", "known in"], [(hit.id, hit.name, hit.matched, ", ".join(hit.sources)) for hit in hits])
    say(f"{who!r} names {len(hits)} customers: choose one by its profile id" if hits else f"no customer is known by {who!r}", 0)
    leave(NEEDS_A_PERSON)


def print_customer(view: CustomerView) -> None:
    """Print a customer: who, and each thread, newest last."""
    out = console()
    out.print(Text(plain(view.name), style="bold"), Text(view.id, style="dim"))
    for fact in view.facts:
        out.print(Text(f"  {fact.label:<10} "), Text(plain(fact.value)), Text(f"({', '.join(fact.sources)})", style="dim"))
    joined = [f"{record.source} {record.external_id}" for record in view.records]
    out.print(Text(f"  {'Records':<10} "), Text(plain(", ".join(joined))))
    for thread in reversed(view.threads):
        print_thread(thread)


def print_thread(thread: ThreadView) -> None:
    """Print one thread, newest entry last."""
    out = console()
    out.print()
    out.print(Text(plain(thread.title or "Thread"), style="bold"), Text(f"{' → '.join(thread.channels)}", style="dim"))
    for entry in thread.entries:
        head = Text(f"  {entry.at:%Y-%m-%d %H:%M}  ")
        head.append(f"{plain(entry.channel or entry.kind):<8}", style="cyan")
        head.append(f"{plain(entry.source):<10}")
        head.append(plain(_headline(entry)))
        out.print(head)
        if entry.kind == "message":
            for line in safe_lines(entry.text or "")[:6]:
                said = Text(line or " ", style="dim" if entry.visibility == "internal" else "")
                out.print(Padding(said, (0, 0, 0, 22), expand=False))
        if entry.reason:
            out.print(Text(f"                      joined: {plain(entry.reason)} ({entry.score:.2f})", style="dim"))


def _headline(entry: Entry) -> str:
    if entry.kind == "order":
        total = f", {entry.total}" if entry.total else ""
        return f"order {entry.title}: {entry.text or 'no lines yet'}{total}" + (f" ({entry.state})" if entry.state else "")
    if entry.kind == "case":
        return f"case #{entry.external_id} {entry.title or ''} ({entry.state})"
    arrow = "→" if entry.direction == "inbound" else "←"
    note = " (internal note)" if entry.visibility == "internal" else ""
    return f"{arrow} {entry.author or 'somebody'}{f': {entry.title}' if entry.title else ''}{note}"
