"""What may be said of a task and of a call, and the rules for it."""
