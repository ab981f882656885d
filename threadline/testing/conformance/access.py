"""Checks of the way in: credentials, tokens, rate limits, and that no secret gets out."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from threadline.sdk import ConfigError, ConnectorError, Intent, RetryableError, Settings, Stream, Target
from threadline.testing.conformance.trial import NonconformityError, Trial, keys_of, require
from threadline.testing.rig import Rig, WaivedError

PATIENCE = 7
"""Seconds that the stand-in asks for."""
_SECRET = re.compile("password|secret|token|private")


def takes_right_credentials(trial: Trial) -> None:
    """`check` passes with the right address and credentials."""
    trial.connect().check()


def refuses_wrong_credentials(trial: Trial) -> None:
    """`check` is a ConfigError, which does not quote the value, when any one of the credentials is wrong."""
    for name in trial.rig.sandbox.secrets:
        wrong = trial.rig.wrong(name)
        try:
            trial.connect({name: wrong}).check()
        except ConfigError as error:
            require(wrong not in str(error), f"the error about a wrong {name} quotes it: {error}")
        except RetryableError as error:
            raise NonconformityError(f"a wrong {name} is no passing failure, but check() says so: {error}") from None
        else:
            raise NonconformityError(f"check() passes with a wrong {name}")


def says_what_is_unreachable(trial: Trial) -> None:
    """`check` is a RetryableError when nothing listens at the address."""
    if not trial.rig.addresses:
        raise WaivedError("the system is not reached over a network")
    with trial.through(_nowhere(trial.rig)):
        connector = trial.connect()
        try:
            connector.check()
        except RetryableError:
            return
        except ConfigError as error:
            raise NonconformityError(f"an address where nothing listens may listen later, but check() says: {error}") from None
    raise NonconformityError("check() passes though nothing listens at the address")


def _nowhere(rig: Rig) -> dict[int, int]:
    """Return ports at which nothing listens, for each of the stand-in's."""
    return {port: _unused_port() for _, port in rig.addresses.values()}


def _unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def keeps_secrets(trial: Trial, stream: Stream) -> None:
    """No secret is in a repr, a log or an error: when all is well, when credentials are refused, and when nobody is there."""
    trial.rig.put(stream.name, 1, trial.at(1))
    connector = trial.connect()
    settings: Settings = connector.settings
    bare = [name for name, field in type(settings).model_fields.items() if _is_bare(name, field)]
    require(not bare, f"the settings show {', '.join(bare)} to whoever prints them: declare it as SecretStr")
    trial.heard.note("repr of the connector", repr(connector))
    trial.heard.note("repr of the settings", repr(settings))
    connector.check()
    trial.scan(stream)
    for name in trial.rig.sandbox.secrets:
        with suppress(ConnectorError):
            trial.connect({name: trial.rig.wrong(name)}).check()
    with trial.through(_nowhere(trial.rig)), suppress(ConnectorError):
        trial.scan(stream)


def _is_bare(name: str, field: FieldInfo) -> bool:
    """Whether a setting is a credential that by its name is a secret, and is not typed as one."""
    # As `credential()` declares them.
    declared = "credential" in str(field.json_schema_extra)
    return declared and bool(_SECRET.search(name)) and SecretStr not in (field.annotation, *get_args(field.annotation))


def refuses_what_it_does_not_know(trial: Trial, stream: Stream) -> None:
    """A stream or object that it does not have, or a cursor that is not its own, is a ConfigError; the name is in it."""
    connector = trial.connect()
    _refuses("pull() of a stream that it does not have", lambda: list(connector.pull("no-such-stream", None)), "no-such-stream")
    if isinstance(connector, Target):
        intent = Intent("trial-1", "no-such-object", {})
        _refuses("push() of an object that it does not take", lambda: list(connector.push("no-such-object", [intent])), "no-such-object")
    trial.rig.put(stream.name, 1, trial.at(1))
    _refuses("pull() with the cursor of another connector", lambda: list(connector.pull(stream.name, {"somewhere": [1, "else"]})), "")


def _refuses(what: str, call: Callable[[], object], named: str) -> None:
    try:
        call()
    except ConfigError as error:
        require(named in str(error), f"{what} does not say which: {error}")
    else:
        raise NonconformityError(f"{what} is no ConfigError")


def honours_limits(trial: Trial, stream: Stream) -> None:
    """Above the rate limit it waits as long as it is asked to, or leaves the rest to a later run that knows how long."""
    for number in range(1, 4):
        trial.rig.put(stream.name, number, trial.at(number))
    expected = sorted(keys_of(stream, trial.scan(stream, small=False)))
    trial.waits.clear()
    trial.rig.limit(PATIENCE)
    try:
        found = sorted(keys_of(stream, trial.scan(stream, small=False)))
    except RetryableError as error:
        require_patience(trial, error)
        found = sorted(keys_of(stream, trial.scan(stream, small=False)))
    else:
        require_patience(trial, None)
    require(found == expected, "records are missing after a rate limit")


def require_patience(trial: Trial, error: RetryableError | None) -> None:
    """Hold that a connector which was asked to wait has done so, or tells the next run for how long."""
    if error:
        asked = error.retry_after or 0
        require(asked >= PATIENCE, f"asked to wait {PATIENCE} s, it says nothing of that to the next run (retry_after): {error}")
    else:
        require(sum(trial.waits) >= PATIENCE, f"asked to wait {PATIENCE} s, it waited {sum(trial.waits):g} s")


def renews_tokens(trial: Trial, stream: Stream) -> None:
    """A token that expires in the middle of a scan is renewed, and the scan goes on."""
    for number in range(1, 10):
        trial.rig.put(stream.name, number, trial.at(number))
    expected = keys_of(stream, trial.scan(stream))
    pages = trial.connect(small=True).pull(stream.name, None)
    found = keys_of(stream, [next(pages)])
    trial.rig.expire()
    found += keys_of(stream, list(pages))
    require(found == expected, f"of {len(expected)} records {len(set(found) & set(expected))} were read when the token expired half-way")
