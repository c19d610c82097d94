"""What turns the ring and runs what is due: the ticker, the sweep, and what becomes of each claim."""
