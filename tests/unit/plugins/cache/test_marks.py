from __future__ import annotations

from plugins.cache.marks import forwarded, hit


def test_the_words_of_rfc_9211() -> None:
    assert hit(60) == "passerelle; hit; ttl=60"
    assert hit(-5, "stale") == "passerelle; hit; ttl=-5; detail=stale"
    assert forwarded("uri-miss", stored=True) == "passerelle; fwd=uri-miss; stored"
    assert forwarded("stale", 304, stored=True, ttl=5) == "passerelle; fwd=stale; fwd-status=304; ttl=5; stored"
    assert forwarded("vary-miss", collapsed=True) == "passerelle; fwd=vary-miss; collapsed"
    assert forwarded("unkeyed") == "passerelle; fwd=bypass; detail=unkeyed"
