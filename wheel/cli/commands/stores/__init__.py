"""The commands about a store as a whole: whether it is sound, how full, and where it is."""
