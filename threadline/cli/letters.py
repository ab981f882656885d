"""`threadline dead list`, `show` and `replay`."""

from base64 import b64encode
from collections.abc import Sequence

from threadline.cli.context import CONFIG
from threadline.cli.exits import DONE, NEEDS_A_PERSON, leave_with, say
from threadline.cli.output import plain, print_facts, print_json, print_table, safe_lines, show
from threadline.sdk.errors import ConnectorError
from threadline.store.database import open_database
from threadline.sync import dead
from threadline.sync.config import Config
from threadline.sync.views import Ledger

_RAW_SHOWN = 4_000
_ID_SHOWN = 10
_NONE = "no dead letters"


def list_letters(source: str | None, reason: str | None, state: str | None, limit: int, *, json: bool) -> None:
    """Print the dead letters in one state, or in any."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        found = dead.letters(transaction, source, limit + 1, state=state, reason=reason)
    _expect(source, found)
    if json:
        print_json(found[:limit])
    else:
        print_letters(found[:limit])
    if len(found) > limit:
        say(f"these are the newest {limit}; --limit shows more", 0)


def _expect(source: str | None, found: Sequence[dead.DeadLetter]) -> None:
    """A source without letters is good news only when it is a source; letters may outlive theirs."""
    if source and not found:
        CONFIG.load().source(source)


def print_letters(found: Sequence[dead.DeadLetter]) -> None:
    """Print letters, and under each of them why it is dead."""
    from rich.padding import Padding
    from rich.text import Text

    if not found:
        print(_NONE)
        return
    places = [(plain(f"{one.source}.{one.stream}"), plain(one.key)) for one in found]
    widths = [max(map(len, column)) for column in zip(*places, strict=True)]
    for one, (stream, key) in zip(found, places, strict=True):
        head = Text.assemble((one.id[:_ID_SHOWN], "bold"), f"  {stream:<{widths[0]}}  {key:<{widths[1]}}")
        if one.attempts > 1:
            head.append(f"  tried {one.attempts} times", style="dim")
        if one.state != "open":
            head.append(f"  {one.state}", style="dim")
        show(head, Padding(Text(plain(why(one))), (0, 0, 0, _ID_SHOWN + 2)))


def why(one: dead.DeadLetter) -> str:
    """Say why in one line: place in the record, reason, line of the mapping."""
    place = f"{one.path}: " if one.path != "$" else ""
    site = f" ({one.site})" if one.site else ""
    return f"{place}{one.reason}{site}"


def show_letter(beginning: str, *, json: bool) -> None:
    """Print one dead letter with its record."""
    config = CONFIG.load(entries=False)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        one, raw = dead.letter(transaction, beginning)
    text = raw.decode("utf-8", "replace")
    if json:
        # Bytes that are no text stand beside what can be read of them.
        exact = {} if text.encode() == raw else {"base64": b64encode(raw).decode()}
        print_json({"letter": one, "record": text, **exact})
        return
    rows = [
        ("id", one.id), ("stream", f"{one.source}.{one.stream}"), ("record", one.key), ("why", one.reason), ("path", one.path),
        ("mapping", one.site or "-"), ("first seen", plain(one.first_seen)), ("last seen", plain(one.last_seen)), ("tries", one.attempts),
        ("state", one.state),
    ]  # fmt: skip
    print_facts(rows)
    print()
    for line in safe_lines(text[:_RAW_SHOWN]):
        print(line)
    if len(text) > _RAW_SHOWN:
        print(f"... {len(raw):,} bytes in all; --json prints everything")


def replay_letters(beginnings: list[str], source: str | None, reason: str | None, *, json: bool) -> None:
    """Map dead letters again; exit code 1 when some are dead still."""
    config = CONFIG.load()
    with open_database(config.database, create=False) as database, database.read() as transaction:
        chosen = [dead.letter(transaction, text)[0] for text in beginnings] or dead.letters(transaction, source, reason=reason)
    _expect(source, chosen)
    results, errors = _replay(config, [one for one in chosen if one.state == "open"])
    if json:
        print_json([{"source": name, "stream": stream, "ledger": ledger} for name, stream, ledger in results])
    elif results or not errors:
        counts = ["replayed", "good now", "dead still"]
        rows = [(f"{name}.{stream}", ledger.read, ledger.read - ledger.dead, ledger.dead) for name, stream, ledger in results]
        print_table(["stream", *counts], rows, numbers=counts, prose=["stream"], empty=_NONE)
    leave_with(errors, NEEDS_A_PERSON if any(ledger.dead for _, _, ledger in results) else DONE)


Replayed = list[tuple[str, str, Ledger]]


def _replay(config: Config, chosen: Sequence[dead.DeadLetter]) -> tuple[Replayed, list[tuple[str, ConnectorError]]]:
    """Replay each stream's letters; one that fails does not keep the others back."""
    streams: dict[tuple[str, str], list[dead.DeadLetter]] = {}
    for one in chosen:
        streams.setdefault((one.source, one.stream), []).append(one)
    results: Replayed = []
    errors: list[tuple[str, ConnectorError]] = []
    for place, letters in streams.items():
        try:
            results += dead.replay(config, letters)
        except ConnectorError as error:
            errors.append((".".join(place), error))
    return results, errors
