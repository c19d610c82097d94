"""Celery's settings and options as ours, and the names that are absent."""
