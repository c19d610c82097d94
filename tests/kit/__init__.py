"""What several test modules share: jobs, systems that fail, the content of a store."""
