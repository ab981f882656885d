"""`threadline attachment`."""

import sys
from pathlib import Path

from threadline.cli.context import CONFIG
from threadline.cli.exits import NEEDS_A_PERSON, leave, say
from threadline.cli.output import print_facts, print_json
from threadline.sdk.errors import ConfigError
from threadline.store.database import open_database
from threadline.sync.attachments import content, look_up, parse_digest

_STDOUT = Path("-")


def show_attachment(digest: str, output: Path | None, *, json: bool) -> None:
    """Say what is known of a file that a record carries, or write it to `output`; exit code 1 when it is not kept."""
    config = CONFIG.load(entries=False)
    wanted = parse_digest(digest)
    with open_database(config.database, create=False) as database, database.read() as transaction:
        known = look_up(transaction, wanted)
        data = content(transaction, wanted) if output else None
    if known is None:
        say(f"no attachment sha256:{wanted.hex()} is kept", NEEDS_A_PERSON)
        leave(NEEDS_A_PERSON)
    if output and data is not None:
        _write(output, data)
    elif json:
        print_json(known)
    else:
        facts = [("digest", known.digest), ("size", known.size), ("first seen", known.first_seen)]
        print_facts([*facts, *(("carried by", record) for record in known.records)])


def _write(output: Path, data: bytes) -> None:
    if output == _STDOUT:
        sys.stdout.buffer.write(data)
        return
    try:
        with output.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise ConfigError(f"{output} is there already: give another name") from None
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from None
