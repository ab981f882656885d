"""A believable company as the pages' views, and a reader over it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from threadline.journey.views import (
    CaseView,
    CustomerHit,
    CustomerView,
    Entry,
    Fact,
    OrderView,
    PreferenceView,
    RecordView,
    ThreadView,
)
from threadline.model.ids import entity_id, show_id
from threadline.model.money import Money
from threadline.sync.health import AccountHealth, Health, MatchingHealth, StreamHealth, TargetHealth
from threadline.sync.views import Ledger, Problem

NOW = datetime(2026, 11, 22, 2, 14, 7, tzinfo=UTC)
MARA = show_id(entity_id("crm", "salesforce_contact", "0035g00000XkQ2fAAB"))
MERGED = show_id(entity_id("shop", "customer", "20077"))
NOBODY = show_id(entity_id("crm", "salesforce_contact", "nobody"))


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOW - timedelta(minutes=number)


def exchange() -> ThreadView:
    """A parcel of the wrong size, over five channels."""
    entries = (
        Entry(
            at=at(16, 8, 12),
            kind="order",
            id="e1",
            source="shop",
            external_id="88412",
            channel="web",
            title="88412",
            state="delivered",
            total=Money(18490, "EUR"),
        ),
        Entry(
            at=at(18, 19, 3),
            kind="message",
            id="e2",
            source="support-mail",
            external_id="<a1@posteo.example>",
            channel="email",
            direction="inbound",
            visibility="private",
            author="Mara Lindqvist",
            role="customer",
            title="Wrong size in my parcel",
            text="I ordered the jacket in M and got an S.\n\nI leave on the 27th and need it by then. Can you swap it?",
            score=0.97,
            reason="names order 88412 (0.60); same e-mail as the order (0.30); two days after it (0.07)",
        ),
        Entry(
            at=at(18, 19, 4),
            kind="case",
            id="e3",
            source="helpdesk",
            external_id="48211",
            channel="email",
            title="Wrong size in my parcel",
            state="held",
            score=1.0,
            reason="opened from the e-mail <a1@posteo.example>",
        ),
        Entry(
            at=at(19, 10, 20),
            kind="message",
            id="e4",
            source="helpdesk",
            external_id="9001",
            channel="email",
            direction="outbound",
            visibility="private",
            author="Tom Becker",
            role="agent",
            text="Sorry about that. Could you send a photo of the label?",
            reason="comment on case 48211",
        ),
        Entry(
            at=at(19, 10, 25),
            kind="message",
            id="e5",
            source="helpdesk",
            external_id="9002",
            channel="web",
            direction="outbound",
            visibility="internal",
            author="Tom Becker",
            role="agent",
            text="Warehouse says M is in stock again from Saturday.",
            reason="comment on case 48211",
        ),
        Entry(
            at=at(20, 12, 31),
            kind="message",
            id="e6",
            source="acme-on-x",
            external_id="1990000000000000001",
            channel="social",
            direction="inbound",
            visibility="public",
            author="Mara L.",
            role="customer",
            text="@acme third day, photo sent, no answer about 88412. Anyone there?",
            score=0.91,
            reason="names order 88412 (0.60); case 48211 open for her (0.31)",
        ),
        Entry(
            at=at(20, 12, 49),
            kind="message",
            id="e7",
            source="acme-on-x",
            external_id="1990000000000000009",
            channel="social",
            direction="outbound",
            visibility="private",
            author="Acme",
            role="agent",
            text="May we call you? A quick check first: https://acme.example/verify",
            reason="answers her post",
        ),
        Entry(
            at=at(20, 15, 5),
            kind="message",
            id="e8",
            source="calls",
            external_id="CA77",
            channel="voice",
            direction="outbound",
            visibility="private",
            author="Jo Ruiz",
            role="agent",
            text="Exchange agreed. Courier brings M and takes S, Monday morning. No cost.",
            score=0.93,
            reason="her phone number; case 48211 open (0.93)",
        ),
        Entry(
            at=at(20, 15, 15),
            kind="order",
            id="e9",
            source="erp",
            external_id="88467",
            channel=None,
            title="88467",
            state="in_progress",
            total=Money(0, "EUR"),
            score=0.88,
            reason="exchange for order 88412",
        ),
        Entry(
            at=at(21, 9, 30),
            kind="message",
            id="e10",
            source="support-mail",
            external_id="<b7@acme.example>",
            channel="email",
            direction="outbound",
            visibility="private",
            author="Jo Ruiz",
            role="agent",
            title="Re: Wrong size in my parcel",
            text="Monday 23 Nov, 8 to 12. Reply here if that does not suit you.",
            reason="answers <a1@posteo.example>",
        ),
    )
    return ThreadView(
        id="T1",
        title="Order 88412: wrong size delivered",
        started=entries[0].at,
        last=entries[-1].at,
        channels=("web", "email", "social", "voice"),
        entries=entries,
    )


def invoice() -> ThreadView:
    """An older thread of one channel."""
    started = datetime(2025, 7, 2, 9, 0, tzinfo=UTC)
    entry = Entry(
        at=started,
        kind="message",
        id="e20",
        source="support-mail",
        external_id="<i@posteo.example>",
        channel="email",
        direction="inbound",
        visibility="private",
        author="Mara Lindqvist",
        role="customer",
        title="Copy of my invoice",
        text="Please send it again.",
    )
    return ThreadView(id="T0", title=None, started=started, last=started, channels=("email",), entries=(entry,))


def mara() -> CustomerView:
    return CustomerView(
        id=MARA,
        name="Mara Lindqvist",
        facts=(
            Fact(label="Name", value="Mara Lindqvist", sources=("crm",), records=("crm:0035eT000000004ABA",)),
            Fact(label="E-mail", value="m.lindqvist@posteo.example", sources=("crm", "helpdesk", "shop")),
            Fact(label="Phone", value="+49405550142", sources=("crm",), chosen_by="most recent"),
            Fact(label="Phone", value="+491715550188", sources=("shop",)),
            Fact(label="Handle", value="x:mara_lq", sources=("acme-on-x",)),
            Fact(label="Language", value="de", sources=("helpdesk",)),
            Fact(label="Status", value="Active", sources=("crm",)),
        ),
        threads=(exchange(), invoice()),
        records=(
            RecordView(
                source="crm",
                kind="salesforce_contact",
                external_id="0035g00000XkQ2fAAB",
                joined_by=None,
                since=datetime(2024, 3, 12, tzinfo=UTC),
            ),
            RecordView(
                source="shop",
                kind="customer",
                external_id="20077",
                joined_by="same e-mail as crm salesforce_contact 0035g00000XkQ2fAAB",
                since=datetime(2024, 3, 12, tzinfo=UTC),
            ),
            RecordView(
                source="helpdesk",
                kind="zendesk_user",
                external_id="9931",
                joined_by="same e-mail as crm salesforce_contact 0035g00000XkQ2fAAB",
                since=datetime(2025, 7, 2, tzinfo=UTC),
            ),
            RecordView(
                source="acme-on-x",
                kind="handle",
                external_id="x:mara_lq",
                joined_by="same handle as helpdesk zendesk_user 9931",
                since=at(20, 12, 31),
            ),
        ),
        cases=(
            CaseView(source="helpdesk", external_id="48211", name="Wrong size in my parcel", status="held", created=at(18, 19, 4)),
            CaseView(
                source="helpdesk", external_id="39920", name="Invoice copy", status="closed", created=datetime(2025, 7, 2, tzinfo=UTC)
            ),
        ),
        orders=(
            OrderView(source="erp", number="88467", state="in_progress", placed=at(20, 15, 15), items=1, total=Money(0, "EUR")),
            OrderView(source="shop", number="88412", state="delivered", placed=at(16, 8, 12), items=2, total=Money(18490, "EUR")),
            OrderView(source="shop", number="70001", state=None, placed=datetime(2025, 2, 1, tzinfo=UTC), items=1, total=None),
        ),
        preferences=(
            PreferenceView(
                source="helpdesk",
                channel="email",
                purpose="service",
                language="de",
                quiet_hours="21:00 to 09:00",
                set_at=datetime(2026, 3, 3, tzinfo=UTC),
            ),
        ),
    )


def stream(name: str, state: str, lag: float | None, rate: Sequence[float], ledger: tuple[int, ...], **more: object) -> StreamHealth:
    source, _, part = name.partition(".")
    values = {
        "source": source,
        "stream": part,
        "connector": source,
        "schedule": "*/5 * * * *",
        "interval": 300.0,
        "state": state,
        "last_success": None if lag is None else NOW - timedelta(seconds=lag),
        "lag": lag,
        "error": None,
        "failed_at": None,
        "ledger": Ledger(**dict(zip(("read", "new", "changed", "unchanged", "filtered", "dead"), ledger, strict=True))),
        "open_dead": ledger[-1],
        "rate": tuple(rate),
        **more,
    }
    return StreamHealth(**values)  # type: ignore[arg-type]


def busy() -> Health:
    """A bad night: a token refused, dead letters, a ledger that does not balance, a late stream, an entry that cannot be read."""
    wave = [22, 25, 24, 28, 31, 27, 29, 33, 30, 28, 26, 22, 25, 24, 28, 31, 27, 29, 33, 30, 28, 26, 0, 0]
    steady = [9, 8, 11, 14, 12, 10, 9, 13, 15, 12, 11, 10] * 2
    refused = "Zendesk refused the token of agent ops@acme.example (401): make a new API token and set THREADLINE_HELPDESK_TOKEN"
    return Health(
        as_of=NOW,
        streams=(
            stream(
                "helpdesk.tickets",
                "failed",
                2410,
                wave,
                (11884, 402, 2110, 9303, 31, 38),
                connector="zendesk",
                error=refused,
                failed_at=minutes(3),
            ),
            stream(
                "helpdesk.users",
                "failed",
                2460,
                wave,
                (1906, 14, 188, 1704, 0, 0),
                connector="zendesk",
                error=refused,
                failed_at=minutes(3),
            ),
            stream("crm.contacts", "fresh", 190, steady, (1380, 22, 146, 800, 0, 412), connector="salesforce", interval=600.0),
            stream("acme-on-x.mentions", "unbalanced", 61, steady, (2210, 184, 0, 1977, 46, 0), connector="x", interval=120.0),
            stream("crm.cases", "fresh", 181, steady, (4102, 61, 533, 3508, 0, 0), connector="salesforce", interval=600.0),
            stream("support-mail.inbox", "fresh", 6, steady, (3417, 311, 0, 3019, 86, 1), connector="email", interval=900.0),
            stream("shop.orders", "late", 840, steady, (5240, 488, 1102, 3650, 0, 0), connector="sql"),
            stream("shop.customers", "fresh", 120, [0] * 24, (0, 0, 0, 0, 0, 0), connector="sql", schedule=None, interval=None),
            stream("erp.orders", "never", None, [], (0, 0, 0, 0, 0, 0), connector="sql", interval=900.0),
        ),
        targets=(
            TargetHealth(
                target="crm",
                object="contact",
                connector="salesforce",
                state="fresh",
                last_push=minutes(2),
                oldest_waiting=None,
                done=1290,
                waiting=0,
                dead=0,
                error=None,
                repeat="upsert",
            ),
            TargetHealth(
                target="helpdesk",
                object="user",
                connector="zendesk",
                state="failed",
                last_push=minutes(41),
                oldest_waiting=2460.0,
                done=381,
                waiting=14,
                dead=0,
                error=refused,
                repeat="marker",
            ),
            TargetHealth(
                target="support-mail",
                object="reply",
                connector="email",
                state="waiting",
                last_push=minutes(4),
                oldest_waiting=130.0,
                done=516,
                waiting=96,
                dead=2,
                error=None,
                repeat="marker",
            ),
            TargetHealth(
                target="acme-on-x",
                object="reply",
                connector="x",
                state="never",
                last_push=None,
                oldest_waiting=None,
                done=0,
                waiting=0,
                dead=0,
                error=None,
                repeat="never",
            ),
        ),
        problems=(Problem(entry="source forum", message="no connector named 'discourse'; installed: email, salesforce, sql, x, zendesk"),),
        accounts=(
            account("crm acme.my", "requests", 5_000, 3_100, kept=500),
            account("zendesk acme", "exports", 10, 10, renewed=NOW + timedelta(seconds=42), exhausted=NOW),
            account("acme-on-x", "posts", 900, 810, renewed=NOW + timedelta(days=12), exhausted=NOW + timedelta(days=3)),
        ),
        matching=MatchingHealth(schedule="0 3 * * *", state="fresh", learned=minutes(425), lag=25500.0, joined=1204, review=37),
    )


def account(name: str, allowance: str, calls: int, used: int, **more: Any) -> AccountHealth:
    values: dict[str, Any] = {"kept": 0, "renewed": None, "exhausted": None, **more}
    left = calls - values["kept"] - used
    return AccountHealth(account=name, allowance=allowance, calls=calls, used=used, left=left, **values)


def calm() -> Health:
    """A good night."""
    steady = [9, 8, 11, 14, 12, 10, 9, 13, 15, 12, 11, 10] * 2
    return Health(as_of=NOW, streams=(stream("crm.cases", "fresh", 181, steady, (4102, 61, 533, 3508, 0, 0)),), targets=(), problems=())


def hits() -> tuple[CustomerHit, ...]:
    return (
        CustomerHit(id=MARA, name="Mara Lindqvist", matched="e-mail m.lindqvist@posteo.example", sources=("crm", "helpdesk", "shop")),
        CustomerHit(id=NOBODY, name="M. Lindquist", matched="name M. Lindquist", sources=("helpdesk",)),
    )


@dataclass
class Shelf:
    """A reader over views that a test puts there; `fault` is raised instead of answering."""

    state: Health = field(default_factory=busy)
    found: Sequence[CustomerHit] = field(default_factory=hits)
    people: dict[str, CustomerView | str] = field(default_factory=lambda: {MARA: mara(), MERGED: MARA})
    fault: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def _answering(self) -> None:
        if self.fault:
            raise self.fault

    def health(self) -> Health:
        self._answering()
        return self.state

    def customers(self, query: str) -> Sequence[CustomerHit]:
        self._answering()
        self.asked.append(query)
        return self.found

    def customer(self, profile_id: str) -> CustomerView | str | None:
        self._answering()
        return self.people.get(profile_id)
