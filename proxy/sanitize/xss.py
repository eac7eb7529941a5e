"""Find markup and script that were meant to run in somebody's browser.

A value may be put into a page's text, into an attribute, or into a script. So it is read as markup from its start (what
elements does it make?), as attributes from behind its first quote of each kind (what does it add to the element that it
stands in?), as a URL (does its scheme run code?), and as the continuation of a script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy.sanitize.late import Late, Pattern
from proxy.sanitize.markup import CODE, MOST, TAG_WITH, WITH_URLS, Attribute, attributes_of, names
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.wordlists import words

_RUNS = words(
    "script iframe frame frameset object embed applet base meta link style import xml isindex portal layer ilayer"
    " bgsound noscript template foreignobject set animate animatetransform animatemotion handler listener fencedframe"
    " plaintext listing xss xmp noembed noframes math maction semantics"
)
_ENDS = words("script style textarea title noscript template iframe xmp noembed noframes svg math option select")
_MISUSED = words("svg form input button textarea body html video audio img image marquee details keygen select")
_URL_ATTRIBUTES = words(
    "href src action formaction data xlink:href poster background dynsrc lowsrc ping manifest codebase classid"
    " archive cite longdesc profile usemap to from values by content value srcset icon style"
)
_SURE_ENDS = words("script style textarea title noscript xmp")
_ELEMENTS = {
    **{f"/{name}": "xss.element" for name in _ENDS},
    **{f"/{name}": "xss.tag" for name in _SURE_ENDS},
    **dict.fromkeys(_MISUSED, "xss.element"),
    **dict.fromkeys(_RUNS, "xss.tag"),
}
_CONTROLS = "".join(map(chr, range(32)))
_SETS = re.compile(r"on[a-z0-9_]{3,30}[\s\x00]*+=|style[\s\x00]*+=")
_SCHEMES_IN = re.compile(r"(?:script|mocha|vbs|jar|view-source|feed|jav|xss|about|data):")
_KNOWN_HANDLER = Late(
    r"on(?:abort|activate|after\w+|animation\w+|aux\w+|before\w+|begin|blur|bounce|cached|cancel|can\w+|change|click"
    r"|close|content\w+"
    r"|context\w+|copy|cue\w+|cut|data\w+|dbl\w+|deactivate|drag\w*|drop|duration\w+|emptied|end|ended|error\w*"
    r"|filter\w+|finish|focus\w*|form\w+"
    r"|full\w+|gesture\w+|got\w+|hash\w+|help|input|invalid|key\w+|language\w+|layout\w+|load\w*|lose\w+|lost\w+"
    r"|media\w+|message\w*|mouse\w+"
    r"|move\w*|offline|online|orientation\w+|out\w+|page\w+|paste|pause|play\w*|pointer\w+|popst\w+|progress"
    r"|property\w+|rate\w+|ready\w+"
    r"|rejection\w+|repeat|reset|resize\w*|row\w+|scroll\w*|search|security\w+|seek\w+|select\w*|show|slot\w+|stalled"
    r"|start|stop|storage"
    r"|submit|suspend|sync\w+|time\w+|toggle|touch\w+|transition\w+|unhandled\w+|unload|url\w+|volume\w+|waiting"
    r"|webkit\w+|wheel|zoom)"
)
_SCHEME = Late(r"(?:javascript|vbscript|livescript|jscript|mocha|wscript|vbs|jar|view-source|feed|jav|xss|about):?")
_BLANK = dict.fromkeys((*range(33), 160, 133, 173, 8203, 8204, 8205, 8232, 8233, 65279))
_DATA = Late(
    r"data:(?:text/(?:html|xml|javascript|css|xsl|ecmascript)|application/(?:x?html|xml|x?-?javascript|ecmascript)|image/svg|[^a-z0-9_]|,|text/plain;.{0,60}<)"
)
_URI_IN_TEXT = Late(
    r"(?:\b|[^a-z])(?:j[\s\x00]*+a[\s\x00]*+v[\s\x00]*+a|v[\s\x00]*+b|l[\s\x00]*+i[\s\x00]*+v[\s\x00]*+e"
    r"|j)[\s\x00]*+s[\s\x00]*+c[\s\x00]*+r[\s\x00]*+i[\s\x00]*+p[\s\x00]*+t[\s\x00]*+:"
    r"(?=[\s\x00]*+(?:[^\s\w]|\w++[\s]*+[(`.=\[+;%]|\w++$|\d))"
)
_STYLE = Late(
    r"(?i)expression[\s/*]*+\(|behaviou?r\s*+:|-moz-binding|@import|javascript:|vbscript:|-o-link|url\s*+\(\s*+['\"]?(?:data:text|//)"
)
_CLOSED = Late(r"\A['\"]{1,2}\s{0,4}/?>{1,4}\s{0,4}<[!/a-z]")  # an attribute and its tag
_MARKUP = Late(
    r"<!entity|<!\[cdata\[|<!--\[if|<!doctype\s+\w+\s*+\[|<\?(?:import|xml-stylesheet)|<%[=!@]?\s*+\w+[(.]|\+adw-"
    r"|xmlns(?::\w+)?\s*+=\s*+['\"]?http|<[!?/][^>]{0,20}=\s*+['\"]?[^>]{0,20}<"
    r"|[{;]\s*+(?:[\w-]++\s*+:\s*+)?expression\s*+\("
)
_DANGLING = Late(r"<(?!a\s)[a-z]++[\s/][^'\"]{0,80}?=\s*+(?:'(?:https?:)?//[^']*|\"(?:https?:)?//[^\"]*)\Z")
_NEAR, _FAR = 40, 400  # characters before and of a tag that is not closed
_MARKUP_WORDS = words("adw xmlns expression")
_SCHEMES = words("javascript vbscript livescript jscript script")
_CONTROL = Late(r"[\x00-\x20][script\x00-\x20]{0,12}:")
_OBJECT = Late(r"([\w$]++)(?:\?\.|\.|(?<=[\w$]))$")
_ODD_HANDLERS = 100  # attributes named like handlers that are none; nobody honest writes as many
_WINDOWS = words("view defaultview window self top parent frames globalthis this document opener")
_CALLED = words("alert prompt confirm msgbox")
_REACH_WORDS = words(
    "document eval string window self top parent frames globalthis settimeout setinterval function execscript event"
    " constructor location innerhtml outerhtml srcdoc onerror onload onclick onfocus onmouseover onmessage"
    " onhashchange onpageshow onpopstate throw fetch image import getscript reflect insertadjacenthtml"
    " createcontextualfragment __definegetter__ __definesetter__ __lookupgetter__ href this"
)
# a call of what attacks call, as a statement or operand
_CALL = Late(
    r"(?:alert|prompt|confirm|msgbox)(?:[\t\n\x00]*+(?:/\*[^*]{0,20}\*/)?(?:\(|`|\?\.\(|&lpar;|\.(?:call|apply|bind)\b)"
    r"|\)(?:(?<=[(,=]alert\))\s*+\(|(?<=(?:find|some|then|sort)\(alert\))|(?<=map\(alert\))|(?<=\],alert\))|(?<=filter\(alert\))"
    r"|(?<=foreach\(alert\)))|[,;](?:(?<==alert[,;])|(?<==prompt[,;])))"
)
# what attacks reach for: by its first word, which is no part of a longer one ...
_REACH = Late(
    r"(?<!\w)(?:document(?:\[['\"`]|(?:\.|\s++\.\s*+)(?:cookie|domain|write(?:ln)?\s*+\(|createelement\s*+\(|location\s*+[.=]|body\.(?:innerhtml|append)"
    r"|documentelement\.(?:inner|outer)html))"
    r"|eval\s*+\(\s*+(?:atob|unescape|name|location|string\.from|['\"`\\]|self|top|window|decodeuri|url|hash|alert|\+)"
    r"|string\.fromcharcode\s*+\(\s*+\d+\s*+,|(?:window|self|top|parent|frames|globalthis|this)\s*+\[\s*+(?:['\"`/\\]"
    r"|\d+..tostring|atob|object\.keys|\()"
    r"|location\s*+\.\s*+(?:assign|replace)\s*+\(\s*+['\"`]"
    r"|(?:settimeout|setinterval|function|execscript)\s*+\(\s*+['\"`\\]|constructor\s*+\(\s*+['\"`\\]"
    r"|(?:location|location\.(?:href|hash|search)|innerhtml|outerhtml|srcdoc"
    r"|window\.name)\s*+=\s*+['\"`]?(?:javascript|data:|name|//|https?://\S{1,80}(?:cookie|\+)|<|atob|location)"
    r"|(?:onerror|onload|onclick|onfocus|onmouseover|onmessage|onhashchange|onpageshow|onpopstate)\s*+=\s*+(?:alert"
    r"|eval|prompt|confirm|function|\(|[\w.]+\s*+[;,]\s*+throw)"
    r"|throw\s*+(?:onerror|/|1|~|alert)|fetch\s*+\(\s*+['\"`]\s*+(?:https?:)?//[^)]{0,120}(?:cookie|localstorage)"
    r"|new\s+image\s*+\(?\s*+\)?\s*+\.src|import\s*+\(\s*+['\"`](?:data:|https?:|//)"
    r"|reflect\.(?:apply|construct|get|set)\s*+\(|insertadjacenthtml\s*+\(|createcontextualfragment"
    r"|__(?:define|lookup)[gs]etter__|new\s++function`|\$event\.(?:path|view|target)\b)"
)
# ... or by a mark
_REACH_MARK = Late(
    r"\A[^\[\n]{0,30}['\"]\]\s*+[(`]|=~\[\]|\[['\"`]constructor['\"`]\]\s*+\(\s*+['\"`\\]|\.constructor\s*+\.\s*+constructor|\.srcdoc\s*+="
    r"|\$\.getscript\s*+\(|\[\s*+\]\s*+\[\s*+[('\"`!]|(?:\[\]|!\[\]|\(\))\s*+\[[^\]]{1,20}\+"
    r"|\\u\{?0*6[1-9a-f]\}?\w+\s*+\("
)
_MARK_WORDS = words("constructor srcdoc getscript")
_ANY_WORDS = _MARKUP_WORDS | _REACH_WORDS | _MARK_WORDS | _CALLED
_MARKS = re.compile(r"[<:\[\\]")  # with none of both, and where nothing is set, nothing below can match


def find(reading: Reading) -> Sequence[Hit]:
    """What in a text would run in a browser; a rule may be told several times."""
    text, lowered, words = reading.text, reading.lowered, reading.words
    sets = "=" in text and _SETS.search(lowered) is not None
    if not sets and words.isdisjoint(_ANY_WORDS) and _MARKS.search(text) is None:
        return ()
    hits: list[Hit] = []
    runs = ":" in text and _SCHEMES_IN.search(lowered.translate(_BLANK)) is not None
    if "<" in text:
        _marked(hits, reading, runs=runs)
    elif not words.isdisjoint(_MARKUP_WORDS):
        _search(hits, "xss.markup", _MARKUP, lowered)
    if sets:
        _attributes(hits, text, lowered)
    if runs:
        _urls(hits, reading)
    if text[0] in "'\"" and "<" in text:
        _search(hits, "xss.breakout", _CLOSED, lowered)
    if not words.isdisjoint(_REACH_WORDS):
        _search(hits, "xss.script", _REACH, lowered)
    if "[" in text or "\\" in text or not words.isdisjoint(_MARK_WORDS):
        _search(hits, "xss.script", _REACH_MARK, lowered)
    if not words.isdisjoint(_CALLED) and not (hits and hits[-1].rule == "xss.script"):
        _calls(hits, lowered)
    return hits


def _marked(hits: list[Hit], reading: Reading, *, runs: bool) -> None:
    """What the elements of a text do."""
    text, lowered = reading.text, reading.lowered
    _elements(hits, lowered, reading.level)
    if runs or "on" in lowered or "style" in reading.words or "srcdoc" in reading.words:
        _handlers(hits, lowered, runs=runs)
    if "<!" in text or "<?" in text or "<%" in text or "</" in text or not reading.words.isdisjoint(_MARKUP_WORDS):
        _search(hits, "xss.markup", _MARKUP, lowered)
    if "//" in text and _NEAR > (last := text.rfind("<")) > text.rfind(">"):
        _search(hits, "xss.markup", _DANGLING, lowered[last : last + _FAR])


def _search(hits: list[Hit], rule: str, pattern: Pattern, text: str) -> None:
    found = pattern.search(text)
    if found is not None:
        hits.append(Hit(rule, found.start(), found.end()))


def _elements(hits: list[Hit], lowered: str, level: int) -> None:
    told = {""} if level > 1 else {"", "xss.element"}
    for name in names(lowered):
        rule = _ELEMENTS.get(name) or _odd(name)
        if rule not in told:
            told.add(rule)
            at = lowered.find(f"<{name}")
            hits.append(Hit(rule, at, (lowered.find(">", at) + 1) or len(lowered)))
        if level > 2 and "xss.html" not in told:
            told.add("xss.html")
            hits.append(Hit("xss.html", lowered.find(f"<{name}"), len(lowered)))


def _odd(name: str) -> str:
    """The rule for an element that is named with a namespace, with control characters, or with more behind it."""
    slash, plain = name[: name[0] == "/"], name.lstrip("/").lstrip(_CONTROLS).rpartition(":")[2]
    if not slash and plain.startswith(("script", "animate")):
        return "xss.tag"
    return _ELEMENTS.get(slash + plain, "")


def _handlers(hits: list[Hit], lowered: str, *, runs: bool) -> None:
    told, at, left, wanted = {""}, 0, _ODD_HANDLERS, WITH_URLS if runs else CODE
    while (found := TAG_WITH.search(lowered, at)) is not None:
        attributes, at = attributes_of(lowered, found.end(), wanted)
        for attribute in attributes:
            rule = _rule(attribute, found[1], whole=lowered[at : at + 1] == ">")
            if not rule and attribute.name.startswith("on"):
                left -= 1
            if rule not in told:
                told.add(rule)
                hits.append(Hit(rule, found.start(), attribute.end))
        if left < 0 or len(attributes) == MOST:
            hits.append(Hit("xss.handler", found.start(), at))
            return


def _rule(attribute: Attribute, tag: str, *, whole: bool) -> str:
    """Which rule an attribute breaks; empty for none.

    :param whole: whether the `>` of its tag was there.
    """
    name, value, _, _ = attribute
    if (
        name.startswith("on")
        and (value or tag.lstrip("/").rpartition(":")[2] not in ("a", "b", "p"))
        and (_KNOWN_HANDLER.fullmatch(name) or "(" in value or "`" in value or "=" in value or not whole)
    ):
        return "xss.handler"
    if name == "srcdoc" and value:
        return "xss.tag"
    if name == "style" and _STYLE.search(value):
        return "xss.style"
    in_url = name in _URL_ATTRIBUTES or name.rpartition(":")[2] in _URL_ATTRIBUTES
    return "xss.uri" if in_url and value and _is_script_url(value) else ""


def _is_script_url(value: str) -> bool:
    plain = value[:200].translate(_BLANK).lower()
    plain = plain.removeprefix("url=") if "url=" in plain[:8] else plain.partition(";url=")[2] or plain
    plain = plain.strip("'\"")
    found = _SCHEME.match(plain)
    return (
        found is not None and found[0].endswith(":") and not plain.startswith(("feed:http", "about:blank"))
    ) or _DATA.match(plain) is not None


def _attributes(hits: list[Hit], text: str, lowered: str) -> None:
    """What is added to the element whose attribute's value the text would be."""
    if "'" in text or '"' in text or "`" in text:
        for at in sorted([at for at in (text.find('"'), text.find("'"), text.find("`")) if at >= 0]):
            _added(hits, lowered, at + 1)
    if text[0] != "<":
        _added(hits, lowered, 0, needs_code=True)


