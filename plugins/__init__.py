"""The built-in plugins. Each comes through the public door: an entry point, `proxy.api`, a Config."""
