"""Things that go wrong on purpose: a database that breaks at a chosen step, and a proxy that spoils HTTP."""
