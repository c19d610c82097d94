"""What keeps our own code whole while other code raises, logs and interrupts: gates, shields, calm loggers."""
