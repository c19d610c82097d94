"""Running jobs: the ticker and the sweep claim them, pools run them, and their outcomes are settled."""
