"""Periodic schedules: when they are due, and the jobs ("fires") that they create."""
