"""One run of a function: its arguments, its time limits, and its outcome."""
