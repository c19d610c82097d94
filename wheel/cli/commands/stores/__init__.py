"""The commands for a store as a whole: check, count, draw, repair, copy and move."""
