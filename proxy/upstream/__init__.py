"""Upstreams: the shared ClientSession, its connector and pools, and the transport for HTTP/1.1."""
