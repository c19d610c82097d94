"""What is to be known of a job and of a store, in sentences: why it has not run, who could run it, what comes next."""
