"""What records carry is kept once, with the record that carries it, and for as long as a version of it is."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from tests.integration.lab import Lab
from threadline.sdk import Attachment, ConfigError, Page, RetryableError
from threadline.sync import attachments
from threadline.sync.attachments import content, look_up, parse_digest

PHOTO, INVOICE = b"\x89PNG" + bytes(200_000), b"%PDF invoice"


def read(lab: Lab, *records: dict[str, Any], files: list[tuple[str, bytes]]) -> None:
    raw = [msgspec.json.encode(record) for record in records]
    held = lab.connector.pages.setdefault("people", [])
    held.append(Page(raw, {"page": len(held) + 1}, attachments=[Attachment(key, data) for key, data in files]))
    lab.pull("people")


def kept(lab: Lab, data: bytes) -> list[str] | None:
    with lab.database.read() as transaction:
        found = look_up(transaction, sha256(data).digest())
        assert (content(transaction, sha256(data).digest()) == data) is (found is not None)
        assert found is None or found.size == len(data)
        return None if found is None else list(found.records)


def prune(lab: Lab) -> None:
    with lab.database.write() as transaction:
        attachments.prune(transaction)


def test_a_file_is_kept_once_however_many_records_carry_it(lab):
    read(lab, {"id": 1}, {"id": 2}, files=[("1", PHOTO), ("2", PHOTO), ("2", INVOICE), ("2", INVOICE)])
    read(lab, {"id": 3}, files=[("3", PHOTO), ("3", b"")])
    assert kept(lab, PHOTO) == ["desk.people 1", "desk.people 2", "desk.people 3"]
    assert kept(lab, INVOICE) == ["desk.people 2"]
    assert kept(lab, b"") == ["desk.people 3"]
    with lab.database.read() as transaction:
        assert transaction.query("SELECT count(*) FROM attachments") == [(3,)]


def test_reading_again_adds_what_was_not_kept(lab):
    read(lab, {"id": 1}, files=[])
    read(lab, {"id": 1}, files=[("1", PHOTO)])
    assert kept(lab, PHOTO) == ["desk.people 1"]


def test_what_nothing_carries_any_more_is_forgotten(lab):
    read(lab, {"id": 1, "name": "a"}, {"id": 2}, files=[("1", PHOTO), ("1", INVOICE), ("2", PHOTO)])
    read(lab, {"id": 1, "name": "b"}, files=[])
    prune(lab)
    assert kept(lab, INVOICE) == ["desk.people 1"]
    with lab.database.write() as transaction:
        transaction.execute("DELETE FROM record_versions")
    prune(lab)
    assert kept(lab, INVOICE) is None
    assert kept(lab, PHOTO) == ["desk.people 2"]


def test_the_days_first_pull_forgets_it(lab):
    read(lab, {"id": 1, "name": "a"}, files=[("1", PHOTO)])
    read(lab, {"id": 1, "name": "b"}, files=[])
    with lab.database.write() as transaction:
        then = transaction.now() - timedelta(days=200)
        transaction.execute("UPDATE raw_pages SET fetched_at = ?", [then])
        transaction.execute("UPDATE runs SET started = ?", [then])
    read(lab, {"id": 2}, files=[])
    assert kept(lab, PHOTO) is None


def test_files_are_stored_with_their_records_or_not_at_all(lab):
    lab.connector.add("people", [{"id": 1}])
    page = lab.connector.pages["people"][0]
    lab.connector.pages["people"] = [Page(page.records, page.cursor, attachments=[Attachment("1", PHOTO)])]
    lab.connector.failing["people"] = (0, RetryableError("gone"))
    with pytest.raises(RetryableError):
        lab.pull("people")
    assert kept(lab, PHOTO) is None
    lab.connector.failing.clear()
    lab.pull("people")
    assert kept(lab, PHOTO) == ["desk.people 1"]


def test_a_record_that_cannot_be_used_keeps_its_files(lab):
    read(lab, {"id": 1, "wish": "pigeon"}, files=[("1", PHOTO)])
    assert kept(lab, PHOTO) == ["desk.people 1"]


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "g" * 64, "12", "sha256:" + "0" * 63, "md5:" + "0" * 64])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(ConfigError, match="is no digest of an attachment"):
        parse_digest(text)


def test_a_digest_is_read_as_records_write_it():
    assert parse_digest(f" SHA256:{'AB' * 32}") == parse_digest("ab" * 32) == bytes.fromhex("ab" * 32)
