"""What repeats: when it is due, and the fires it makes."""
