"""The options of tasks and calls, and their rules."""
