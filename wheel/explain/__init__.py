"""Explain the state of a job and a store: why a job has not run, which processes could run it, what is due next."""
