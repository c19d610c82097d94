"""A hold on one job or on many, and waiting for them to end."""
