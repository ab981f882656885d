"""Splink and dedupe by themselves, set up as their own documentation does for people; each returns a cluster for every record.

Their columns are the values as they come, in small letters: what more is made of them is part of what is compared.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from threadline.identity.matching.person import Address, Person

THRESHOLD = 0.95
COLUMNS = ("given", "family", "birth", "street", "house", "city", "post_code", "phone", "email")
_RULES = (("given", "family"), ("family", "birth"), ("given", "birth"), ("post_code", "family"), ("email",), ("phone",))
_RULES_OF_FEW = (("given",), ("family",), ("birth",), ("post_code",), ("email",), ("phone",))
_FEW = 50_000
_TRAINED_ON = (("birth",), ("given", "family"), ("email",))


def plain_row(person: Person) -> dict[str, str | None]:
    """Return a person as a table of first values has it."""
    home = person.addresses[0] if person.addresses else Address()
    given, family = (_first(person.given_names), _first(person.family_names))
    if not given and not family and person.formatted_names:
        given, _, family = person.formatted_names[0].rpartition(" ")
    values = (
        given, family, _first(person.birth_dates), home.street, home.house_number, home.city, home.post_code,
        _first(person.phones), _first(person.emails),
    )  # fmt: skip
    return {name: value.lower() or None for name, value in zip(COLUMNS, values, strict=True)}


def splink_alone(people: Sequence[Person]) -> list[int]:
    """Cluster by connected components over a threshold of .95, trained by random sampling and EM."""
    import pyarrow as pa
    import splink
    from splink.internals.exceptions import EMTrainingException

    logging.disable(logging.CRITICAL)
    rows = [plain_row(person) for person in people]
    present = [name for name in COLUMNS if sum(row[name] is not None for row in rows) > len(rows) / 50]
    rules = [rule for rule in (_RULES if len(rows) > _FEW else _RULES_OF_FEW) if set(rule) <= set(present)]
    table = pa.table({"unique_id": range(len(rows)), **{name: [row[name] for row in rows] for name in present}})
    api = splink.DuckDBAPI()
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=list(_comparisons(present)),
        blocking_rules_to_generate_predictions=[splink.block_on(*rule) for rule in rules],
    )
    linker = splink.Linker(api.register(table), settings, log_level=None)
    whole = [tuple(row[name] for name in ("given", "family", "birth")) for row in rows]
    if len(set(whole)) < len(whole):  # where no two records are equal in all three its own default stays
        linker.training.estimate_probability_two_random_records_match([splink.block_on("given", "family", "birth")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (rule for rule in _TRAINED_ON if set(rule) <= set(present)):
        with suppress(ValueError, EMTrainingException):  # a small set may have no pair to learn from
            linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(*rule))
    predicted = linker.inference.predict(threshold_match_probability=THRESHOLD)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_probability=THRESHOLD)
    found: Mapping[int, int] = {row["unique_id"]: row["cluster_id"] for row in clusters.as_record_list()}
    return [found[number] for number in range(len(rows))]


def _comparisons(present: Iterable[str]) -> Iterable[Any]:
    import splink.comparison_library as library

    for name in present:
        if name in ("given", "family"):
            yield library.NameComparison(name).configure(term_frequency_adjustments=True)
        elif name == "email":
            yield library.EmailComparison(name)
        elif name in ("birth", "street", "phone", "post_code"):
            yield library.LevenshteinAtThresholds(name, [1, 2])
        else:
            yield library.ExactMatch(name).configure(term_frequency_adjustments=True)


def dedupe_alone(people: Sequence[Person], truth: Sequence[str], answers: int = 60) -> list[int]:
    """Cluster by dedupe, which asks a person: it is told the truth of so many pairs, half of them matches, so it is no equal."""
    import random

    import dedupe

    logging.disable(logging.CRITICAL)
    rows = {number: plain_row(person) for number, person in enumerate(people)}
    present = [name for name in COLUMNS if sum(row[name] is not None for row in rows.values()) > len(rows) / 50]
    deduper = dedupe.Dedupe([dedupe.variables.String(name, has_missing=True) for name in present], num_cores=1)
    random.seed(1)
    deduper.prepare_training(rows, sample_size=5_000)
    order = list(range(len(truth)))
    random.shuffle(order)
    same: dict[str, int] = {}
    matches, distinct = [], []
    for number in order:
        if truth[number] in same and len(matches) < answers // 2:
            matches.append((rows[same[truth[number]]], rows[number]))
        elif len(distinct) < answers // 2 and same and truth[number] not in same:
            distinct.append((rows[next(reversed(same.values()))], rows[number]))
        same.setdefault(truth[number], number)
    deduper.mark_pairs({"match": matches, "distinct": distinct})
    deduper.train()
    found = list(range(len(rows)))
    for label, (members, _) in enumerate(deduper.partition(rows, 0.5)):
        for number in members:
            found[int(number)] = label
    return found


def _first(values: Sequence[str]) -> str:
    return values[0] if values else ""
