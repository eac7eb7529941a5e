from __future__ import annotations

import time

import pytest

from plugins.sanitize import xml
from plugins.sanitize.bodies import values
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge

JUDGE = Judge(Config(mode="block"))

HARMLESS = {
    "soap": """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <soap:Header><wsa:To xmlns:wsa="http://www.w3.org/2005/08/addressing">http://example.com/service</wsa:To></soap:Header>
  <soap:Body><m:GetPrice xmlns:m="http://example.com/prices"><m:Item xsi:type="xsd:string">Apples &amp; pears</m:Item>
  </m:GetPrice></soap:Body>
</soap:Envelope>""",
    "atom": """<?xml version="1.0" encoding="utf-8"?>
<?xml-stylesheet type="text/css" href="/feed.css"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title type="text">It's a feed</title>
  <link href="http://example.org/feed/" rel="self"/><id>urn:uuid:60a76c80-d399-11d9-b91C-0003939e0af6</id>
  <entry><title>One &lt; two</title><link href="http://example.org/2003/12/13/atom03"/><style>plain</style>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Some <b>text</b>.</p></div></content></entry>
</feed>""",
    "rss": """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>News</title><link>http://example.com/</link><item><title>A, B and C</title>
<description><![CDATA[<p>Bread &amp; butter, <a href="http://example.com/">more</a></p>]]></description>
<pubDate>Tue, 10 Jun 2003 04:00:00 GMT</pubDate></item></channel></rss>""",
    "svg": """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">
<style>.a { fill: red; stroke: #ccc }</style><title>Dots</title><!-- two of them; both round -->
<circle class="a" cx="5" cy="5" r="4"/><use xlink:href="#a"/><animate attributeName="r" from="0" to="4"/></svg>""",
    "pom": """<project xmlns="http://maven.apache.org/POM/4.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>app</artifactId>
  <version>1.0-SNAPSHOT</version><properties><source>17</source></properties><build><plugins><plugin>
  <artifactId>maven-compiler-plugin</artifactId></plugin></plugins></build></project>""",
    "webdav": """<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:"><D:prop><D:link/><D:displayname/>
  <D:getcontentlength/><D:resourcetype/></D:prop></D:propfind>""",
    "order": "<order><embed>1</embed><base>2</base><script/></order>",
}


def seen(text: str) -> list[str]:
    return [value.text for value in values("xml", text.encode(), "")][1:]


@pytest.mark.parametrize("name", HARMLESS)
def test_ordinary_documents_are_not_refused(name: str) -> None:
    found = JUDGE.look(values("xml", HARMLESS[name].encode(), "application/xml"))
    assert [(one.rule.name, one.span) for one in found] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('<a b="1 or 2"> <c>x &amp; y</c></a>', ["1 or 2", "x & y"]),
        ("<a b = '&#x3c;b'>&lt;c&gt;</a>", ["<b", "<c>"]),
        ('<a b="c"><![CDATA[1 < 2]] > ]]></a>', ["c", "1 < 2]] >"]),
        ("<a>un<!-- x -->ion<![CDATA[ sel]]>ect</a>", ["x", "union select"]),
        ("<a><!-- - > -- --><?php b ?>c</a>", ["- > --", "<?php b", "c"]),
        ('<a b="<!--">c</a>', ["<!--", "c"]),
        ("<a><!-- never ended", ["never ended"]),
        ("<a><![CDATA[never ended", ["never ended"]),
        ("no document", ["no document"]),
        ('<?xml version="1.0"?><a/>', ["1.0"]),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_every_text_is_shown_as_it_is_meant(text: str, wanted: list[str]) -> None:
    assert seen(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></a>',
        '<a xsi:noNamespaceSchemaLocation="file:///etc/passwd"/>',
        '<a b="c"><![CDATA[1\' union select a from b--]]></a>',
        "<a>1' un<!-- -->ion select a from b--</a>",
        "<a>1' un<![CDATA[ion sel]]>ect a from b--</a>",
        "<a>1&#39; or &#39;1&#39;=&#39;1</a>",
        "<a b='&lt;script>alert(1)&lt;/script>'/>",
        "<a><![CDATA[<script>alert(1)</script>]]></a>",
        '<svg onload="alert(1)"/>',
        '<a href="javascript:alert(1)"/>',
        "1' or '1'='1",
        "<a>\0</a>",
    ],
)
def test_attacks_in_documents_are_found(text: str) -> None:
    assert JUDGE.look(values("xml", text.encode(), ""))


def test_overlong_bytes_of_a_document_are_told() -> None:
    found = JUDGE.look(values("xml", b"<a>\xc0\xaf</a>", ""))
    assert "encoding.overlong" in {one.rule.name for one in found}


@pytest.mark.parametrize("piece", ["<", "<!--", "<![CDATA[", "<?a", '="', "]]", "<!---", ">x<!-->"])
def test_time_is_linear_in_the_length(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    before = time.process_time()
    assert list(xml.values(text, False))
    assert time.process_time() - before < 5


@pytest.mark.parametrize("written", ["<a>{}</a>", "<a b='{}'/>"])
def test_references_of_any_length_are_undone(written: str) -> None:
    def last(reference: str) -> str:
        return list(xml.values(written.format(reference), overlong=False))[-1].text

    assert last(f"&#{'9' * 5000};x") == last(f"&#x{'f' * 5000};x") == "\ufffdx"
    assert last(f"&#{'0' * 5000}60;x") == last(f"&#x{'0' * 5000}3c;x") == "<x"


@pytest.mark.parametrize(
    "document",
    [
        """<!DOCTYPE a SYSTEM '="'><a k="v">{}</a>""",
        """<!DOCTYPE a PUBLIC '-//="//' "=>"><a k="v">{}</a>""",
        """<!DOCTYPE a [<!NOTATION n PUBLIC '="'>]><a k="v">{}</a>""",
        """<!DOCTYPE a [<!ATTLIST a b CDATA "{}">]><a/>""",
        """<!DOCTYPE a "><b>{}</b>"><a/>""",
        """<!DOCTYPE a '><b k="v">{}</b>""",
    ],
    ids=["system", "public", "notation", "default", "element", "open"],
)
def test_declarations_hide_nothing(document: str) -> None:
    attack = "1' or '1'='1"
    shown = [value.text for value in xml.values(document.format(attack.replace("'", "&#39;")), overlong=False)]
    assert attack in shown or f"><b>{attack}</b>" in shown


def test_identifiers_of_documents_are_no_values() -> None:
    document = """<!DOCTYPE a PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd"><a>b</a>"""
    assert [value.text for value in xml.values(document, overlong=False)][1:] == ["b"]
