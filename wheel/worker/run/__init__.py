"""One run of a function: what it is given, its limits, and what came of it."""
