"""Scheduler: the one object that users hold. It glues."""
