"""Profiles on request: explained, corrected by people, and made anew. What changes enters the change log."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from xxhash import xxh3_128_digest

from threadline.identity import decisions
from threadline.identity.explain import Explanation, Told, explain, told
from threadline.identity.graph import Regrouped
from threadline.identity.history import Decision, ProfileEvent, history
from threadline.identity.history import decisions as decided
from threadline.identity.membership import followed, members, profiles_of
from threadline.identity.rebuild import rebuild
from threadline.identity.reviews import Review, open_reviews
from threadline.identity.rules import Rules
from threadline.journey.profile import load_profiles
from threadline.journey.timeline import find_parties
from threadline.journey.values import FieldValue, field_values
from threadline.model.ids import new_ulid, parse_id, show_id
from threadline.sdk.errors import ConfigError
from threadline.store import schema
from threadline.store.database import Database, Transaction, open_database
from threadline.sync.apply import log_profiles
from threadline.sync.config import Config

if TYPE_CHECKING:
    from threadline.sync.matching import Matched

_RULES = "identity"
"""Under this name the rules last used are kept among the mappings."""


class Asked(NamedTuple):
    """A question of the review queue, with the records that it is about."""

    one: Told
    other: Told
    review: Review


def party_of(transaction: Transaction, text: str, region: str | None = None) -> bytes:
    """Return the record that a person means: an id, `source:id`, or an address that one customer alone has; else ConfigError."""
    identity = parse_id(text)
    if identity:
        if transaction.query("SELECT 1 FROM parties WHERE id = ?", [identity]):
            return identity
        if held := members(transaction, [followed(transaction, identity)]):
            return held[0][1]
    found = find_parties(transaction, text, region)
    if not found:
        raise ConfigError(f"no record is known as {text!r}: give SOURCE:ID, an e-mail address, a phone number, a handle, or an id")
    if len(set(found.values())) > 1:
        raise ConfigError(f"{text!r} is a value of {len(set(found.values()))} customers: say which record, as SOURCE:ID")
    return min(found)


def explain_records(config: Config, one: str, other: str) -> Explanation:
    """Say why two records are one customer, or are not."""
    with _reading(config) as transaction:
        return explain(transaction, _party(config, transaction, one), _party(config, transaction, other), config.policy.identity)


def link_records(config: Config, one: str, other: str, *, who: str, why: str) -> Regrouped:
    """Decide that two records are one customer."""
    with _writing(config) as transaction:
        pair = _party(config, transaction, one), _party(config, transaction, other)
        return _logged(transaction, decisions.link(transaction, *pair, who=who, why=why, rules=config.policy.identity))


def preview_split(config: Config, profile: str, records: Sequence[str]) -> decisions.Preview:
    """Say what it would do to split these records from a profile."""
    with _reading(config) as transaction:
        return decisions.preview(transaction, _some_of(config, transaction, profile, records), config.policy.identity)


def split_records(config: Config, profile: str, records: Sequence[str], *, who: str, why: str) -> Regrouped:
    """Decide that these records are another customer than the rest of a profile."""
    with _writing(config) as transaction:
        parties = _some_of(config, transaction, profile, records)
        return _logged(transaction, decisions.separate(transaction, parties, who=who, why=why, rules=config.policy.identity))


def settle_review(config: Config, one: str, other: str, *, same: bool, who: str, why: str) -> Regrouped:
    """Answer a question of the review queue."""
    with _writing(config) as transaction:
        pair = _party(config, transaction, one), _party(config, transaction, other)
        return _logged(transaction, decisions.settle(transaction, *pair, same=same, who=who, why=why, rules=config.policy.identity))


def reviews(config: Config, limit: int) -> list[Asked]:
    """Return what waits for a person, the most certain first."""
    with _reading(config) as transaction:
        found = open_reviews(transaction, limit)
        known = {one.party: one for one in told(transaction, [party for review in found for party in (review.one, review.other)])}
    return [Asked(known[review.one], known[review.other], review) for review in found if {review.one, review.other} <= known.keys()]


def history_of(config: Config, profile: str) -> tuple[list[ProfileEvent], list[Decision], dict[bytes, Told]]:
    """Return what became of a profile, what was decided of its records, and which records these are."""
    with _reading(config) as transaction:
        identity = parse_id(profile)
        if identity is None:
            identity = profiles_of(transaction, [_party(config, transaction, profile)]).popitem()[1]
        events, made = history(transaction, identity), decided(transaction, followed(transaction, identity))
        parties = {party for event in events for party in event.parties} | {party for one in made for party in (one.one, one.other)}
        return events, made, {one.party: one for one in told(transaction, parties)}


def values_of(config: Config, profile: str) -> tuple[bytes, list[FieldValue]]:
    """Return a profile's id, and what its records say of each field, with why one value of several is shown."""
    with _reading(config) as transaction:
        home = profiles_of(transaction, [_party(config, transaction, profile)]).popitem()[1]
        return home, field_values(load_profiles(transaction, [home], config.policy.survivorship)[home])


