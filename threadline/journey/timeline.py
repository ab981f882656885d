"""Finds customers, and shows one with all that happened, over all channels."""

from collections.abc import Iterable, Iterator, Mapping

from threadline.identity.membership import profiles_of
from threadline.identity.related import entities_of, read_related
from threadline.identity.survivorship import USUAL, Survivorship
from threadline.journey.entries import threads_with_entries, time_of
from threadline.journey.profile import MANY, Profile, follow, load_profiles
from threadline.journey.records import KINDS, records_of
from threadline.journey.values import address_line
from threadline.journey.views import CaseView, CustomerHit, CustomerView, Fact, Label, OrderView, PreferenceView
from threadline.model.identifiers import identify, normalize_email, normalize_handle, normalize_phone
from threadline.model.ids import parse_id, show_id
from threadline.model.money import Money
from threadline.store.database import Transaction, moment

_HITS = 50
_LABELS: Mapping[str, Label] = {
    "formatted_name": "Name", "email": "E-mail", "phone": "Phone", "handle": "Handle", "address": "Address", "language": "Language",
    "birth_date": "Birth date", "status": "Status",
}  # fmt: skip


def find_customers(transaction: Transaction, query: str, region: str | None = None, rules: Survivorship = USUAL) -> list[CustomerHit]:
    """Find customers by e-mail, phone, handle, `source:id`, order number, profile id, or a part of the name; `rules` choose values."""
    text = query.strip()
    if not text:
        return []
    matched: dict[bytes, str] = {}
    for profile, what in _matches(transaction, text, region):
        matched.setdefault(profile, what)
    if not matched:
        pattern = "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        matched = {profile: f"name {text}" for (profile,) in transaction.query(_BY_NAME, [pattern, _HITS])}
    profiles = load_profiles(transaction, matched, rules)
    return [_hit(profiles[profile], what) for profile, what in matched.items() if profile in profiles][:_HITS]


def _matches(transaction: Transaction, text: str, region: str | None) -> Iterator[tuple[bytes, str]]:
    """Yield the profiles that a text names exactly, with what it is of them."""
    identity = parse_id(text)
    if identity and (profile := follow(transaction, identity)):
        yield profile, f"profile id {text.upper()}"
    for kind, value in _readings(text, region):
        for _, profile in transaction.query(_HOLDERS, [identify(kind, value, value, "").id]):
            yield profile, f"{KINDS[kind]} {value}"
    for profile, what in _in_source(transaction, text, region).values():
        yield profile, what
    customers = {party for (related,) in transaction.query(_BY_ORDER, [text]) for party in read_related(related).get("customer", [])}
    for profile in profiles_of(transaction, customers).values():
        yield profile, f"order {text}"


def find_parties(transaction: Transaction, query: str, region: str | None = None) -> dict[bytes, bytes]:
    """Return the parties that an e-mail address, phone number, handle or `source:id` names, each with its profile."""
    text = query.strip()
    found = {party: profile for party, (profile, _) in _in_source(transaction, text, region).items()}
    for kind, value in _readings(text, region):
        found.update(transaction.query(_HOLDERS, [identify(kind, value, value, "").id]))
    return found


def _in_source(transaction: Transaction, text: str, region: str | None) -> dict[bytes, tuple[bytes, str]]:
    """Return the parties that `source:id` or `source:address` names, each with its profile and what the text is of it."""
    source, _, value = (part.strip() for part in text.partition(":"))
    if not value:
        return {}
    found = {
        party: (profile, f"{source} {kind} {value}") for party, profile, kind in transaction.query(_HOLDERS_OF_ID, [source, value, value])
    }
    for kind, address in _readings(value, region):
        for party, profile in transaction.query(_HOLDERS_IN_SOURCE, [identify(kind, address, address, "").id, source]):
            found[party] = profile, f"{source} {KINDS[kind]} {address}"
    return found


_HOLDERS = "SELECT m.party, m.profile FROM party_identifiers i JOIN party_profiles m ON m.party = i.party WHERE i.identifier = ?"
_HOLDERS_IN_SOURCE = (
    "SELECT m.party, m.profile FROM party_identifiers i JOIN party_profiles m ON m.party = i.party JOIN parties p ON p.id = i.party "
    "WHERE i.identifier = ? AND p.source = ?"
)
_HOLDERS_OF_ID = (
    "SELECT m.party, m.profile, i.type FROM party_identifiers i JOIN party_profiles m ON m.party = i.party "
    "WHERE i.owner = ? AND (i.value = ? OR i.value_normalized = ?)"
)
_BY_ORDER = 'SELECT related_parties FROM orders WHERE "number" = ?'
_BY_NAME = (
    "SELECT DISTINCT m.profile FROM parties p JOIN party_profiles m ON m.party = p.id "
    "WHERE p.role = 'customer' AND lower(p.formatted_name) LIKE ? ESCAPE '\\' ORDER BY m.profile LIMIT ?"
)


