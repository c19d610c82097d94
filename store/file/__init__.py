"""JsonStore: the ring in a JSON file."""
