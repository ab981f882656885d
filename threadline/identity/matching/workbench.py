"""People, their blocking keys and pairs in DuckDB, and Splink over them."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, chain
from math import log2
from typing import TYPE_CHECKING, Any, Self

from threadline.identity.matching.comparisons import COMPARISONS, Comparison
from threadline.identity.matching.features import Features
from threadline.identity.matching.keys import SMALL_BLOCK, keys
from threadline.identity.matching.model import Field, Model
from threadline.sdk.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAIRS_EACH, LEAST_PAIRS = 20, 100_000
"""Pairs looked at for each person on average, and in all, at most: the largest blocks go first, then pairs that share but one key."""
ROOMY_BLOCK = 100
"""How many may share a key later on where the people of today keep within the budget, however few share one."""
_UNTRAINED = 0.5
_COLUMNS = {
    name: isinstance(default, tuple) for name, default in zip(Features.__struct_fields__, Features.__struct_defaults__, strict=True)
}
"""Which columns have several values."""


class Workbench:
    """A database in memory that holds one row for each person, numbered from 0."""

    def __init__(self, rows: Sequence[Features]) -> None:
        self.rows = rows
        require_packages()
        self._database: Any = import_module("duckdb").connect()
        self._run("SET enable_progress_bar = false")
        self._store(
            "people", {"row": range(len(rows)), **{name: [getattr(row, name) for row in rows] for name in Features.__struct_fields__}}
        )

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def block(self, largest: int | None = None) -> int:
        """Find the pairs that share a blocking key; return how many people share one at most, within the budget unless `largest` says."""
        import numpy as np

        found = [keys(row) for row in self.rows]
        counts = np.fromiter(map(len, found), np.int64, len(found))
        held = np.fromiter(chain.from_iterable(found), np.int64, counts.sum())
        self._store("keys", {"row": np.repeat(np.arange(len(found)), counts), "key": held})
        self._run("CREATE TABLE sizes AS SELECT key, count(*) AS size FROM keys GROUP BY key HAVING count(*) > 1")
        largest = self._within_budget() if largest is None else largest
        self._run(f"CREATE TABLE shared AS SELECT keys.*, size FROM keys JOIN sizes USING (key) WHERE size <= {largest}")
        self._run(
            "CREATE TABLE pairs AS SELECT '0' AS match_key, l.row AS join_key_l, r.row AS join_key_r, "
            f"count(*) > 1 OR min(l.size) <= {SMALL_BLOCK} AS promising "
            "FROM shared AS l JOIN shared AS r ON l.key = r.key AND l.row < r.row GROUP BY ALL"
        )
        if self.count("pairs") > LEAST_PAIRS:
            self._run("DELETE FROM pairs WHERE NOT promising")
        self._run("DROP TABLE keys; DROP TABLE shared; DROP TABLE sizes; ALTER TABLE pairs DROP COLUMN promising")
        return largest

    def _within_budget(self) -> int:
        budget, largest = PAIRS_EACH * len(self.rows) + LEAST_PAIRS, 1
        for size, pairs in self._run("SELECT size, sum(size * (size - 1) / 2) FROM sizes GROUP BY size ORDER BY size").fetchall():
            budget -= pairs
            if budget < 0:
                return largest
            largest = size
        return max(largest, ROOMY_BLOCK)

    def sample(self, table: str, size: int) -> float:
        """Make a table of about so many of the pairs, the same ones each time; return which share of all it is."""
        total = self.count("pairs")
        every = max(1, total // size)
        self._run(f"CREATE TABLE {table} AS SELECT * FROM pairs WHERE (join_key_l * 7919 + join_key_r * 104729) % {every} = 0")
        return self.count(table) / total if total else 1.0

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self._run(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    def pair_up(self, table: str, left: "NDArray[np.int64]", right: "NDArray[np.int64]") -> None:
        """Make a table of given pairs."""
        self._store(table, {"match_key": ["0"] * len(left), "join_key_l": left, "join_key_r": right})

    def levels(self, table: str, compared: Sequence[Comparison]) -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
        """Return the distinct combinations of levels among pairs, -1 where nothing can be said, and how many pairs have each."""
        import numpy as np

        untrained = [Field(comparison.name, *[[_UNTRAINED] * (len(comparison.levels) + 1)] * 2) for comparison in compared]
        scored = self._predict(table, settings(untrained, retain_matching_columns=True))
        names = [f"gamma_{comparison.name}" for comparison in compared]
        found = self._run(f"SELECT {', '.join(names)}, count(*) AS pairs FROM {scored} GROUP BY ALL ORDER BY ALL").fetchnumpy()
        self._run(f"DROP TABLE {scored}")
        best = [len(comparison.levels) for comparison in compared]
        columns = [np.where(found[name] < 0, -1, most - found[name]) for name, most in zip(names, best, strict=True)]
        return np.stack(columns, axis=1).astype(np.int64), found["pairs"].astype(np.float64)

    def score(self, model: Model, least: float) -> list[tuple[int, int, float]]:
        """Return (left row, right row, weight) of the pairs whose weight is at least `least`, heaviest first."""
        for column, frequency in model.frequencies.items():
            known = {column: list(frequency.values), f"tf_{column}": list(frequency.values.values())}
            self._store("known", known)
            self._run(
                f"CREATE TABLE frequency_{column} AS SELECT {column}, coalesce(tf_{column}, {frequency.rest}) AS tf_{column} "
                f"FROM (SELECT DISTINCT {column} FROM people WHERE {column} IS NOT NULL) LEFT JOIN known USING ({column})"
            )
            self._run("DROP TABLE known")
        scored = self._predict("pairs", scoring(model), list(model.frequencies), threshold_match_weight=least)
        found: list[tuple[int, int, float]] = self._run(
            f"SELECT * FROM ({weights(model, scored)}) WHERE weight >= {least} ORDER BY weight DESC, row_l, row_r"
        ).fetchall()
        return found

    def _predict(self, pairs: str, chosen: Mapping[str, Any], frequencies: Iterable[str] = (), **options: Any) -> str:
        splink = import_module("splink")
        api = splink.DuckDBAPI(connection=self._database)
        linker = splink.Linker(api.register("people"), dict(chosen), log_level=None, validate_settings=False)
        for column in frequencies:
            linker.table_management.register_term_frequency_lookup(api.register(f"frequency_{column}"), column)
        linker.table_management.register_blocked_pairs_for_predict(api.register(pairs))
        return str(linker.inference.predict(warning_mode="never", **options).physical_name)

    def _store(self, table: str, columns: Mapping[str, Any]) -> None:
        arrow = import_module("pyarrow")
        arrays = {name: _array(arrow, values, _COLUMNS.get(name)) for name, values in columns.items()}
        self._database.register("arriving", arrow.table(arrays))
        self._run(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM arriving")
        self._database.unregister("arriving")

    def _run(self, sql: str) -> Any:
        return self._database.execute(sql)


def scoring(model: Model, dialect: str = "duckdb") -> dict[str, Any]:
    """Return Splink's settings by which pairs are scored as `Scorer` does it, but for `weights`."""
    prior = model.matches / (1 - model.relatives)
    more = {"probability_two_random_records_match": prior, "retain_intermediate_calculation_columns": True}
    return settings(model.fields, model, dialect, **more)