def _added(hits: list[Hit], lowered: str, at: int, *, needs_code: bool = False) -> None:
    attributes, end = attributes_of(lowered, at, CODE)
    if len(attributes) == MOST:
        hits.append(Hit("xss.breakout", at, end))
    for attribute in attributes:
        value = attribute.value
        if _KNOWN_HANDLER.fullmatch(attribute.name) and value and (not needs_code or _is_code(value)):
            hits.append(Hit("xss.breakout", at and at - 1, attribute.end))
            return
        if attribute.name == "style" and _STYLE.search(value):
            hits.append(Hit("xss.style", attribute.start, attribute.end))
            return


def _is_code(value: str) -> bool:
    return any(mark in value for mark in "(`=;") or "javascript" in value.lower()


def _urls(hits: list[Hit], reading: Reading) -> None:
    lowered = reading.lowered
    if not reading.words.isdisjoint(_SCHEMES) or _CONTROL.search(lowered) is not None:
        _search(hits, "xss.uri", _URI_IN_TEXT, lowered)
    at = lowered.find("data:")
    if at >= 0 and _DATA.match(lowered[at : at + 200].translate(_BLANK)):
        runs = at == 0 or "base64" in lowered or "<" in lowered or "script" in lowered
        if runs:
            hits.append(Hit("xss.uri", at, min(at + 24, len(lowered))))


def _calls(hits: list[Hit], text: str) -> None:
    """Calls of what attacks call, as functions of the window, not as methods of something else."""
    for found in _CALL.finditer(text):
        start = found.start()
        if _is_joined(text, start):
            before = _OBJECT.search(text, max(0, start - 24), start)
            if before is not None and before[1] not in _WINDOWS:
                continue
        if text[start - 1 : start] in ("", " ") and text.startswith(") ", found.end()):
            continue  # "the alert() function" is prose
        hits.append(Hit("xss.script", start, found.end()))
        return


def _is_joined(text: str, at: int) -> bool:
    """Whether what stands before a place may be an object, or a part of the same word."""
    before = text[at - 1] if at else " "
    return before in ".$_" or before.isalnum()
