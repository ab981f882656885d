"""What gets out of a connector: what it logs, what it raises, and how it shows itself."""

import base64
import binascii
import logging
import re
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import SecretStr

from threadline.sdk import Connector, Cursor, Intent, Page, Receipt, Settings, Target

ConnectorT = TypeVar("ConnectorT", bound=Connector[Any])

_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_WORDS = re.compile(rb'(?<=")[A-Za-z][\w.+-]*[@ ][\w.@ -]{1,50}(?=")')
"""Values of a JSON record that are an address, or some words."""
_SOME_WORDS = 200


class Heard:
    """Notes what gets out, with what must not: secrets of settings, and what records and intents say of customers."""

    def __init__(self) -> None:
        self._told: list[tuple[str, str]] = []
        self._secrets: dict[str, str] = {}
        self._words: set[str] = set()

    def note(self, place: str, text: str) -> None:
        """Note what can be seen in a place."""
        self._told.append((place, text))

    def know(self, settings: Settings) -> None:
        """Note the secrets of settings."""
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                self._secrets |= {part: name for part in _parts(value.get_secret_value()) if part}

    def meet(self, raw: bytes) -> None:
        """Note the names, addresses and sentences in a record or an intent; some will do."""
        if len(self._words) < _SOME_WORDS:
            self._words |= {found.decode() for found in _WORDS.findall(raw)}

    def indiscretions(self, own: Sequence[str]) -> Iterator[str]:
        """Yield what got out; what stands in `own` is the account's, and no customer's."""
        customers = {words for words in self._words if not any(words in text for text in own)}
        for place, text in self._told:
            shown = f"{text}\n{_decoded(text)}"
            yield from (f"the {place} shows the {name}" for secret, name in self._secrets.items() if secret in shown)
            if any(words in text for words in customers):
                yield f"the {place} shows what a record says"


def _parts(secret: str) -> Iterator[str]:
    """Return how a secret may be seen: as it is, as an address writes it, and of an address the password alone."""
    yield secret
    yield quote(secret, safe="")
    if "://" in secret:
        yield urlsplit(secret).password or ""


def _decoded(text: str) -> str:
    """Return what stands in a text as base64: so HTTP writes user and password."""
    found: list[str] = []
    for piece in _BASE64.findall(text):
        try:
            found.append(base64.b64decode(piece).decode("latin-1"))
        except binascii.Error:
            continue
    return "\n".join(found)


class _Handler(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.note(f"log ({record.name})", self.format(record))


@contextmanager
def listening() -> Generator[Heard]:
    """Hear whatever is logged, at whatever level."""
    heard, root = Heard(), logging.getLogger()
    handler, level = _Handler(heard), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def _hearing(heard: Heard, where: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        heard.note(f"{type(error).__name__} from {where}", "".join(traceback.format_exception(error, limit=0)))
        raise


def overheard(kind: type[ConnectorT], heard: Heard) -> type[ConnectorT]:
    """Return the same connector, whose errors and records are heard."""

    def check(self: Any) -> None:
        with _hearing(heard, "check()"):
            kind.check(self)

    def pull(self: Any, stream: str, since: Cursor | None) -> Iterator[Page]:
        with _hearing(heard, "pull()"):
            for page in kind.pull(self, stream, since):
                for raw in page.records:
                    heard.meet(raw)
                yield page

    def push(self: Any, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        for intent in intents:
            heard.meet(msgspec.json.encode(intent.payload))
        with _hearing(heard, "push()"):
            for receipt in getattr(kind, "push")(self, object, intents):  # noqa: B009 - only a target has it
                heard.note("receipt", receipt.reason or "")
                yield receipt

    methods: Mapping[str, Any] = {"check": check, "pull": pull, **({"push": push} if issubclass(kind, Target) else {})}
    return type(kind.__name__, (kind,), dict(methods))
