"""Dead letters: looked at, and mapped again when the mapping or the connector was mended."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from threadline.model.ids import id_range, parse_id, show_id
from threadline.sdk.errors import ConfigError
from threadline.store.database import Database, Transaction, chunks, moment, open_database
from threadline.sync.apply import Writer
from threadline.sync.archive import Place, Stored
from threadline.sync.config import Config
from threadline.sync.connect import open_connector
from threadline.sync.lease import Run
from threadline.sync.pull import BATCH, Batches
from threadline.sync.run import judge_of
from threadline.sync.views import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be used: where it came from, why, and since when."""

    id: str
    source: str
    stream: str
    key: str
    reason: str
    path: str
    site: str
    first_seen: datetime | None
    last_seen: datetime | None
    attempts: int
    state: str
    """`open`; `resolved`: the record is good now; `gone`: its source no longer has it."""


_STORED = (
    "SELECT d.id, d.key, d.raw, d.site, d.reason, r.page, r.page_offset, r.page_length FROM dead_letters d JOIN records r ON r.id = d.id "
    "WHERE d.state = 'open' AND d.source = ? AND d.stream = ? AND d.id {keys}"
)
_COLUMNS = "id, source, stream, key, reason, path, site, first_seen, last_seen, attempts, state"


def letters(
    transaction: Transaction, source: str | None = None, limit: int = 1_000_000, *, state: str | None = "open", reason: str | None = None
) -> list[DeadLetter]:
    """Return dead letters, the newest first; with `reason`, those that have it in their reason, path or line of the mapping."""
    where, parameters = ["1 = 1"], list[Any]()
    for column, value in (("source", source), ("state", state)):
        if value:
            where.append(f"{column} = ?")
            parameters.append(value)
    if reason:
        where.append("(" + " OR ".join(f"lower({column}) LIKE ? ESCAPE '!'" for column in ("reason", "path", "site")) + ")")
        literal = re.sub("([%_!])", r"!\1", reason.lower())
        parameters += [f"%{literal}%"] * 3
    sql = f"SELECT {_COLUMNS} FROM dead_letters WHERE {' AND '.join(where)} ORDER BY last_seen DESC, id LIMIT ?"  # noqa: S608 - constants
    return [_letter(row) for row in transaction.query(sql, [*parameters, limit])]


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    identity, source, stream, key, reason, path, site, first_seen, last_seen, attempts, state = row
    return DeadLetter(
        id=show_id(identity), source=source, stream=stream, key=key, reason=reason, path=path, site=site,
        first_seen=moment(first_seen), last_seen=moment(last_seen), attempts=attempts, state=state,
    )  # fmt: skip


def letter(transaction: Transaction, beginning: str) -> tuple[DeadLetter, bytes]:
    """Return the letter whose id begins so, and the record's bytes; ConfigError when there is none, or several."""
    within = id_range(beginning)
    found = transaction.query("SELECT id FROM dead_letters WHERE id BETWEEN ? AND ? LIMIT 2", within) if within else []
    if len(found) != 1:
        what = "several dead letters begin" if found else "no dead letter begins"
        raise ConfigError(f"{what} with {beginning!r}: `threadline dead list` shows their ids")
    ((*row, raw),) = transaction.query(f"SELECT {_COLUMNS}, raw FROM dead_letters WHERE id = ?", found[0])  # noqa: S608 - a constant
    return _letter(tuple(row)), bytes(raw)


def replay(config: Config, chosen: list[DeadLetter]) -> list[tuple[str, str, Ledger]]:
    """Map letters again, with their bytes as kept; return (source, stream, ledger) of what became of them.

    A record that was read again in the meantime and is good has no open letter: nothing newer is ever overwritten.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for one in chosen:
        groups.setdefault((one.source, one.stream), []).append(one.id)
    with open_database(config.database, create=False) as database:
        return [(source, stream, _replay(config, database, source, stream, ids)) for (source, stream), ids in groups.items()]


def _replay(config: Config, database: Database, source: str, stream: str, ids: list[str]) -> Ledger:
    with open_connector(config.source(source)) as connector:
        judge = judge_of(config, source, stream, connector)
        policy = config.policy_of(source, stream)
        run = Run(database, source, stream, "replay", policy.lease)
        with run.under_way():
            batches = Batches(run, Writer(judge, run.id, policy))
            batches.prepare()
            for part in chunks(ids, BATCH):
                batches.write([judge.again(one) for one in _stored(database, source, stream, part)], None)
    return run.ledger


def _stored(database: Database, source: str, stream: str, ids: list[str]) -> list[Stored]:
    with database.read() as transaction:
        rows = transaction.query_in(_STORED, [parse_id(text) for text in ids], [source, stream])
    # What no line of a mapping refused is no JSON of the stream: it stays dead until it is read anew (`pull --full`).
    return [Stored(identity, key, bytes(raw), Place(*place), None if site else reason) for identity, key, raw, site, reason, *place in rows]
