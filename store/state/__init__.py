"""The state machine over a Ring, for stores that hold everything in memory. Pure."""