def weights(model: Model, scored: str) -> str:
    """Return SQL, for either dialect, that reads row_l, row_r and the weight of pairs from what Splink made of `scoring`."""
    apart = " + ".join(_against_relatives(field.name, model) for field in model.fields)
    rival = f"{log2(model.matches / model.relatives)} + {apart}"
    return (
        "SELECT row_l, row_r, least(a, b) - log2(1 + pow(2, least(a, b) - greatest(a, b))) AS weight "
        f"FROM (SELECT row_l, row_r, match_weight AS a, {rival} AS b FROM {scored})"
    )


def settings(fields: Iterable[Field], model: Model | None = None, dialect: str = "duckdb", **options: Any) -> dict[str, Any]:
    """Return Splink's settings for a model, in the SQL of a dialect: `duckdb` or `spark`."""
    by_name = {comparison.name: comparison for comparison in COMPARISONS}
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "row",
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": False,
        "comparisons": [_comparison(by_name[field.name], field, model, dialect) for field in fields],
        **options,
    }


def _comparison(comparison: Comparison, field: Field, model: Model | None, dialect: str) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": comparison.absent.written(dialect), "label_for_charts": "absent", "is_null_level": True}
    ]
    for level, m, u in zip(comparison.levels, field.m, field.u, strict=False):
        made = {"sql_condition": level.condition.written(dialect), "label_for_charts": level.name, "m_probability": m, "u_probability": u}
        if model and level.frequency:
            # Splink weighs a value's frequency against u; here it is weighed against the mean frequency, whatever else a level asks for.
            mean = model.frequencies[level.frequency].mean
            made |= {"m_probability": m * mean / u, "u_probability": mean, "tf_adjustment_column": level.frequency}
            made["disable_tf_exact_match_detection"] = True
        levels.append(made)
    levels.append({"sql_condition": "ELSE", "label_for_charts": "differs", "m_probability": field.m[-1], "u_probability": field.u[-1]})
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _against_relatives(name: str, model: Model) -> str:
    comparison = next(comparison for comparison in COMPARISONS if comparison.name == name)
    adjusted = any(level.frequency for level in comparison.levels)
    weight = f"(mw_{name} + mw_tf_adj_{name})" if adjusted else f"mw_{name}"
    return f"-log2({comparison.kinship} + {1 - comparison.kinship} * pow(2, -{weight}))"


def _array(arrow: Any, values: Any, several: bool | None) -> Any:
    if several is None:
        return arrow.array(values)
    if not several:
        return arrow.array(values, arrow.string())
    ends = [0, *accumulate(map(len, values))]
    return arrow.ListArray.from_arrays(arrow.array(ends, arrow.int32()), arrow.array(list(chain.from_iterable(values)), arrow.string()))


def require_packages() -> None:
    """Raise ConfigError where the extra `match` is not installed."""
    for package in ("splink", "duckdb", "numpy", "pyarrow"):
        if find_spec(package) is None:
            raise ConfigError(f"matching needs {package}: pip install 'threadline[match]'")
