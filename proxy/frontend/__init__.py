"""Front ends: where requests come in. The one for HTTP/1.1 stands on aiohttp's low-level server."""
