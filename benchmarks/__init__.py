"""How fast Hourwheel is: every figure beside the floor or a peer that was measured in the same run.

``python -m benchmarks`` prints the page that docs/benchmarks.md is.
"""
