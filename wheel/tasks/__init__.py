"""What users decorate and call: tasks, the ways to send them, and calls that belong together."""
