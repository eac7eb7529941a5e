"""Find what is smaller than SQL, scripts and shells: operators, templates, filters, entities, look-ups, line breaks.

Each of these languages has marks of its own that hardly stand together by chance; a reader for each looks for the marks
first, and then for what an attack needs behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proxy.sanitize.late import Late, Pattern
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.wordlists import words

_OPERATORS = (
    "ne|eq|gt|gte|lt|lte|in|nin|not|or|and|nor|exists|type|where|regex|options|expr|all|elemMatch|size|mod|text|search|jsonSchema"
    "|function|accumulator|lookup|match|group|project|unwind|merge|out|set|inc|push|pull|rename|unset|comment|slice|natural|func"
)
_NOSQL_KEY = Late(rf"(?:[\[{{,]\s*+[\"']?|^[\w.\]\[]{{0,40}}\[?)\$(?:{_OPERATORS})(?:[\"']?\s*+[:=]|\])")
_NOSQL_SCRIPT = Late(
    r"\$where\b|this\.\w++\s*+(?:[=!]=|\.match\s*+\(|\[)|this\.constructor\b|['\"]\s*+;\s*+return\b"
    r"|['\"]\s*+return\s++(?:true|this\.)[^\n]{0,40}$|db\.\w++\.(?:find|insert|drop|remove|update|aggregate)\w*\s*+\("
    r"|['\"]\s*+(?:\|\||&&)\s*+(?:this\.|['\"]?\w++['\"]?\s*+[=!]==?|true\b|1\b)"
    r"|new\s++date\s*+\(\s*+\)\s*+;\s*+(?:do|while)|;\s*+(?:do|while)\s*+[({].{0,80}date"
    r"|function\s*+\(\s*+\)\s*+\{\s*+(?:return|while|var\s++\w++\s*+=\s*+new\s++date)"
)
_EXPRESSION = re.compile(
    r"\{\{|\{%|\$\{|#\{|<%|\*\{|@\{|@\(|\[\[|~\{|\{php\}|\{!!|\{=|\{[#/]?\w+\(|#set\s*\(|\$\w+\.class|\{@|\{\d"
)
_COMPUTES = Late(
    r"\d\s*+[*+]\s*+['\"]?\d|__\w{2,20}__|constructor\b|config\b[.\[}|(]|self\b[.\[(}]|request\b[.\[|]|settings\."
    r"|\.class\b|getclass|forname|runtime\b|java\.|jndi\b|new\s++\w|popen\b|system\b\s*+\("
    r"|eval\b|exec\b|import\b|open\s*+\(|file\b\s*+\(|cycler\b|joiner\b|lipsum\b|url_for\b|get_flashed"
    r"|namespace\b\s*+\(|range\s*+\(|debug\b|dump\s*+\(|_self\b|env\b[.\[]|\|\s*+(?:map|filter|sort|attr|safe|reduce"
    r"|join|list|upper|system|passthru)\b"
    r"|#this\b|#root\b|@java|t\s*+\(|readfile|file_get|phpinfo|process\.|require\s*+\(|global\b[.\[]"
    r"|['\"]\s*+\*\s*+\d|\d\s*+-\s*+\d++\s*+\}|\[\]\s*+[.\[]|['\"]{2}\s*+[.\[]|\(\)\s*+[.\[]|\$(?:on|eval|apply|new"
    r"|parse|watch)\b|alert\s*+\(|document\.|window\.|dir\.|ex\s*+=\s*+['\"]|sleep\b|handler\b\.|application\b\."
    r"|session\b[.\[]|article\.|pagecontext\b|facescontext\b|param\.|touppercase|smarty\.|bean\.|attr\s*+\(|ls\b"
    r"|`[^`]*+`"
)
_LDAP = re.compile(
    r"\*\s*+\)+\s*+(?:[(&|%\x00*]|$)|\)(?:\s*+\(\s*+(?:[&|!]|[a-z][\w-]{0,30}\s*+[~<>]?=)|\(\|?\)|\(\*|\)\x00|%00)"
    r"|\(\s*+[&|!]\s*+\(|\(objectclass=|\|\s*+\(\s*+\w{1,24}=\*"
)
_LDAP_START = re.compile(
    r"\s*+[*()|&]{2,6}\s*+['\"]?$|\(\w{1,24}=\*\)$|\*\((?![\w .,'-]++\)\Z)|\w{0,20}\)(?:\)\)++$|\s*+\(&\))|\(\*\*"
)
_ENTITY = Late(
    r"<!entity\s|<!doctype\s++[^>\[]{0,100}(?:\[|\bsystem\b|\bpublic\b\s++[\"'][^\"']{0,100}[\"']\s++[\"'](?!http://www\.w3))|<!doctype\s++\w++\s++system|<!(?:element|attlist|notation)\s++\w++\s"
)
_INCLUDE = re.compile(
    r"<xi:include|xmlns:xi\s*+=|http://www\.w3\.org/2001/xinclude|<xsl:(?:include|import|value-of|stylesheet|variable)|xsi:(?:nonamespace)?schemalocation\s*+=\s*+['\"][^'\"]{0,100}(?:file|ftp):"
)
_LOOKUP = Late(r"\$\{[^${}]*+\}")
_LOOKUP_TEXT = Late(
    r"(?i)\$\{\s*+(?:lower|upper|env|sys|java|main|date|ctx|base64|web|bundle|k8s|spring|script|url|dns|const|urlencoder|\w{0,8}:?:-)[^}]{0,40}|\$\{jndi"
)
_PROTOTYPE = Late(
    r"__proto__|constructor\s*+(?:\.|\]?\[|['\"]?\s*+:\s*+\{\s*+['\"]?)\s*+['\"]?prototype|\bprototype\s*+\[|\[['\"]?prototype['\"]?\]"
)
_BREAK = re.compile(r"[\r\n\u560a\u560d\u0085\u2028]")
_FIELD = Late(
    r"(?i)[\r\n\u560a\u560d\u0085\u2028][\s\u560a\u560d]{0,8}+(?:(?:set-cookie|location|content-(?:type|length"
    r"|encoding|disposition|security-policy)|transfer-encoding|x-[\w-]{1,40}|access-control-[\w-]{1,40}|refresh|host"
    r"|cookie|link|server|status"
    r"|cache-control|last-modified|etag|via|connection|p3p|referer|authorization|user-agent|http-equiv|injected"
    r"|header|\w{0,20}-?inject\w{0,20}|evil\w{0,20}|bcc|cc|to|test|crlf\w{0,20})\s*+:|http/[0-9]|(?:get|post|put"
    r"|delete|head)\s++\S{1,200}\s++http/|<(?:script|html|svg|img|body|iframe))"
)
_MARK = re.compile(r"[{#@]|<%|\[\[|\.class")
_SCRIPT_WORDS = words("this return db function while date where")
_MAIL_NAMES = (
    "bcc:",
    "cc:",
    "to:",
    "test:",
    "host:",
    "status:",
    "link:",
    "server:",
    "header:",
    "via:",
    "refresh:",
    "location:",
)
_UNPRINTABLE = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u560a\u560d\u0085\u2028]")
_INCLUDE_WORDS = words("xmlns xinclude include import value stylesheet variable schemalocation")
_SIGN_WORDS = _SCRIPT_WORDS | _INCLUDE_WORDS | {"prototype", "__proto__"}
_SIGNS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u560a\u560d\u0085\u2028${#@]|\|\||&&|<[!%]|\[\[|\.class")
_FILTER = re.compile(r"[*()|&!]\s*+[()*|&!\x00]|=\*|(?i:\(objectclass=)")  # without which there is no filter
_HEAD = 400  # characters in which a filter or a header field must show itself
_INSIDE = 300  # characters of an expression that are looked at
_CLOSING = {"{{": "}}", "{%": "%}", "<%": "%>"}
_EXPRESSION_MOST = 2048  # characters of an expression that is closed
_OVERLAP = 24  # characters of them that are looked at again with the next one
_LOOKED_AT = 65536  # characters of expressions that are looked at in a text
_LOOKED_UP = 4096  # characters of look-ups that are followed


def find(reading: Reading) -> Iterable[Hit]:
    """What in a text speaks one of these languages; a rule may be told several times."""
    text = reading.text
    if _SIGNS.search(text) is not None or not reading.words.isdisjoint(_SIGN_WORDS):
        return _found(reading)
    return (
        _filters(text[:_HEAD], reading.lowered[:_HEAD])
        if ("(" in text or ")" in text) and _FILTER.search(text, 0, _HEAD)
        else ()
    )


def _found(reading: Reading) -> Iterator[Hit]:
    text, words = reading.text, reading.words
    if _CONTROL.search(text) is not None:
        yield from _controls(text)
    if "$" in text:
        yield from _search("nosql.operator", _NOSQL_KEY, text)
    if not words.isdisjoint(_SCRIPT_WORDS) or "||" in text or "&&" in text:
        yield from _search("nosql.script", _NOSQL_SCRIPT, reading.lowered)
    if _MARK.search(text) is not None:
        yield from _templates(reading)
    if ("(" in text or ")" in text) and _FILTER.search(text, 0, _HEAD) is not None:
        yield from _filters(text[:_HEAD], reading.lowered[:_HEAD])
    if "<!" in text:
        yield from _search("xml.entity", _ENTITY, reading.lowered)
    if not words.isdisjoint(_INCLUDE_WORDS):
        yield from _search("xml.include", _INCLUDE, reading.lowered)
    if "prototype" in words or "__proto__" in words:
        yield from _search("prototype.key", _PROTOTYPE, text)


def _search(rule: str, pattern: Pattern, text: str) -> Iterator[Hit]:
    found = pattern.search(text)
    if found is not None:
        yield Hit(rule, found.start(), found.end())


def _controls(text: str) -> Iterator[Hit]:
    at = text.find("\0")
    if at >= 0:
        yield Hit("encoding.null", at, at + 1)
    yield from _breaks(text)
    yield from _search("encoding.control", _UNPRINTABLE, text)


def _filters(text: str, lowered: str) -> Iterator[Hit]:
    """A filter goes on behind a short value; in a line of code or prose, parentheses mean something else."""
    found = _LDAP_START.match(text) or _LDAP.search(lowered)
    if found is not None and found.start() < 80 and " " not in text[: found.start()].strip() and "\n" not in text:
        yield Hit("ldap.filter", found.start(), found.end())


def _breaks(text: str) -> Iterator[Hit]:
    """A line break is text's own; a header field behind the first one, in a value without spaces, is not."""
    first = _BREAK.search(text)
    if first is None:
        return
    found = _FIELD.search(text, first.start(), first.start() + _HEAD)
    if found is not None:
        before = text[: found.start()]
        if " " not in before.strip() and before.count("\n") < 2 and not _is_letter(text, found):
            yield Hit("header.split", found.start(), found.end())
            return
    yield Hit("header.break", first.start(), first.end())


