"""`threadline status` and `threadline timeline`."""

from collections.abc import Iterable
from functools import reduce

from rich.padding import Padding
from rich.text import Text

from threadline.cli.context import CONFIG
from threadline.cli.exits import NEEDS_A_PERSON, about, leave, say
from threadline.cli.output import ago, grid, plain, print_json, print_table, safe_lines, show
from threadline.journey.timeline import customer, find_customers
from threadline.journey.views import CustomerHit, CustomerView, Entry, ThreadView
from threadline.model.ids import parse_id
from threadline.store.database import open_database
from threadline.sync.health import AccountHealth, Health, health
from threadline.sync.lease import add
from threadline.sync.views import Ledger

_GOOD = frozenset({"fresh", "waiting", "never"})
_LINES_SHOWN = 6
_INDENT = 20


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
        _print_accounts(state)
        _print_matching(state)
        _print_notes(state)
    for what, message in _errors(state):
        say(about(what, message), NEEDS_A_PERSON)
    states = {stream.state for stream in state.streams} | {target.state for target in state.targets}
    states |= {state.matching.state} if state.matching else set()
    leave(NEEDS_A_PERSON if state.problems or states - _GOOD or any(stream.paused for stream in state.streams) else 0)


def _errors(state: Health) -> Iterable[tuple[str, str]]:
    """Yield what went wrong; a push run is one for all objects of its target."""
    yield from ((problem.entry, problem.message) for problem in state.problems)
    yield from ((f"{one.source}.{one.stream}", what) for one in state.streams if (what := one.paused or one.error))
    yield from dict.fromkeys((f"target {one.target}", one.error) for one in state.targets if one.error)


def print_streams(state: Health) -> None:
    """Print the table of streams."""
    numbers = ["read", "new", "changed", "unchanged", "filtered", "dead", "open dead", "drifted"]
    rows = [
        (
            f"{item.source}.{item.stream}", "paused" if item.paused else item.state, ago(item.lag), item.ledger.read, item.ledger.new,
            item.ledger.changed, item.ledger.unchanged, item.ledger.filtered, item.ledger.dead, item.open_dead, item.drifted,
        )
        for item in state.streams
    ]  # fmt: skip
    spare = ["unchanged", "filtered", "changed", "new"]
    columns = ["stream", "state", "last success", *numbers]
    print_table(columns, rows, numbers=numbers, prose=["stream"], spare=spare, empty="no sources")


def _print_targets(state: Health) -> None:
    if not state.targets:
        return
    numbers = ["done", "waiting", "dead"]
    rows = [
        (
            f"{item.target}.{item.object}", item.state, ago((state.as_of - item.last_push).total_seconds() if item.last_push else None),
            item.done, item.waiting, item.dead,
        )
        for item in state.targets
    ]  # fmt: skip
    print()
    print_table(["target", "state", "last push", *numbers], rows, numbers=numbers, prose=["target"])


def _print_accounts(state: Health) -> None:
    if not state.accounts:
        return
    numbers = ["allowed", "used", "left", "kept"]
    rows = [
        (one.account, one.allowance, one.calls, one.used, one.left, one.kept, one.renewed or "bit by bit", _lasts(one))
        for one in state.accounts
    ]
    print()
    columns = ["account", "allowance", *numbers, "renewed", "at this pace"]
    print_table(columns, rows, numbers=numbers, prose=["account"], spare=["kept"])


def _lasts(one: AccountHealth) -> str:
    if not one.left:
        return "used up"
    return f"lasts until {plain(one.exhausted)}" if one.exhausted else "lasts all along"


def _print_matching(state: Health) -> None:
    if one := state.matching:
        print()
        numbers = ["pairs joined", "to review"]
        print_table(["matching", "last learned", *numbers], [(one.state, ago(one.lag), one.joined, one.review)], numbers=numbers)
        if one.review:
            print("threadline identity review list    shows what only a person can decide")


def _print_notes(state: Health) -> None:
    """Print what holds of all streams: whether every record is accounted for, and which runs are under way."""
    if not state.streams:
        return
    print()
    total = reduce(add, (item.ledger for item in state.streams), Ledger())
    parts = [f"{getattr(total, name):,} {name}" for name in ("new", "changed", "unchanged", "filtered", "dead")]
    # What one stream has too many of does not make up for what another lacks.
    missing = [f"{item.ledger.missing:,} of {item.source}.{item.stream}" for item in state.streams if item.ledger.missing]
    balance = f"not accounted for: {', '.join(missing)}" if missing else "the ledger balances"
    show(Text(plain(f"24 hours: {total.read:,} read = {' + '.join(parts)}: {balance}")))
    for item in state.streams:
        if item.held_until:
            show(Text(plain(f"under way: {item.source}.{item.stream}, which its run holds until {item.held_until:%H:%M:%S} UTC or longer")))


