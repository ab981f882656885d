"""Checks of what is heard from a source that says by itself when something has changed."""

from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Any, cast

from threadline.sdk import Listener
from threadline.testing.conformance.trial import Trial, require

_PATIENCE = 0.05
_TRIES = 400
"""How often the connector may say that there is nothing, until a change must have been told."""


def tells_of_news(trial: Trial) -> None:
    """All streams are named once changes are being told, and then each as soon as a record of it comes."""
    connector: Any = trial.connect()
    streams = [stream.name for stream in connector.available_streams()]
    listening = cast("Listener", connector).listen(_PATIENCE)
    with closing(cast("Any", listening)):
        require(set(next(listening)) == set(streams), "not all streams are named when listening begins, for what came before it")
        for stream in streams:
            trial.rig.put(stream, 1, trial.just_now())
            require(_named(listening, stream), f"{stream}: a record came, and nothing was told of it")


def _named(listening: Iterator[Collection[str]], stream: str) -> bool:
    return any(stream in streams for streams, _ in zip(listening, range(_TRIES), strict=False))
