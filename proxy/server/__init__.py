"""The running process: listeners, the admin listener, signals, drain."""
