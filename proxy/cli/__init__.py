"""The command: one module for each subcommand. What is heavy is imported when it is needed."""
