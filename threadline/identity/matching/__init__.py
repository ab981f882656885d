"""Probabilistic matching: which profiles are likely one person, with the reasons. Rows in, scored pairs and a model out.

- `batch.match_people` trains on all people (Splink on DuckDB, the extra `match`) and returns a model, links and pairs to review.
- Between such runs a `score.Scorer` weighs new people by the stored model, in this process and without the extra: look up whoever
  shares a key of `keys.keys` that at most `Model.largest_block` have, pass over pairs that are not `keys.promising`, score the rest,
  and ask `decision.joins`. What `Scorer.read` returns may be stored as msgspec's MessagePack, so that nobody is read twice.
- Where one machine is outgrown, Splink's Spark backend scores by the same model: `workbench.scoring(model, "spark")` with a table of
  `features.Features`, the pairs that share a key as its blocked pairs, and `workbench.weights` of what it made (docs/identity.md;
  https://moj-analytical-services.github.io/splink/topic_guides/splink_fundamentals/backends/backends.html).
"""
