"""Encryption, which is the default: certificates are checked, and nothing is said before they are."""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from threadline.sdk import ConfigError, Intent

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is needed to make a certificate")


class TlsProxy:
    """Speaks TLS on ports of its own, and plain text to the servers behind them."""

    def __init__(self, certificate: Path, key: Path, *targets: int) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self._targets = targets
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.ports: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        servers = [await asyncio.start_server(self._forward(target), "127.0.0.1", 0, ssl=self._context) for target in self._targets]
        self.ports = [server.sockets[0].getsockname()[1] for server in servers]
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()

    def _forward(self, target: int):  # type: ignore[no-untyped-def]
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(self._copy(reader, back_writer), self._copy(back_reader, writer))

        return forward

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = (folder / "cert.pem", folder / "key.pem")
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *options.split(), "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made


@pytest.fixture
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def connector(sandbox: EmailSandbox, proxy: TlsProxy, **changes: object) -> Email:
    ports = {"imap_port": proxy.ports[0], "smtp_port": proxy.ports[1], "tls": "tls"}
    return Email(Email.settings_type().model_validate({**sandbox.settings, **sandbox.secrets, **ports, **changes}))


def test_mail_is_read_and_sent_over_tls(sandbox: EmailSandbox, certificate: tuple[Path, Path]) -> None:
    sandbox.deliver(b"From: ana@mail.example\r\n\r\nhello\r\n")
    with TlsProxy(*certificate, sandbox.imap_port, sandbox.smtp_port) as proxy:
        email = connector(sandbox, proxy, ca_file=str(certificate[0]))
        email.check()
        assert [len(page.records) for page in email.pull("messages", None)] == [1]
        (receipt,) = email.push("reply", [Intent("01J", "reply", {"to": "ana@mail.example", "text": "hello"})])
    assert receipt.status == "done"
    assert len(sandbox.pushed("reply")) == 1


@pytest.mark.parametrize(("host", "trusted"), [("127.0.0.1", False), ("localhost", True)], ids=["unknown authority", "another host"])
def test_a_certificate_that_does_not_prove_the_host_is_refused(
    sandbox: EmailSandbox, certificate: tuple[Path, Path], host: str, trusted: bool
) -> None:
    authority = {"ca_file": str(certificate[0])} if trusted else {}
    with TlsProxy(*certificate, sandbox.imap_port, sandbox.smtp_port) as proxy:
        with pytest.raises(ConfigError, match=r"IMAP at .*certificate is not trusted .* set ca_file"):
            connector(sandbox, proxy, imap_host=host, **authority).check()
        plain_imap = {"imap_port": sandbox.imap_port, "tls": "none"}
        with pytest.raises(ConfigError, match=r"SMTP at .*certificate is not trusted .* set ca_file"):
            connector(sandbox, proxy, smtp_host=host, smtp_tls="tls", **plain_imap, **authority).check()
    assert sandbox.pushed("reply") == []
