"""`threadline identity`: why records are one customer, corrections, history, and profiles made anew."""

from collections.abc import Mapping, Sequence
from getpass import getuser
from typing import Any, cast

import msgspec
import typer

from threadline.cli.context import CONFIG
from threadline.cli.output import plain, print_json, print_table, working
from threadline.identity.explain import Explanation, Step, Told
from threadline.identity.graph import Regrouped
from threadline.identity.reviews import RULES, Review
from threadline.journey.values import SaidBy
from threadline.model.ids import show_id
from threadline.sdk.yamlfile import is_mapping
from threadline.sync import identity


def explain(one: str, other: str, *, json: bool) -> None:
    """Print why two records are one customer, or are not."""
    found = identity.explain_records(CONFIG.load(entries=False), one, other)
    if json:
        print_json(_shown(found))
    elif found.same:
        print(f"one customer, {show_id(found.profiles[0])}")
        _print_steps(found.path)
    else:
        print(f"two customers, {' and '.join(map(show_id, found.profiles))}")
        _print_against(found)


def _print_steps(path: Sequence[Step]) -> None:
    rows = [(_record(step.one), _because(step), _record(step.other), _since(step)) for step in path]
    print_table(["record", "by", "record ", "since"], rows, prose=["by"], empty="they are the same record")


def _print_against(found: Explanation) -> None:
    rows = [(_record(step.one), _because(step), _record(step.other), step.refused) for step in found.against]
    if rows:
        print_table(["record", "would join", "record ", "but"], rows, prose=["would join", "but"])
    for reason in found.reasons:
        print(plain(reason))
    if not rows and not found.reasons:
        print("nothing that is known of them joins the two")


def _record(told: Told) -> str:
    return f"{told.source}:{told.external_id}" + (f" ({told.name})" if told.name else "")


def _because(step: Step) -> str:
    if step.weight is not None:
        return f"match, weight {step.weight:.1f}: {_fields(step.fields)}"
    return " ".join(filter(None, (step.rule, step.value or step.decided)))


def _fields(evidence: Any) -> str:
    if is_mapping(evidence):
        return str(evidence.get("reason", ""))
    return ", ".join(f"{name} {weight:+.1f}" for name, _, weight in evidence)


def _since(step: Step) -> str:
    known = [told.since for told in (step.one, step.other) if told.since]
    return plain(max(known)) if known else "-"


def link(one: str, other: str, who: str | None, why: str, *, json: bool) -> None:
    """Decide that two records are one customer."""
    _tell(identity.link_records(CONFIG.load(entries=False), one, other, who=who or getuser(), why=why), json=json)


def split(profile: str, records: Sequence[str], who: str | None, why: str, *, only_preview: bool, yes: bool, json: bool) -> None:
    """Show what a split would do, and do it where it is confirmed."""
    config = CONFIG.load(entries=False)
    preview = identity.preview_split(config, profile, records)
    if only_preview or not json:
        if json:
            print_json(_shown(preview))
        else:
            rows = [
                (["stays", "leaves"][part is preview.parts[-1]], ", ".join(map(_record, part.records)), part.entities, part.threads)
                for part in preview.parts
            ]
            numbers = ["interactions, cases, orders", "threads"]
            print_table(["part", "records", *numbers], rows, numbers=numbers, prose=["records"])
            print(f"pushes would follow to: {', '.join(preview.targets) or 'nobody'}")
    if only_preview or not (yes or json or typer.confirm("split?")):
        return
    _tell(identity.split_records(config, profile, records, who=who or getuser(), why=why), json=json)


def settle(one: str, other: str, who: str | None, why: str, *, same: bool, json: bool) -> None:
    """Answer a question of the review queue."""
    _tell(identity.settle_review(CONFIG.load(entries=False), one, other, same=same, who=who or getuser(), why=why), json=json)


def _tell(regrouped: Regrouped, *, json: bool) -> None:
    if json:
        print_json({name: sorted(map(show_id, getattr(regrouped, name))) for name in ("changed", "merged", "split")})
    else:
        print(f"{len(regrouped.changed)} profiles changed" if regrouped.changed else "decided; no profile looks different by that")


