"""Helpers for tests of programs."""
