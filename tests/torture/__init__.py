"""Campaigns that try to break the guarantees, one module or package each; `python -m tests.torture` runs them (see report.py)."""