def show_timeline(who: str, *, json: bool) -> None:
    """Print the one customer that `who` names; exit code 1 when there is none, or more than one."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        hits = find_customers(transaction, who, config.region, config.policy.survivorship)
        found = customer(transaction, parse_id(hits[0].id) or b"", config.policy.survivorship) if len(hits) == 1 else None
    view = found if isinstance(found, CustomerView) else None
    if view is None:
        _print_hits(who, hits, json=json)
    elif json:
        print_json(view)
    else:
        print_customer(view)


def _print_hits(who: str, hits: list[CustomerHit], *, json: bool) -> None:
    if json:
        print_json({"hits": hits})
    elif hits:
        print_table(["profile", "name", "found by", "known in"], [(hit.id, hit.name, hit.matched, ", ".join(hit.sources)) for hit in hits])
    say(f"{who!r} names {len(hits)} customers: choose one by its profile id" if hits else f"no customer is known by {who!r}", 0)
    leave(NEEDS_A_PERSON)


def print_customer(view: CustomerView) -> None:
    """Print a customer: who, and each thread, newest last."""
    show(Text.assemble((plain(view.name), "bold"), "  ", (view.id, "dim")))
    facts = grid()
    for fact in view.facts:
        facts.add_row(fact.label, Text.assemble(plain(fact.value), (f" ({', '.join(fact.sources)})", "dim")))
    facts.add_row("Records", Text(plain(", ".join(f"{record.source} {record.external_id}" for record in view.records))))
    show(Padding(facts, (0, 0, 0, 2)))
    for thread in reversed(view.threads):
        print_thread(thread)


def print_thread(thread: ThreadView) -> None:
    """Print one thread, newest entry last."""
    print()
    show(Text.assemble((plain(thread.title or "Thread"), "bold"), "  ", (" → ".join(thread.channels), "dim")))
    places = [(plain(entry.channel or entry.kind), plain(entry.source)) for entry in thread.entries]
    widths = [max(map(len, column)) for column in zip(*places, strict=True)]
    for entry, (channel, source) in zip(thread.entries, places, strict=True):
        head = grid()
        head.add_row(
            f"  {entry.at:%Y-%m-%d %H:%M}", Text(channel.ljust(widths[0]), "cyan"), source.ljust(widths[1]), Text(plain(_headline(entry)))
        )
        show(head, *(Padding(line, (0, 0, 0, _INDENT)) for line in _below(entry)))


def _below(entry: Entry) -> Iterable[Text]:
    """Yield what stands below an entry's first line: its words, and why it is in the thread."""
    lines = [line for line in safe_lines(entry.text or "") if line.strip()] if entry.kind in ("message", "feedback", "status") else []
    style = "dim" if entry.visibility == "internal" else ""
    yield from (Text(line, style) for line in lines[:_LINES_SHOWN])
    if len(lines) > _LINES_SHOWN:
        yield Text(f"({len(lines) - _LINES_SHOWN} more lines: --json shows all)", "dim")
    if entry.reason:
        yield Text(f"joined: {plain(entry.reason)} ({entry.score:.2f})", "dim")


def _headline(entry: Entry) -> str:
    if entry.kind == "order":
        total = f", {entry.total}" if entry.total else ""
        return f"order {entry.title}: {entry.text or 'no lines yet'}{total}" + (f" ({entry.state})" if entry.state else "")
    if entry.kind == "case":
        return f"case #{entry.external_id} {entry.title or ''} ({entry.state})"
    if entry.kind == "status":
        return f"case #{entry.external_id} {entry.state}" + (f" by {entry.author}" if entry.author else "")
    if entry.kind == "feedback":
        return f"→ {entry.author or 'somebody'} rated the service" + (f": {entry.state}" if entry.state else "")
    arrow = "→" if entry.direction == "inbound" else "←"
    note = " (internal note)" if entry.visibility == "internal" else ""
    return f"{arrow} {entry.author or 'somebody'}{f': {entry.title}' if entry.title else ''}{note}"