def _is_letter(text: str, found: re.Match[str]) -> bool:
    """Whether the lines are rather those of a mail or form that somebody pastes."""
    return found[0].strip().lower().startswith(_MAIL_NAMES) and text.count("\n") > 3


def _templates(reading: Reading) -> Iterator[Hit]:
    text = reading.text
    found = _LOOKUP_TEXT.search(text) if "${" in text else None
    if found is not None and "jndi" in _looked_up(text[found.start() : found.start() + _LOOKED_UP]):
        yield Hit("lookup.jndi", found.start(), found.end())
    shown, seen, left = None, 0, _LOOKED_AT
    for mark in _EXPRESSION.finditer(text):
        shown = shown or mark
        at = mark.start()
        end = _end_of_expression(reading.lowered, at, mark[0])
        begin = max(at, seen - _OVERLAP)
        computes = _COMPUTES.search(reading.lowered, begin, end)
        seen, left = end, left - (end - begin)
        if computes is not None:
            yield Hit("template.expression", at, computes.end())
            return
        if left <= 0:
            break
    if shown is not None and shown[0] in ("{{", "{%", "<%"):
        yield Hit("template.mark", shown.start(), shown.end())


def _end_of_expression(lowered: str, at: int, mark: str) -> int:
    """How far behind a mark is looked: to what closes it where that comes soon, else to the line's end."""
    closing = lowered.find(_CLOSING[mark], at, at + _EXPRESSION_MOST) if mark in _CLOSING else -1
    if closing >= 0:
        return closing + 2
    line = lowered.find("\n", at, at + _INSIDE)
    return line if line >= 0 else at + _INSIDE


def _looked_up(text: str) -> str:
    """The text with look-ups that give letters replaced by these, innermost first, as a logger would."""
    for _ in range(4):
        changed = _LOOKUP.sub(_letter, text)
        if changed == text:
            break
        text = changed
    return text.lower()


def _letter(found: re.Match[str]) -> str:
    inside = found[0][2:-1]
    if inside.lower().startswith("jndi"):
        return inside  # found; braces gone, so that outer ones end
    kept = inside.partition(":-")[2] if ":-" in inside else inside.partition(":")[2] if ":" in inside else ""
    return kept.strip("'")
