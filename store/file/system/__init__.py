"""The system calls of a JSON store, its files, and the locks that the kernel keeps for it."""
