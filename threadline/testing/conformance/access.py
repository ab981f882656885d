"""Checks of the way in: credentials, tokens, rate limits, and that no secret gets out."""

import socket
from typing import Any

from pydantic import SecretStr

from threadline.sdk import ConfigError, ConnectorError, RetryableError, Stream
from threadline.testing.conformance.trial import NonconformityError, Trial, keys_of, require
from threadline.testing.rig import WaivedError

_PATIENCE = 7
"""Seconds that the stand-in asks for."""


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
    ports = {port: _unused_port() for _, port in trial.rig.addresses.values()}
    with trial.through(ports):
        try:
            trial.connect().check()
        except RetryableError:
            return
        except ConfigError as error:
            raise NonconformityError(f"an address where nothing listens may listen later, but check() says: {error}") from None
    raise NonconformityError("check() passes though nothing listens at the address")


def _unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def keeps_secrets(trial: Trial, stream: Stream) -> None:
    """No secret is in a repr, a log or an error: not when all is well, and not when the credentials are refused."""
    trial.rig.put(stream.name, 1, trial.at(1))
    connector = trial.connect()
    secrets = {name: text for name, text in trial.rig.sandbox.secrets.items() if _is_secret(connector.settings, name)}
    shown = {"repr of the connector": repr(connector), "repr of the settings": repr(connector.settings)}
    connector.check()
    trial.scan(stream)
    for name in list(secrets):
        try:
            trial.connect({name: trial.rig.wrong(name)}).check()
        except ConnectorError as error:
            shown[f"error about {name}"] = f"{error!r} {error.__cause__!r}"
            secrets[f"wrong {name}"] = trial.rig.wrong(name)
    shown["log"] = "\n".join(trial.said)
    for place, text in shown.items():
        for name, secret in secrets.items():
            require(secret not in text, f"the {place} shows the {name}")


def _is_secret(settings: Any, name: str) -> bool:
    return isinstance(getattr(settings, name, None), SecretStr)


def honours_limits(trial: Trial, stream: Stream) -> None:
    """Above the rate limit it waits as long as it is asked to, or leaves the rest to a later run that knows how long."""
    for number in range(1, 4):
        trial.rig.put(stream.name, number, trial.at(number))
    expected = sorted(keys_of(stream, trial.scan(stream, small=False)))
    trial.waits.clear()
    trial.rig.limit(_PATIENCE)
    try:
        found = sorted(keys_of(stream, trial.scan(stream, small=False)))
    except RetryableError as error:
        asked = error.retry_after or 0
        require(asked >= _PATIENCE, f"asked to wait {_PATIENCE} s, it says nothing of that to the next run: {error}")
        found = sorted(keys_of(stream, trial.scan(stream, small=False)))
    else:
        require(sum(trial.waits) >= _PATIENCE, f"asked to wait {_PATIENCE} s, it waited {sum(trial.waits):g} s")
    require(found == expected, "records are missing after a rate limit")


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
