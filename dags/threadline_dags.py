"""Airflow's DAGs, built from threadline.yaml: a pull for each source, one resolve, a push for each target; one that matches.

    threadline_pull_<source>    on the source's schedule, and when it says that it has news (`listen: true`); a task for each stream
      -> threadline://source/<source>    when records are new or changed
    threadline_resolve          joins them into customers and threads
      -> threadline://threads            when threads changed
    threadline_push_<target>    sends what the target is due

    threadline_match            nightly, where threadline.yaml says `matching`: learns who is alike, and joins them
      -> threadline://matches            and threads are resolved again

Parsing reads that one file and nothing else. An entry that cannot be used is missing here, and threadline_problems.py says why:
Airflow stops every DAG of a file that it cannot import.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, get_parsing_context
from threadline_tasks import MATCHES, THREADS, Recovery, announce, match, pull, push, resolve, source_asset

from threadline.sync.config import Config, Matching, Source, TargetEntry, load_config

PULL = """\
Pulls **{name}** ({connector}).

Each task reads one stream from its saved cursor and returns its ledger: read = new + changed + unchanged + filtered + dead.
A red task's log says what to do; its cursor is held, so nothing is lost, and the other streams go on.
`announce` tells the asset `threadline://source/{name}`; it is skipped when nothing changed.

Schedule and streams stand in threadline.yaml under `sources: {name}`.
Credentials come from the environment, or from the Airflow connection `{name}`.
"""
RESOLVE = """\
Joins what was pulled into **customers and threads**.

Runs when a source has new data, or customers were matched, and every hour for what an interrupted run left behind.
Tells the asset `threadline://threads`; it is skipped when no thread changed.
"""
PUSH = """\
Pushes to **{name}** (through {system}).

Runs when threads changed, and by the clock (every quarter of an hour, or its schedule) for pushes that had to wait.
A push that fails holds back only its own customer; the page Sync health shows what waits.

What is pushed stands in threadline.yaml under `targets: {name}`. Credentials are those of `{system}`.
"""
MATCH = """\
Matches **all customers**: learns from the whole store how people are told apart, and joins those who share no value but are one.

Returns how many customers were compared, how many pairs it joined, about how many a person should decide (`threadline identity
review list`), and how many profiles changed; then the asset `threadline://matches` has threads resolved. What changes in between,
`threadline_resolve` matches by what was learned.

The schedule stands in threadline.yaml under `matching`. Needs the extra `match` where the task runs.
"""


def new_dag(dag_id: str, kind: str, schedule: Any, about: str) -> DAG:
    """Make a DAG with what all of them share."""
    return DAG(
        dag_id,
        schedule=schedule,
        doc_md=about,
        tags={"threadline", kind},
        catchup=False,
        max_active_runs=1,
        # Otherwise the DAGs would also be those of threadline_problems.py, which imports this file.
        auto_register=False,
        default_args={
            "owner": "threadline",
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "retry_policy": Recovery(),
        },
    )


def at_news(assets: Iterable[Asset], cron: str) -> AssetOrTimeSchedule:
    """Run as soon as one of the assets has news, and by the clock for what no news tells of."""
    return AssetOrTimeSchedule(assets=AssetAny(*assets), timetable=CronTriggerTimetable(cron, timezone="UTC"))


def when_to_pull(source: Source) -> Any:
    """Return the schedule; a source that is listened to is also pulled as soon as it says that something has changed."""
    if not source.listen:
        return source.schedule
    # The triggerer finds it among the plugins, and a source that is not listened to does without.
    from threadline_watch import news_of

    news = news_of(source.name)
    return at_news([news], source.schedule) if source.schedule else [news]


def pull_dag(source: Source) -> DAG:
    """Pull every stream in a task of its own, then say whether anything changed."""
    about = PULL.format(name=source.name, connector=source.connector)
    with new_dag(f"threadline_pull_{source.name}", "pull", when_to_pull(source), about) as dag:
        ledgers = [pull.override(task_id=f"pull_{stream}")(source.name, stream) for stream in source.streams]
        announce.override(outlets=[source_asset(source.name)])(source.name, ledgers)
        # `announce` succeeds after a failed stream too; this one fails then, and so does the run.
        ledgers >> EmptyOperator(task_id="all_pulled")
    return dag


def resolve_dag(config: Config) -> DAG:
    """Join what the sources brought."""
    news = [*map(source_asset, config.sources), *([MATCHES] if config.matching else [])]
    with new_dag("threadline_resolve", "resolve", at_news(news, "7 * * * *"), RESOLVE) as dag:
        resolve.override(outlets=[THREADS])()
    return dag


def push_dag(target: TargetEntry) -> DAG:
    """Send a target what it is due."""
    about = PUSH.format(name=target.name, system=target.system)
    with new_dag(f"threadline_push_{target.name}", "push", at_news([THREADS], target.schedule or "*/15 * * * *"), about) as dag:
        push(target.name, target.system)
    return dag


def match_dag(matching: Matching) -> DAG:
    """Match everybody."""
    with new_dag("threadline_match", "match", matching.schedule, MATCH) as dag:
        match.override(outlets=[MATCHES])()
    return dag


def plan(config: Config) -> Iterator[tuple[str, str, Callable[[], DAG]]]:
    """Yield each DAG's id, where its entry stands, and how to build it."""
    for name, source in config.sources.items():
        yield f"threadline_pull_{name}", source.at, partial(pull_dag, source)
    if config.sources:
        yield "threadline_resolve", str(config.path), partial(resolve_dag, config)
    if config.matching:
        yield "threadline_match", config.matching.at, partial(match_dag, config.matching)
    for name, target in config.targets.items():
        yield f"threadline_push_{name}", target.at, partial(push_dag, target)


def build(config: Config, only: str | None) -> dict[str, str]:
    """Give this module its DAGs, or just the one that a task's process needs; return what is wrong with those that cannot be built."""
    failed: dict[str, str] = {}
    for dag_id, at, make in plan(config):
        if only in (None, dag_id):
            try:
                dag = make()
                dag.validate()
            except Exception as error:
                failed[dag_id] = f"{at}: {error}"
            else:
                globals()[dag_id] = dag
    return failed


CONFIG = load_config()
FAILED = build(CONFIG, get_parsing_context().dag_id)
