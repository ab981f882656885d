"""One profile for each customer: records that share an identifier belong together."""