def _readings(text: str, region: str | None) -> Iterable[tuple[str, str]]:
    """Yield what a search may mean, as identifiers are compared."""
    handle = f"x:{text}" if text.startswith("@") else text
    for kind, normalize in (("email", normalize_email), ("handle", normalize_handle)):
        try:
            yield kind, normalize(handle if kind == "handle" else text)
        except ValueError:
            continue
    if sum(char.isdigit() for char in text) >= 5:
        try:
            yield "phone", normalize_phone(text, region)
        except ValueError:
            return


def _hit(profile: Profile, what: str) -> CustomerHit:
    sources = {claim.source for held in profile.values.values() for claims in held.values() for claim in claims}
    return CustomerHit(id=show_id(profile.id), name=profile.name, matched=what, sources=tuple(sorted(sources)))


def customer(transaction: Transaction, profile_id: bytes, rules: Survivorship = USUAL) -> CustomerView | str | None:
    """Show a customer, with the values that `rules` choose; the id that it was merged into when it was, None when there is none."""
    current = follow(transaction, profile_id)
    if current is None:
        return None
    if current != profile_id:
        return show_id(current)
    profile = load_profiles(transaction, [current], rules).get(current)
    if profile is None:
        return None
    entities = entities_of(transaction, profile.parties)
    threads = {row[0] for row in transaction.query_in("SELECT thread FROM thread_members WHERE entity {keys}", entities)}
    threads |= {row[0] for row in transaction.query("SELECT id FROM threads WHERE profile = ?", [current])}
    views = threads_with_entries(transaction, threads, rules)
    return CustomerView(
        id=show_id(current),
        name=profile.name,
        facts=tuple(_facts(profile)),
        threads=tuple(sorted(views, key=lambda view: (view.last, view.id), reverse=True)),
        records=tuple(records_of(transaction, profile)),
        cases=tuple(_cases(transaction, entities)),
        orders=tuple(_orders(transaction, entities)),
        preferences=tuple(_preferences(transaction, profile)),
    )


def _facts(profile: Profile) -> Iterable[Fact]:
    for name, label in _LABELS.items():
        choice = profile.choose(name)
        for value in profile.ranked(name) if name in MANY else [choice.value] if choice else []:
            claims = profile.claims(name, value)
            yield Fact(
                label=label,
                value=address_line(value) if name == "address" else value,
                sources=tuple(sorted({claim.source for claim in claims})),
                records=tuple(f"{claim.source}:{claim.external_id}" for claim in claims),
                chosen_by=choice.by if choice and choice.value == value else None,
            )


def _cases(transaction: Transaction, entities: set[bytes]) -> list[CaseView]:
    rows = transaction.query_in("SELECT source, external_id, name, status, creation_date FROM cases WHERE id {keys}", entities)
    views = [CaseView(source=row[0], external_id=row[1], name=row[2], status=row[3], created=time_of(row[4])) for row in rows]
    return sorted(views, key=lambda view: view.created, reverse=True)


def _orders(transaction: Transaction, entities: set[bytes]) -> list[OrderView]:
    rows = transaction.query_in(
        'SELECT o.source, o."number", o.state, o.order_date, o.total_amount, o.total_currency, '
        '(SELECT count(*) FROM order_items i WHERE i."order" = o.id) FROM orders o WHERE o.id {keys}',
        entities,
    )
    views = [
        OrderView(
            source=row[0],
            number=row[1],
            state=row[2],
            placed=time_of(row[3]),
            total=Money(row[4], row[5]) if row[4] is not None else None,
            items=row[6],
        )
        for row in rows
    ]
    return sorted(views, key=lambda view: view.placed, reverse=True)


def _preferences(transaction: Transaction, profile: Profile) -> list[PreferenceView]:
    rows = transaction.query_in(
        "SELECT source, channel, purpose, language, quiet_from, quiet_to, set_at FROM preferences WHERE party {keys}", profile.parties
    )
    return [
        PreferenceView(
            source=source,
            channel=channel,
            purpose=purpose,
            language=language,
            quiet_hours=f"{start} to {end}" if start and end else None,
            set_at=moment(at),
        )
        for source, channel, purpose, language, start, end, at in sorted(rows, key=str)
    ]
