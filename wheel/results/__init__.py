"""Handles to one job or many, and waiting for them to end."""
