"""Tasks: decorated functions, the ways to call them later, and chains, groups and chords of calls."""
