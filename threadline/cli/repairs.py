"""`threadline replay` and `threadline reconcile`."""

from collections.abc import Iterable

from threadline.cli.context import CONFIG
from threadline.cli.exits import leave_with
from threadline.cli.output import print_json, print_table, working
from threadline.cli.syncing import Outcome, chosen_streams, reading
from threadline.sdk.errors import ConnectorError
from threadline.sync.reconcile import Reconciled
from threadline.sync.run import reconcile_stream, replay_stream


def replay_source(source: str, streams: Iterable[str] | None, *, json: bool) -> None:
    """Map the stored records of one source's streams again, and print their ledgers."""
    config = CONFIG.load()
    outcome = Outcome("replayed")
    for stream in chosen_streams(config, source, streams):
        with working(f"replaying {source}.{stream}", quiet=json) as report:
            try:
                outcome.pulled.append((source, stream, replay_stream(config, source, stream, progress=reading(report))))
            except ConnectorError as error:
                outcome.failed(f"{source}.{stream}", error)
    outcome.show(json=json)


def reconcile_source(source: str, streams: Iterable[str] | None, *, remove: bool, json: bool) -> None:
    """Sweep one source's streams, and print what was found."""
    config = CONFIG.load()
    found: list[tuple[str, Reconciled]] = []
    errors: list[tuple[str, ConnectorError]] = []
    for stream in chosen_streams(config, source, streams):
        with working(f"reconciling {source}.{stream}", quiet=json) as report:
            try:
                found.append((stream, reconcile_stream(config, source, stream, remove=remove, progress=reading(report))))
            except ConnectorError as error:
                errors.append((f"{source}.{stream}", error))
    _show(source, found, errors, json=json)
    leave_with(errors)


def _show(source: str, found: list[tuple[str, Reconciled]], errors: list[tuple[str, ConnectorError]], *, json: bool) -> None:
    if json:
        streams = [
            {
                "source": source, "stream": stream, "read": one.read, "never_read": one.never_read, "stale": one.stale, "gone": one.gone,
                "dead": one.dead,
            }
            for stream, one in found
        ]  # fmt: skip
        print_json({"reconciled": streams, "errors": [{"what": what, "message": str(error)} for what, error in errors]})
    elif found:
        numbers = ["read", "never read", "changed unnoticed", "gone", "dead"]
        rows = [
            # Not every kind of cursor lists what there is.
            (f"{source}.{stream}", one.read, one.never_read, one.stale, "unknown" if one.gone is None else one.gone, one.dead)
            for stream, one in found
        ]
        print_table(["stream", *numbers], rows, numbers=numbers, prose=["stream"])
