"""What is known of somebody whom other records only mention does not depend on which of these came first."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import Lab, partition, read, wipe
from tests.integration.test_identity import at_once
from threadline.journey.profile import load_profiles, profile_document
from threadline.model.ids import entity_id
from threadline.store.database import Database, Transaction
from threadline.testing.faults.database import Observed

MAILS = """
source: list.talks
target: interaction
fields: {direction: {default: inbound}, channel: {default: email}, interaction_date: {default: 2026-01-02}}
parties:
  - role: customer
    identifiers: {email: {from: from, optional: true}, phone: {from: phone, optional: true}}
    fields:
      formatted_name: {from: name, optional: true}
      birth_date: {from: born, optional: true}
      language: {from: language, optional: true}
      last_update: {from: changed, optional: true}
  - role: agent
    identifiers: {email: {from: by, optional: true}}
    fields: {given_name: {from: given, optional: true}, family_name: {from: family, optional: true}}
"""
PEOPLE = """
source: list.people
target: party
fields: {formatted_name: {from: name, optional: true}}
identifiers: {email: email}
"""
COLUMNS = (
    "id, source, external_id, valid_from, valid_to, kind, role, given_name, family_name, formatted_name, birth_date, language, status, "
    "last_update, mentioned"
)
ANA = entity_id("desk", "email", "ana@example.org")


def hear(lab: Lab, *batches: Sequence[dict[str, Any]]) -> None:
    """Read mails, each batch in one transaction."""
    for batch in batches:
        read(lab.database, lab.judge("talks", mapping=MAILS), *batch)


def know(lab: Lab, *people: dict[str, Any]) -> None:
    read(lab.database, lab.judge("people", mapping=PEOPLE), *people)


def known(database: Database) -> Any:
    """Return the parties' rows and the profiles, without what says how they were made."""
    with database.read() as transaction:
        parties = sorted(transaction.query(f"SELECT {COLUMNS} FROM parties"))
        identifiers = sorted(transaction.query("SELECT party, identifier, value, verified, preferred FROM party_identifiers"))
        contacts = sorted(transaction.query("SELECT party, type, value, preferred FROM contact_points"))
        members = partition(transaction.query("SELECT party, profile FROM party_profiles"))
        ids = [profile for (profile,) in transaction.query("SELECT DISTINCT profile FROM party_profiles")]
        profiles = [(sorted(one.parties), profile_document(one, "desk")) for one in load_profiles(transaction, ids).values()]
    documents = sorted((parties_of, {name: value for name, value in document.items() if name != "id"}) for parties_of, document in profiles)
    return parties, identifiers, contacts, members, documents


def name(lab: Lab) -> Any:
    ((told,),) = lab.rows("SELECT formatted_name FROM parties WHERE id = ?", ANA)
    return told


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["Ana", "Ana Lima"], "Ana Lima"),
        ([None, "Ana"], "Ana"),
        (["Ana Lima", "Bea Lima"], "Bea Lima"),
        (["ana.lima@example.org", "Ana"], "Ana"),
        (["ana@example.org", None], "ana@example.org"),
    ],
)
def test_the_fuller_name_counts_whichever_comes_first(lab, names, kept):
    mails = [{"id": number, "from": "ana@example.org", "name": one} for number, one in enumerate(names)]
    for batches in ([mails], [mails[:1], mails[1:]], [mails[1:], mails[:1]], [mails[::-1]]):
        wipe(lab.database)
        hear(lab, *batches)
        assert name(lab) == kept


def test_what_the_source_itself_says_of_somebody_counts_before_and_after_any_mention(lab):
    long = {"id": 1, "from": "ana@example.org", "name": "Ana Maria Lima", "born": "1984-03-07"}
    know(lab, {"id": 1, "email": "ana@example.org", "name": "A."})
    hear(lab, [long])
    after = known(lab.database)
    assert name(lab) == "A."
    wipe(lab.database)
    hear(lab, [long])
    assert name(lab) == "Ana Maria Lima"
    know(lab, {"id": 1, "email": "ana@example.org", "name": "A."})
    assert known(lab.database) == after


def test_whoever_answers_for_the_company_anywhere_is_an_agent(lab):
    hear(lab, [{"id": 1, "from": "ana@example.org"}], [{"id": 2, "by": "ana@example.org"}], [{"id": 3, "from": "ana@example.org"}])
    assert lab.rows("SELECT role FROM parties") == [("agent",)]


def test_a_name_that_is_told_later_is_news_of_the_customer_and_may_keep_people_apart(lab):
    ana = {"name": "Ana Lima", "phone": "+49 30 901820"}
    hear(lab, [{"id": 1, "from": "a@example.org", **ana}, {"id": 2, "from": "b@example.org", **ana}])
    assert lab.rows("SELECT count(DISTINCT profile) FROM party_profiles") == [(1,)]
    lab.resolve()
    hear(lab, [{"id": 3, "from": "a@example.org", "name": "Roberta Reed"}])
    assert lab.rows("SELECT count(DISTINCT profile) FROM party_profiles") == [(2,)]
    told = [entities for (entities,) in lab.rows("SELECT entities FROM changes WHERE entity_type = 'party' ORDER BY seq")]
    assert told[-1] == entity_id("desk", "email", "a@example.org")


