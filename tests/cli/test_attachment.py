"""`threadline attachment`: a file that mails carry, out of the store."""

import json
from collections.abc import Iterator
from hashlib import sha256

import pytest

from connectors.email.sandbox import EmailSandbox
from tests.cli.company import Shell, write_settings
from tests.contract.test_email_attachments import PHOTO, mail


@pytest.fixture
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def test_a_file_comes_out_of_the_store(shell: Shell, sandbox: EmailSandbox) -> None:
    shell.know({"inbox": sandbox})
    write_settings(shell.folder / "threadline.yaml", {"inbox": sandbox})
    for number in (1, 2):
        sandbox.deliver(mail(number, PHOTO))
    assert shell.run("pull", "inbox").code == 0
    digest = f"sha256:{sha256(PHOTO).hexdigest()}"
    known = shell.run("attachment", digest, "--json")
    uidvalidity = sandbox.store.make("INBOX")["uidvalidity"]
    assert (known.code, json.loads(known.out)["records"]) == (0, [f"inbox.messages INBOX:{uidvalidity}:{uid}" for uid in (1, 2)])
    assert "carried by" in shell.run("attachment", digest).out
    assert shell.run("attachment", digest, "-o", "photo.png").code == 0
    assert (shell.folder / "photo.png").read_bytes() == PHOTO
    assert shell.run("attachment", digest, "-o", "photo.png").message == "photo.png is there already: give another name"
    missing = shell.run("attachment", "0" * 64)
    assert (missing.code, missing.message) == (1, f"no attachment sha256:{'0' * 64} is kept")
    assert shell.run("attachment", "photo.png").code == 3
