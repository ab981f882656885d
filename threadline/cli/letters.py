"""`threadline dead list`, `show` and `replay`."""

from threadline.cli.context import CONFIG
from threadline.cli.exits import NEEDS_A_PERSON, leave
from threadline.cli.output import console, plain, print_facts, print_json, print_table, safe_lines
from threadline.store.database import open_database
from threadline.sync import dead

_RAW_SHOWN = 4_000


def list_letters(source: str | None, limit: int, *, json: bool) -> None:
    """Print the open dead letters."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        found = dead.letters(transaction, source, limit)
    if json:
        print_json(found)
        return
    rows = [(one.id[:10], f"{one.source}.{one.stream}", one.key, one.attempts, why(one)) for one in found]
    print_table(["id", "stream", "record", "tries", "why"], rows, numbers=["tries"])


def why(one: dead.DeadLetter) -> str:
    """Say why in one line: reason, place in the record, line of the mapping."""
    place = f" at {one.path}" if one.path != "$" else ""
    site = f" ({one.site})" if one.site else ""
    return f"{one.reason}{place}{site}"


def show_letter(beginning: str, *, json: bool) -> None:
    """Print one dead letter with its record."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        one, raw = dead.letter(transaction, beginning)
    text = raw.decode("utf-8", "replace")
    if json:
        print_json({"letter": one, "record": text})
        return
    rows = [
        ("id", one.id), ("stream", f"{one.source}.{one.stream}"), ("record", one.key), ("why", one.reason), ("path", one.path),
        ("mapping", one.site or "-"), ("first seen", plain(one.first_seen)), ("last seen", plain(one.last_seen)), ("tries", one.attempts),
        ("state", one.state),
    ]  # fmt: skip
    print_facts(rows)
    console().print()
    for line in safe_lines(text[:_RAW_SHOWN]):
        console().print(line)
    if len(text) > _RAW_SHOWN:
        console().print(f"... {len(raw):,} bytes in all; --json prints everything")


def replay_letters(beginnings: list[str], source: str | None, *, json: bool) -> None:
    """Map dead letters again; exit code 1 when some are dead still."""
    config = CONFIG.load()
    with open_database(config.database, create=False) as database, database.read() as transaction:
        chosen = [dead.letter(transaction, text)[0] for text in beginnings] or dead.letters(transaction, source)
    results = dead.replay(config, [one for one in chosen if one.state == "open"])
    if json:
        print_json([{"source": name, "stream": stream, "ledger": ledger} for name, stream, ledger in results])
    else:
        rows = [(f"{name}.{stream}", ledger.read, ledger.read - ledger.dead, ledger.dead) for name, stream, ledger in results]
        print_table(["stream", "replayed", "good now", "dead still"], rows, numbers=["replayed", "good now", "dead still"])
    leave(NEEDS_A_PERSON if any(ledger.dead for _, _, ledger in results) else 0)
