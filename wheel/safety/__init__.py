"""Protection against exceptions from other code: handlers, hooks, signals and time limits."""
