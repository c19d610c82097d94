"""What stands in the files: the lines of a journal, the snapshot and its index."""