def test_what_is_known_already_writes_nothing(lab):
    mail = {"from": "ana@example.org", "name": "Ana Lima", "born": "1984-03-07", "changed": "2026-01-02T03:04:05+01:00"}
    hear(lab, [{"id": 1, **mail}])
    before = lab.rows("SELECT record_id, run_id FROM parties")
    hear(lab, [{"id": 2, **mail}, {"id": 3, "from": "ANA@example.org", "name": "Ana"}])
    assert lab.rows("SELECT record_id, run_id FROM parties") == before


ADDRESSES = ["ana@example.org", "Ana@example.org", "bo@example.org"]
MAIL = st.fixed_dictionaries(
    {},
    optional={
        "from": st.sampled_from(ADDRESSES),
        "by": st.sampled_from(ADDRESSES),
        "name": st.sampled_from(["Ana", "Ana Lima", "Bea Lima", "Bo", "bo@example.org", ""]),
        "given": st.sampled_from(["Ana", "Bo"]),
        "family": st.sampled_from(["Lima", "Reed"]),
        "phone": st.sampled_from(["+49 30 901820", "030 901820"]),
        "born": st.sampled_from(["1984-03-07", "1990-01-01"]),
        "language": st.sampled_from(["pt", "pt-BR"]),
        "changed": st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00"]),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MAIL, min_size=2, max_size=7), st.booleans(), st.data())
def test_any_order_and_batching_of_mentions_gives_the_same(lab, mails, registered, data):
    mails = [{"id": number, **mail} for number, mail in enumerate(mails)]
    own = {"id": 1, "email": "ana@example.org", "name": "Ana L."}

    def told(order: Sequence[dict[str, Any]], cuts: set[int], first: bool) -> Any:
        wipe(lab.database)
        if registered and first:
            know(lab, own)
        starts = sorted(cuts | {0})
        hear(lab, *(order[start:end] for start, end in zip(starts, [*starts[1:], len(order)], strict=True)))
        if registered and not first:
            know(lab, own)
        return known(lab.database)

    cuts = st.sets(st.integers(1, len(mails) - 1))
    once = told(mails, set(), True)
    assert told(data.draw(st.permutations(mails)), data.draw(cuts), data.draw(st.booleans())) == once


class Hesitating(Observed):
    """A database that lets another writer run as far as it gets, before it commits a name."""

    def __init__(self, inner: Database, told: str, rival: threading.Thread) -> None:
        super().__init__(inner, lambda _: None)
        self._told, self._rival = told, rival

    @contextmanager
    def write(self) -> Generator[Transaction]:
        with self.inner.write() as transaction:
            yield transaction
            if transaction.query("SELECT 1 FROM parties WHERE formatted_name = ?", [self._told]) and not self._rival.ident:
                self._rival.start()
                self._rival.join(timeout=0.5)


@pytest.mark.parametrize("registering", [False, True])
def test_a_writer_joins_what_it_says_to_what_another_has_not_committed_yet(lab, database_url, registering):
    """Else what is less overwrites what is more, or a mention the source's own record."""
    hear(lab, [{"id": 1, "from": "ana@example.org", "name": "Ana"}])
    mention = (lab.judge("tickets", mapping=MAILS.replace("talks", "tickets")), [[{"id": 2, "from": "ana@example.org", "name": "Ana Li"}]])
    rival = threading.Thread(target=lambda: at_once(database_url, mention))
    first = lab.judge("people", mapping=PEOPLE) if registering else lab.judge("talks", mapping=MAILS)
    told = {"id": 3, "from": "ana@example.org", "email": "ana@example.org", "name": "A. L." if registering else "Ana Lima"}
    read(Hesitating(lab.database, told["name"], rival), first, told)
    rival.join()
    assert name(lab) == told["name"]


def test_writers_that_learn_names_in_opposite_order_do_not_block_each_other(lab, database_url):
    people = [{"id": number, "from": f"c{number}@example.org"} for number in range(90)]
    hear(lab, people)
    some, others = ([{**one, "name": f"Ana {letter}"} for one in people] for letter in "LM")
    forwards = (lab.judge("talks", mapping=MAILS), [some[:45], some[45:]])
    backwards = (lab.judge("tickets", mapping=MAILS.replace("talks", "tickets")), [others[:44:-1], others[44::-1]])
    assert at_once(database_url, forwards, backwards) == []
    assert lab.rows("SELECT DISTINCT formatted_name FROM parties") == [("Ana M",)]
