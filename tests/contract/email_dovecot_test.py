"""The email connector against Dovecot, a server that others run in production."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from threadline.sdk import ConfigError, Intent, Page

SHARED = Path(__file__).parents[2] / "../shared"
SCRIPT = SHARED / "servers/dovecot.sh"
RECORDED = SHARED / "contracts/recorded/email"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="the script that runs Dovecot is not in this checkout"),
    pytest.mark.skipif(not shutil.which("dovecot"), reason="Dovecot is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot has to be started by root"),
]


@dataclass(frozen=True)
class Dovecot:
    folder: str
    port: int
    lmtp_port: int

    def run(self, *arguments: str) -> None:
        environment = {**os.environ, "DATA": self.folder, "IMAP_PORT": str(self.port), "LMTP_PORT": str(self.lmtp_port)}
        subprocess.run([str(SCRIPT.resolve()), *arguments], check=True, env=environment, capture_output=True, timeout=60)

    def connector(self, **changes: object) -> Email:
        settings = {
            "imap_host": "127.0.0.1", "imap_port": self.port, "tls": "none", "own_addresses": ["alice@shop.example"],
            "user": "alice", "password": "alice-pw",
        }  # fmt: skip
        return Email(Email.settings_type().model_validate({**settings, **changes}))

    def pull(self, since: object = None, **changes: object) -> list[Page]:
        return list(self.connector(**changes).pull("messages", since))  # type: ignore[arg-type]

    def client(self) -> IMAPClient:
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.login("alice", "alice-pw")
        return client


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    folder = tempfile.mkdtemp(prefix="dove")  # unix sockets need a short path
    server = Dovecot(folder, free_port(), free_port())
    try:
        server.run("start")
        options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        files = ["-out", f"{folder}/cert.pem", "-keyout", f"{folder}/key.pem"]
        subprocess.run(["openssl", *options.split(), *files], check=True, capture_output=True, timeout=60)
        with Path(folder, "dovecot.conf").open("a") as conf:
            conf.write("namespace inbox {\n mailbox Junk {\n auto = create\n special_use = \\Junk\n }\n}\n")
            conf.write(f"ssl = yes\nssl_cert = <{folder}/cert.pem\nssl_key = <{folder}/key.pem\n")
        # The script writes its own configuration at each start, so the second start is Dovecot's.
        server.run("stop")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["dovecot", "-c", f"{folder}/dovecot.conf"], check=True, timeout=60, **quiet)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as greeting:
            assert greeting.recv(4) == b"* OK"
        yield server
    finally:
        server.run("stop")
        shutil.rmtree(folder, ignore_errors=True)


def records(pages: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(record) for page in pages for record in page.records]


def flags_of(dovecot: Dovecot, folder: str) -> dict[int, tuple[bytes, ...]]:
    with dovecot.client() as imap:
        imap.select_folder(folder, readonly=True)
        return dict(imap.get_flags(imap.search()))


def plain(number: int) -> bytes:
    return b"From: ana@mail.example\r\nTo: alice@shop.example\r\nMessage-ID: <d%d@mail.example>\r\n\r\ntext %d\r\n" % (number, number)


def test_every_recorded_mail_is_read_and_no_flag_changes(dovecot: Dovecot) -> None:
    mails = [path.read_bytes() for path in sorted(RECORDED.rglob("*")) if path.is_file()]
    taken = 0
    with dovecot.client() as imap:
        imap.create_folder("Torture")
        for number, mail in enumerate(mails):
            # IMAP has no place for NUL in a literal, and Dovecot holds to that.
            if mail and b"\0" not in mail:
                imap.append("Torture", mail, flags=(b"\\Seen",) if number % 2 else (), msg_time=AT)
                taken += 1
    before = flags_of(dovecot, "Torture")
    pages = dovecot.pull(folders=["Torture"])
    assert sum(len(page.records) + len(page.rejected) for page in pages) == taken > 170
    assert {record["received_at"] for record in records(pages)} == {"2026-03-02T09:00:00Z"}
    assert flags_of(dovecot, "Torture") == before
    assert dovecot.pull(pages[-1].cursor, folders=["Torture"]) == []


def test_a_new_uidvalidity_rereads_the_folder(dovecot: Dovecot) -> None:
    with dovecot.client() as imap:
        imap.create_folder("Moved")
        for number in range(3):
            imap.append("Moved", plain(number))
    first = dovecot.pull(folders=["Moved"])
    # The new one is the time in seconds, and so was the first: it must have passed.
    while time.time() < records(first)[0]["uidvalidity"] + 1:
        time.sleep(0.1)
    dovecot.run("uidvalidity", "Moved")
    again = records(dovecot.pull(first[-1].cursor, folders=["Moved"]))
    gone, back = again[:3], again[3:]
    assert [record["_deleted"] for record in gone] == [True] * 3
    assert [record["message_id"] for record in back] == [f"d{number}@mail.example" for number in range(3)]
    assert {record["uidvalidity"] for record in gone} == {record["uidvalidity"] for record in records(first)}
    assert {record["uidvalidity"] for record in gone}.isdisjoint({record["uidvalidity"] for record in back})


def test_expunged_mails_leave_gaps_and_new_ones_follow(dovecot: Dovecot) -> None:
    with dovecot.client() as imap:
        imap.create_folder("Gaps")
        for number in range(60):
            imap.append("Gaps", plain(number))
    pages = dovecot.pull(folders=["Gaps"])
    assert [len(page.records) for page in pages] == [50, 10]
    with dovecot.client() as imap:
        imap.select_folder("Gaps")
        imap.delete_messages([60])
        imap.expunge()
    after = dovecot.pull(pages[-1].cursor, folders=["Gaps"])
    assert [(record["uid"], record["_deleted"]) for record in records(after)] == [(60, True)]
    with dovecot.client() as imap:
        imap.append("Gaps", plain(61))
    assert [record["uid"] for record in records(dovecot.pull(after[-1].cursor, folders=["Gaps"]))] == [61]


def test_what_becomes_of_a_mail_is_told(dovecot: Dovecot) -> None:
    with dovecot.client() as imap:
        for folder in ("Desk", "Desk done"):
            imap.create_folder(folder)
        for number in range(5):
            imap.append("Desk", plain(number))
    folders = {"folders": ["Desk*"]}
    first = dovecot.pull(**folders)
    assert {name: place["modseq"] > 0 for name, place in dict(first[-1].cursor or {})["folders"].items()} == {
        "Desk": True,
        "Desk done": True,
    }
    with dovecot.client() as imap:
        imap.select_folder("Desk")
        imap.add_flags([1, 5], [rb"\Answered", b"Urgent"])
        imap.add_flags([2], [rb"\Seen"])
        imap.move([3], "Desk done")
        imap.delete_messages([4])
        imap.expunge([4])
    second = dovecot.pull(first[-1].cursor, **folders)
    told = {(record["mailbox"], record["uid"]): record.get("flags") for record in records(second)}
    marked = ["Urgent", "\\Answered"]
    assert told == {("Desk", 3): None, ("Desk", 4): None, ("Desk", 1): marked, ("Desk", 5): marked, ("Desk", 2): [], ("Desk done", 1): []}
    assert dovecot.pull(second[-1].cursor, **folders) == []
    assert [(record["mailbox"], record["uid"]) for record in records(dovecot.pull(**folders))] == [
        ("Desk", 1), ("Desk", 2), ("Desk", 5), ("Desk done", 1),
    ]  # fmt: skip


def test_a_glob_leaves_out_junk_unless_it_is_named(dovecot: Dovecot) -> None:
    with dovecot.client() as imap:
        assert any(rb"\Junk" in flags for flags, _, _ in imap.list_folders())
        imap.append("Junk", plain(1))
        imap.append("INBOX", plain(2))
    everything = {record["mailbox"] for record in records(dovecot.pull(folders=["*"]))}
    assert "INBOX" in everything
    assert "Junk" not in everything
    assert {record["mailbox"] for record in records(dovecot.pull(folders=["*", "Junk"]))} == everything | {"Junk"}


def test_a_large_mail_is_rejected_with_its_header_fields_only(dovecot: Dovecot) -> None:
    with dovecot.client() as imap:
        imap.create_folder("Large")
        imap.append("Large", plain(1) + b"x" * 5_000)
    (page,) = dovecot.pull(folders=["Large"], max_message_bytes=2_000)
    assert page.records == []
    assert page.rejected[0].raw.startswith(b"From: ana@mail.example\r\n")
    assert b"xxx" not in page.rejected[0].raw


def test_an_answer_is_filed_once_and_found_again(dovecot: Dovecot) -> None:
    with EmailSandbox() as submission:
        target = dovecot.connector(
            smtp_port=submission.smtp_port, smtp_user=submission.secrets["user"], smtp_password=submission.secrets["password"]
        )
        target.check()
        payload = {"to": "ana@mail.example", "subject": "Order 17", "text": "On its way ✓", "in_reply_to": "d1@mail.example"}
        receipts = [receipt for attempt in (1, 2) for receipt in target.push("reply", [Intent("01J", "reply", payload, attempt)])]
        assert [receipt.status for receipt in receipts] == ["done", "done"]
        assert len(submission.pushed("reply")) == 1
    (copy,) = records(dovecot.pull(folders=["Sent"]))
    assert (copy["threadline_id"], copy["text"]) == ("01J", "On its way ✓")
    assert all(rb"\Seen" in flags for flags in flags_of(dovecot, "Sent").values())


def test_starttls_encrypts_and_checks_the_certificate(dovecot: Dovecot) -> None:
    trusted = {"tls": "starttls", "ca_file": f"{dovecot.folder}/cert.pem"}
    assert dovecot.pull(folders=["Nothing*"], **trusted) == []
    with pytest.raises(ConfigError, match="certificate is not trusted"):
        dovecot.pull(tls="starttls")
    with pytest.raises(ConfigError, match="certificate is not trusted"):
        dovecot.pull(imap_host="localhost", **trusted)


def test_a_wrong_password_is_a_matter_of_settings(dovecot: Dovecot) -> None:
    with pytest.raises(ConfigError, match="check user and password"):
        dovecot.connector(password="wrong").check()
