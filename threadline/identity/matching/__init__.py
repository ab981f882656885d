"""Probabilistic matching: which profiles are likely one person, with the reasons. Rows in, scored pairs and a model out."""
