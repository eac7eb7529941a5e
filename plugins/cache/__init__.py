"""The shared HTTP cache: RFC 9111 as pure functions on messages, and the plugin that applies them.

`parsing`, `directives`, `structured`, `dates` read fields; `freshness`, `storing`, `reuse`, `conditions`, `updating`,
`ranges`, `selecting`, `invalidation` and `keys` are the policy, without I/O; `stored` is what is kept. The plugin
itself is in `plugin`, what it does for many clients at once in `flights`, and how it is steered in `control`.
"""
