"""What an error of the API means, by its status and by the code in its body."""

import re
from typing import Any

import requests

from connectors.rest.declaration import Errors
from threadline.sdk import ConfigError, RecordError, RetryableError
from threadline.sdk.http import retry_after

_CODE = re.compile(r"[\w.:-]{1,60}", re.ASCII)
_PASSES = (408, 425, 429)


class RefusalError(RecordError):
    """The API said no to one call, for what is in it. With `nothing` it only said that nothing is there."""

    def __init__(self, message: str, *, nothing: bool = False) -> None:
        super().__init__(message)
        self.nothing = nothing


class DoneError(Exception):
    """The API said that it had done already what it was asked for: an earlier attempt has arrived."""


class NotTakenError(RetryableError):
    """The API said that it did not do what it was asked for, and that it may later."""


class Judgement:
    """Raises what errors mean; messages name the path as the API file has it, and quote no body."""

    def __init__(self, system: str, errors: Errors) -> None:
        self._system = system
        self._then = errors.then
        self._fine = {_word(code) for code in errors.fine}

    def code_of(self, found: Any) -> str:
        """Return the code that stands where codes stand; nothing where it says that all is well."""
        code = "" if found in (None, "", [], {}) else _word(found)
        return "" if code in self._fine else code

    def judge(self, method: str, shown: str, response: requests.Response, code: str, *, writes: bool) -> None:
        """Raise ConfigError, RetryableError (NotTakenError), RefusalError, or of a write DoneError."""
        status = response.status_code
        said = self._then.get(code) or self._then.get(str(status))
        where = f"{self._system} answered {status}{_named(code)} to {method} {shown}"
        outcome = said or _usual(status, writes=writes)
        if outcome == "retry":
            kind = NotTakenError if said or status in (425, 429) else RetryableError
            raise kind(where, retry_after=retry_after(response.headers))
        if outcome in ("record", "skip"):
            raise RefusalError(where, nothing=outcome == "skip")
        if outcome == "done" and writes:
            raise DoneError
        raise ConfigError(f"{where}: {_advice(status)}")

    def judge_item(self, shown: str, code: str) -> None:
        """Raise the same for an item among many, which has no status of its own."""
        where = f"{self._system} refused one item of {shown}{_named(code)}"
        outcome = self._then.get(code, "record")
        if outcome == "done":
            raise DoneError
        if outcome == "retry":
            raise NotTakenError(where)
        if outcome == "stop":
            raise ConfigError(f"{where}: the API file says that this stops everything")
        raise RefusalError(where, nothing=outcome == "skip")


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _usual(status: int, *, writes: bool) -> str:
    if status in _PASSES or status >= 500:
        return "retry"
    if not writes or 300 <= status < 400 or status in (401, 403):
        return "stop"
    return "record"


def _named(code: str) -> str:
    # What is no plain code may quote the record.
    return f" ({code})" if _CODE.fullmatch(code) else ""


_ADVICE = {
    400: "the API does not take these parameters, or this body; check them, and how times are written",
    401: "the credentials were refused; check them and what they may do",
    403: "the credentials were refused; check them and what they may do",
    404: "nothing is there; check base_url, the variables and the path, and whether it has a / at its end",
    405: "the API takes another method there; check `method` and the path",
    406: "the API does not answer in application/json; name under `headers` what it does, such as Accept: application/vnd.api+json",
    415: "the API does not take this kind of body; name under `headers` what it does as Content-Type, or send a form",
    422: "the API does not take these parameters, or this body; check them, and how times are written",
}


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "it answers at another address: set base_url to that, or write the path as it is there, often with a / at its end"
    return _ADVICE.get(status, "check base_url, the variables and the API file")
