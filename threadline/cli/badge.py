"""`threadline connectors --badge`: which connector keeps which part of the contract."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from threadline.cli.exits import DONE, NEEDS_A_PERSON, leave
from threadline.cli.output import plain, print_json, print_table, working
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class, installed
from threadline.testing.conformance import PARTS, Case, Outcome, cases_of, run_case

_WORST_FIRST = ("failed", "waived", "passed")


def show_badges(name: str | None, *, thorough: bool, json: bool) -> None:
    """Run the conformance kit for one connector, or all that have a stand-in, and print what they pass, and what is waived and why."""
    names = [name] if name else [one for one in installed() if connector_class(one).sandbox]
    found = {one: _run(one, thorough=thorough, quiet=json) for one in names}
    if json:
        print_json({one: [_document(outcome) for outcome in outcomes] for one, outcomes in found.items()})
    else:
        _print(found)
        if not thorough:
            print(f"\nNot run, as it takes minutes (--thorough): {', '.join(part.name for part in PARTS if part.slow)}")
    leave(NEEDS_A_PERSON if any(outcome.state == "failed" for outcomes in found.values() for outcome in outcomes) else DONE)


def _run(name: str, *, thorough: bool, quiet: bool) -> list[Outcome]:
    try:
        cases = [case for case in cases_of(connector_class(name)) if thorough or not case.part.slow]
    except ImportError as error:
        raise ConfigError(f"the stand-in of {name!r} needs {error.name}: pip install 'threadline[sandbox,{name}]'") from None
    outcomes: list[Outcome] = []
    with working(name, quiet=quiet, aloud=True) as report:
        for number, case in enumerate(cases, 1):
            report(f"{number} of {len(cases)}, {case}")
            outcomes.append(run_case(case))
    return outcomes


def _document(outcome: Outcome) -> dict[str, str | None]:
    case = outcome.case
    subject = case.subject.name if case.subject else None
    return {"part": case.part.name, "subject": subject, "state": outcome.state, "said": outcome.said or None}


def _print(found: dict[str, list[Outcome]]) -> None:
    rows = [
        (part.name, *(_state(outcomes, part.name) for outcomes in found.values())) for part in PARTS if _was_run(found.values(), part.name)
    ]
    print_table(["part", *found], rows, prose=["part"], empty="no connector has a stand-in")
    for state, heading in (("failed", "Failed"), ("waived", "Waived, for the vendor's reason")):
        lines = [
            (name, f"{part}: {', '.join(subjects)}" if subjects else part, reason)
            for name, outcomes in found.items()
            for (part, reason), subjects in _grouped(outcomes, state).items()
        ]
        if lines:
            print(f"\n{heading}\n")
            print_table(["connector", "part", "what it says"], lines, prose=["part", "what it says"])


def _was_run(found: Iterable[Sequence[Outcome]], part: str) -> bool:
    return any(outcome.case.part.name == part for outcomes in found for outcome in outcomes)


def _state(outcomes: Sequence[Outcome], part: str) -> str:
    states = [outcome.state for outcome in outcomes if outcome.case.part.name == part]
    if not states:
        return "-"
    kept = states.count("passed")
    worst = next(state for state in _WORST_FIRST if state in states)
    return worst if kept in (0, len(states)) else f"{kept} of {len(states)}, {worst}"


def _grouped(outcomes: Sequence[Outcome], state: str) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.state == state:
            groups[outcome.case.part.name, plain(outcome.said)] += _subject(outcome.case)
    return groups


def _subject(case: Case) -> list[str]:
    return [case.subject.name] if case.subject else []
