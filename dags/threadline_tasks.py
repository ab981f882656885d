"""What the DAGs' tasks do, where their credentials come from, and what happens when they fail.

Whatever is heavy (connectors, vendors' libraries, the database) is imported inside the tasks: this file is read whenever DAGs are parsed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    BaseHook,
    Context,
    Metadata,
    RetryDecision,
    RetryPolicy,
    TriggerRule,
    task,
)
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException
from airflow.sdk.log import mask_secret

from threadline.sdk import ConfigError, RetryableError
from threadline.sync.config import Config, load_config

THREADS = Asset(name="threadline_threads", uri="threadline://threads")
MATCHES = Asset(name="threadline_matches", uri="threadline://matches")
LONGEST_WAIT = timedelta(minutes=15)


def source_asset(source: str) -> Asset:
    """Return the asset that says "this source has new data"."""
    return Asset(name=f"threadline_source_{source}", uri=f"threadline://source/{source}")


class Recovery(RetryPolicy):
    """Stop at once where a person must change something; wait as long as a remote asks, or leave it to the next run."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None) -> RetryDecision:
        """Decide by the kind of error; what is neither is retried with the task's growing delays."""
        if isinstance(exception, ConfigError):
            return RetryDecision.fail("a person must change something")
        if isinstance(exception, RetryableError) and exception.retry_after is not None:
            wait = timedelta(seconds=exception.retry_after)
            # While one stream waits, the source's next run cannot start.
            if wait > LONGEST_WAIT:
                return RetryDecision.fail(f"the remote asked to wait {wait}: left to the next run")
            return RetryDecision.retry(wait, "the remote asked to wait")
        return RetryDecision.default()


@task
def pull(source: str, stream: str, *, ti: Any = None) -> dict[str, int]:
    """Pull one stream; its ledger is all that Airflow keeps of it."""
    from threadline.sync.run import pull_stream

    config = load_config()
    ledger = pull_stream(config, source, stream, credentials=connection_credentials(config, source))
    return {**asdict(ledger), "tries": ti.try_number}


@task(trigger_rule=TriggerRule.ALL_DONE)
def announce(source: str, ledgers: Sequence[Mapping[str, int] | None]) -> Iterator[Metadata]:
    """Emit the source's asset, unless every stream ended well at the first try and found nothing new."""
    changed = sum(ledger["new"] + ledger["changed"] for ledger in ledgers if ledger)
    # What a failed try had stored before it failed stands in no ledger.
    if changed == 0 and all(ledger and ledger["tries"] == 1 for ledger in ledgers):
        raise AirflowSkipException("nothing changed")
    yield Metadata(source_asset(source), {"changed": changed})


@task
def resolve(*, ti: Any = None) -> Iterator[Metadata]:
    """Join what is new into customers and threads; emit their asset when some changed."""
    from threadline.sync.run import resolve as join

    changed = join(load_config())
    if changed == 0 and ti.try_number == 1:
        raise AirflowSkipException("nothing changed")
    yield Metadata(THREADS, {"changed": changed})


@task
def match() -> dict[str, int]:
    """Match everybody; the counts are all that Airflow keeps of it."""
    from threadline.sync.identity import match_customers

    found = match_customers(load_config(entries=False), tell=print)
    return {"customers": found.customers, "joined": found.joined, "review": found.review, "changed": found.changed}


@task
def push(target: str, system: str) -> dict[str, int]:
    """Send what is due; the counts are all that Airflow keeps of it."""
    from threadline.sync.run import push_target

    config = load_config()
    return asdict(push_target(config, target, credentials=connection_credentials(config, system)))


def connection_credentials(config: Config, source: str) -> dict[str, str]:
    """Read the source's credentials from the Airflow connection of its name, masked in every log; empty where there is none."""
    from threadline.sync.connect import from_connection

    try:
        connection = BaseHook.get_connection(source)
    except AirflowNotFoundException:
        return {}
    found = from_connection(config.source(source), connection)
    for value in found.values():
        mask_secret(value)
    return found
