"""Splink's Spark backend scores pairs as threadline does, by the model that threadline learned."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.identity.channels import generate
from benchmarks.identity.profiles import profiles
from threadline.identity.matching.batch import Outcome, match_people
from threadline.identity.matching.features import Features
from threadline.identity.matching.keys import keys
from threadline.identity.matching.score import Scorer
from threadline.identity.matching.workbench import scoring, weights

splink = pytest.importorskip("splink", reason="matching needs the extra `match`")

_ALIKE = 1e-9


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    people, _ = profiles(generate(200, seed=11).people)
    return match_people(people)


def test_splink_takes_the_settings_in_the_dialect_of_spark(outcome: Outcome) -> None:
    read = splink.SettingsCreator.from_path_or_dict(scoring(outcome.model, "spark")).get_settings("spark")
    made = read.core_model_settings.comparisons
    assert [one.output_column_name for one in made] == [field.name for field in outcome.model.fields]
    # What is absent is a level of Splink's.
    assert [len(one.comparison_levels) for one in made] == [len(field.m) + 1 for field in outcome.model.fields]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="needs pyspark, which no extra installs: pip install pyspark")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    from splink.internals.spark.jar_location import similarity_jar_location

    settings = {
        "spark.jars": similarity_jar_location(), "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4",
    }  # fmt: skip
    session = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    session.sparkContext.setCheckpointDir(str(tmp_path_factory.mktemp("checkpoints")))
    yield session
    session.stop()


def people_table(spark: Any, rows: list[Features]) -> Any:
    """Return a table of what is compared, a row for each person."""
    several = [isinstance(default, tuple) for default in Features.__struct_defaults__]
    columns = [f"{name} {'array<string>' if many else 'string'}" for name, many in zip(Features.__struct_fields__, several, strict=True)]
    values = [
        [list(value) if isinstance(value, tuple) else value for value in (getattr(row, name) for name in Features.__struct_fields__)]
        for row in rows
    ]
    return spark.createDataFrame([(number, *told) for number, told in enumerate(values)], ", ".join(["row long", *columns]))


def blocked_pairs(spark: Any, rows: list[Features], largest: int) -> Any:
    """Return the pairs that share a key, as Splink takes them."""
    held = [(number, key) for number, row in enumerate(rows) for key in keys(row)]
    spark.createDataFrame(held, "row long, key long").createOrReplaceTempView("held")
    few = f"SELECT key FROM held GROUP BY key HAVING count(*) <= {largest}"
    spark.sql(f"SELECT held.* FROM held JOIN ({few}) USING (key)").createOrReplaceTempView("shared")
    return spark.sql(
        "SELECT DISTINCT '0' AS match_key, l.row AS join_key_l, r.row AS join_key_r "
        "FROM shared AS l JOIN shared AS r ON l.key = r.key AND l.row < r.row"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_spark_scores_as_a_single_pair_is_scored(outcome: Outcome, spark: Any) -> None:
    from splink.backends.spark import SparkAPI

    model, rows = outcome.model, list(outcome.rows.values())
    table = people_table(spark, rows)
    backend = SparkAPI(spark_session=spark, break_lineage_method="persist")
    linker = splink.Linker(backend.register(table), scoring(model, "spark"), log_level=None)
    for column, known in model.frequencies.items():
        found = [(value, known.values.get(value, known.rest)) for (value,) in table.select(column).distinct().collect() if value]
        frequencies = spark.createDataFrame(found, f"{column} string, tf_{column} double")
        linker.table_management.register_term_frequency_lookup(backend.register(frequencies), column)
    pairs = blocked_pairs(spark, rows, model.largest_block)
    linker.table_management.register_blocked_pairs_for_predict(backend.register(pairs))
    linker.inference.predict(warning_mode="never").as_spark_dataframe().createOrReplaceTempView("scored")
    scored = spark.sql(weights(model, "scored")).collect()
    scorer = Scorer(model)
    assert len(scored) == pairs.count() > len(rows) / 10
    assert max(abs(one.weight - scorer.weight(rows[one.row_l], rows[one.row_r])) for one in scored) < _ALIKE