def reviews(limit: int, *, json: bool) -> None:
    """Print what waits for a person."""
    found = identity.reviews(CONFIG.load(entries=False), limit)
    if json:
        print_json([_shown(one) for one in found])
        return
    rows = [(_record(one.one), _record(one.other), _doubt(one.review)) for one in found]
    print_table(["record", "record ", "question"], rows, prose=["question"], empty="nothing is to be decided")


def _doubt(review: Review) -> str:
    return _fields(review.evidence) if review.model == RULES else f"weight {review.weight:.1f}: {_fields(review.evidence)}"


def history(profile: str, *, json: bool) -> None:
    """Print what became of a profile."""
    events, decided, known = identity.history_of(CONFIG.load(entries=False), profile)
    if json:
        print_json({"events": _shown(events), "decisions": _shown(decided), "records": [_shown(one) for one in known.values()]})
        return
    rows = [
        (event.at, event.kind, show_id(event.profile), show_id(event.other), _records(event.parties, known), event.cause)
        for event in events
    ]
    columns = ["when", "what", "from", "to", "records", "why"]
    print_table(columns, rows, prose=["records", "why"], empty="never merged, never split")
    if decided:
        print()
        shown = [(one.at, one.verdict, _records([one.one], known), _records([one.other], known), one.who, one.why) for one in decided]
        print_table(["when", "decided", "record", "record ", "who", "why"], shown, prose=["why"])


def _records(parties: Sequence[bytes], known: Mapping[bytes, Told]) -> str:
    return ", ".join(f"{known[party].source}:{known[party].external_id}" if party in known else show_id(party) for party in parties)


def values(profile: str, *, json: bool) -> None:
    """Print what records say of each field."""
    home, found = identity.values_of(CONFIG.load(entries=False), profile)
    if json:
        print_json({"profile": show_id(home), "values": found})
        return
    print(f"profile {show_id(home)}")
    rows = [(one.field if one.shown else "", one.value, one.chosen_by or "", ", ".join(map(_said_by, one.said_by))) for one in found]
    print_table(["field", "value", "chosen by", "said by"], rows, prose=["value", "said by"])


_MARKS = ("verified", "mentioned", "gone")


def _said_by(said: SaidBy) -> str:
    known = ", ".join([*([f"{said.at:%Y-%m-%d}"] if said.at else []), *(mark for mark in _MARKS if getattr(said, mark))])
    return f"{said.source}:{said.external_id}" + (f" ({known})" if known else "")


def match(*, json: bool) -> None:
    """Match everybody."""
    config = CONFIG.load(entries=False)
    with working("matching", quiet=json) as tell:
        found = identity.match_customers(config, tell)
    if json:
        print_json(_shown(found))
        return
    numbers = ["customers", "pairs joined", "to review", "profiles changed"]
    print_table(numbers, [(found.customers, found.joined, found.review, found.changed)], numbers=numbers)
    if found.review:
        print("threadline identity review list    shows what only a person can decide")


def forget_matches(*, json: bool) -> None:
    """Give up what matching learned."""
    config = CONFIG.load(entries=False)
    with working("taking back matches", quiet=json):
        changed = identity.forget_matches(config)
    print_json({"changed": changed}) if json else print(f"{changed:,} profiles changed")


def rebuild(*, json: bool) -> None:
    """Make all profiles anew."""
    config = CONFIG.load(entries=False)
    with working("making profiles anew", quiet=json):
        changed = identity.rebuild_profiles(config)
    print_json({"changed": changed}) if json else print(f"{changed:,} profiles changed")


def _shown(value: Any) -> Any:
    """Write ids as everywhere."""
    if isinstance(value, bytes):
        return show_id(value)
    if is_mapping(value):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in cast("Sequence[Any]", value)]
    if isinstance(value, msgspec.Struct):
        return _shown(msgspec.structs.asdict(value))
    return value