def rebuild_profiles(config: Config) -> int:
    """Make all profiles anew; return how many changed."""
    with open_database(config.database, create=False) as database:
        return _rebuild(database, config.policy.identity, "rebuild")


def match_customers(config: Config, tell: Callable[[str], None] = lambda _: None) -> "Matched":
    """Learn from all customers how people are told apart, and match them; ConfigError without the extra `match`."""
    from threadline.sync.matching import match_everybody

    with open_database(config.database, create=False) as database:
        follow_rules(database, config.policy.identity)
        return match_everybody(database, config.policy.identity, tell)


def forget_matches(config: Config) -> int:
    """Give up what matching learned, and take back what it joined; return how many profiles changed."""
    from threadline.sync import matching

    with open_database(config.database, create=False) as database:
        return matching.forget_matches(database, config.policy.identity)


def follow_rules(database: Database, rules: Rules) -> int:
    """Make all profiles anew where the rules are others than the last time; return how many changed."""
    text = msgspec.json.encode(rules)
    fingerprint = xxh3_128_digest(text)
    with database.read() as view:
        rows = view.query("SELECT fingerprint FROM mappings WHERE name = ? ORDER BY first_used DESC LIMIT 1", [_RULES])
    if rows and rows[0][0] == fingerprint:
        return 0
    changed = _rebuild(database, rules, "new rules")
    with database.write() as transaction:
        transaction.upsert(schema.MAPPINGS, [(fingerprint, _RULES, text.decode(), transaction.now())])
    return changed


def _rebuild(database: Database, rules: Rules, cause: str) -> int:
    with database.write() as transaction:
        return len(_logged(transaction, rebuild(transaction, rules, cause)).changed)


def _logged(transaction: Transaction, regrouped: Regrouped) -> Regrouped:
    log_profiles(transaction, regrouped, new_ulid())
    return regrouped


def _some_of(config: Config, transaction: Transaction, profile: str, records: Sequence[str]) -> list[bytes]:
    """Return the parties that records name; ConfigError when one is not in the profile."""
    home = profiles_of(transaction, [_party(config, transaction, profile)]).popitem()[1]
    parties = {_party(config, transaction, one): one for one in records}
    for party, where in profiles_of(transaction, parties).items():
        if where != home:
            raise ConfigError(f"{parties[party]} is not in profile {show_id(home)}, but in {show_id(where)}")
    return list(parties)


def _party(config: Config, transaction: Transaction, text: str) -> bytes:
    return party_of(transaction, text, config.region)


@contextmanager
def _reading(config: Config) -> Generator[Transaction, Any, None]:
    with open_database(config.database, create=False) as database, database.read() as transaction:
        yield transaction


@contextmanager
def _writing(config: Config) -> Generator[Transaction, Any, None]:
    with open_database(config.database, create=False) as database, database.write() as transaction:
        yield transaction


__all__ = [
    "explain_records", "follow_rules", "forget_matches", "history_of", "link_records", "match_customers", "party_of", "preview_split",
    "rebuild_profiles",    "reviews", "settle_review", "split_records", "values_of",
]  # fmt: skip
