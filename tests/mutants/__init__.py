"""Mutants: the product with one small thing wrong, to see whether the tests notice; `python -m tests.mutants` tries them all."""
