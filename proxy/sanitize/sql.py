"""Find SQL that was meant to be injected, by its grammar.

A value that a careless application puts between quotes or after a number becomes part of a statement. So it is read as
that statement would continue: as it stands (after a number or a name), and from behind its first quote of each kind
(the string is closed). Each reading is cut into tokens, whose kinds make a short string, the shape; what an attack must
look like there is a pattern over shapes (`sql_shapes`). Prose has words where these want operators, numbers, strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TypeAlias

from proxy.sanitize import sql_shapes as shapes
from proxy.sanitize.late import Late, Pattern
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import AnyHit, Hit, LateHit
from proxy.sanitize.sql_statements import JOINED, PROCEDURE, VERB_WORDS, is_statement
from proxy.sanitize.sql_tokens import Tokens
from proxy.sanitize.sql_whole import KNOWLEDGE, WHOLE_BEGINS, whole
from proxy.sanitize.sql_words import CATALOGUE, KINDS
from proxy.sanitize.wordlists import words

# words without which no statement is meant, wherever they stand; `(` must follow where prose has the word as well
_STRONG = words(
    "select union waitfor sleep benchmark pg_sleep exec execute declare shutdown randomblob procedure outfile"
    " dumpfile receive_message extractvalue updatexml generate_series load_file get_lock rlike xor sleepfor dbms_pipe"
    " dbms_lock user_lock utl_http utl_inaddr make_set elt iif exp polygon multipoint geometrycollection json_keys"
    " gtid_subset regexp_substring xp_cmdshell information_schema crypt_key database_to_xml query_to_xml pg_read_file"
    " strcmp find_in_set is_srvrolemember openrowset sp_executesql xp_dirtree json_length sp_addlogin"
    " having insert delete update drop truncate alter create"
    " dbms_session ctxsys st_latfromgeohash st_longfromgeohash name_const nvl ascii substring substr mid concat"
    " group_concat convert char chr current_user"
)
_LINKS = re.compile(r"\|\||&&|--|::|/\*\Z")
_LINKING = words(
    "collate offset fetch into asc desc between or xor and div having order group limit"
    " like where case mod is in not regexp from"
)
_BEGINS = Late(
    r"[^\w;|&]{0,40}+(?:[\w.@]{1,64}+(?:/\*(?:[^*!][^*]{0,40}|)\*/|[^\w;|&]){0,40}+)?(?:[0-9]{5}+)?(?:x?or|and|div|having|order|group|limit|like"
    r"|where|case|mod|is|in|not|regexp|from|between|into|asc|desc|collate|offset|fetch|\|\||&&)(?![a-z])|\w{1,20}+\s{0,3}+=\s{0,3}+(?:\w{1,20}+|'\w{0,20}+'|\"\w{0,20}+\")\s{1,4}+(?:or|and)\s|\*/|\(++[0-9]{1,9}+\s?=\s?[0-9]"
    r"|[0-9.]*+(?:x?or|and)\b|\w{0,20}\)[\s)]*+(?:--|\#|/\*|as\s\w{1,20}\swhere\s)|[0-9]++\s++as\s\w{1,20}\swhere\s|[0-9]++\s*+(?:--|/\*|=\s*+[0-9]|::[a-z]{3})|-?[0-9]++(?:=-?|[*/+-]\()[0-9'\"]|\w{1,8}\){0,4}+[\^|<>=*+/-]++\w++(?:\(\))?;?(?:--|\#|/\*)|'[^']{0,20}'=|\"[^\"]{0,20}\"=",
)
_TIGHT = re.compile(  # what nobody writes between two words
    r"-?[0-9.]{1,12}+(?:e[0-9]{1,3}+)?\s{0,4}+(?:x?or|and)(?:[@'\"!~]|\.[0-9]|\({1,4}+[0-9'\"@]|[-+][0-9]"
    r"|\s{1,4}+(?:\.[0-9]|0x[0-9]|@@|[nxb]'|_[a-z0-9]{3,8}'))"
)
_UNION_TABLE = Late(  # MySQL's short form of `select * from`
    r"[0-9)'\"]\s*+union\s++(?:all\s++|distinct\s++)?table\s++[\w.`]++\s*+(?:$|--|[#;)]|/\*|limit\b|order\b)"
)
_EQUAL = re.compile(r"(['\"])(\w{0,20}+)\1\s?=\s?\1\2$")  # `'a'='a`, the last quote left to the statement
_LENGTH = r"[0-9]{1,4}(?:'(?:\s?[0-9]{1,2}\")?|\")"  # in feet and inches
_LENGTHS = re.compile(rf"(?:[^'\"`]{{0,80}}[^\w'\"`])?{_LENGTH}(?:\s(?:or|and|to|by)\s{_LENGTH})++[\w\s.,!?]*+")
_GOES_ON = re.compile(
    r"[\s)}\x00]*+(?:/\*.{0,40}?\*/\s*+)?(?:[^\w\s]|$|(?:x?or|and|div|union|having|order|group|limit|offset|fetch|for|like|rlike|regexp|where|is|in|as|between|procedure|into|mod|not|collate|waitfor|exec|sounds|similar|ilike|glob|sleep|select|if|elt|iif|make_set|extractvalue|updatexml)(?![a-z]))"
)
_VALUE = re.compile(r"([\w.@-]{0,40}+)[\s)]{0,8}+")
_QUOTES = Late(r"(['\"`])[\s()=<>!&|^*+%/-]{0,12}+\1[\s()=<>!&|^*+%/'\"`-]{0,12}+")  # and nothing else
_LAST = "'\"`()\\;#-=<>!&|^*+%/ \t\r\n"  # what such a text may end in
_OPENED = re.compile(r"[/.]?[^\W_]")  # what a quotation or a path in quotes begins with
_CLOSING = re.compile(  # a short value, and marks that close what it stands in
    r"(?!(['\"`]).\1$)[\w.@-]{0,24}+\\?['\"`](?:\s?[()\\'\"`;]){1,6}+\s?(?:--.{0,3}|\#)?|[\w.@-]{0,24}+\\['\"]"
)
_BROKEN = Late(
    r"(?i)(?<=[a-z])/\*\*/(?=[a-z])|(?<=un)union(?=ion)|(?<=uni)union(?=on)|(?<=sel)select(?=ect)|(?<=se)select(?=lect)|(?<=o)or(?=r\b)|(?<=an)and(?=d\b)"
)
_LINES = re.compile(r"(?:--|#)[^\n#-]{0,100}+\n")
_DOUBLED = words("oorr anandd")
_PREFIXES = words("n x b e q u& nq")  # of strings
_IN_WORD = Late(r"[a-z0-9_]")
_LONG = 1024  # characters from which on a text is not read as a whole
_BEFORE, _WINDOW, _OVERLAP = 24, 800, 200  # characters before a word that matters, from it on, and of these seen again
_NEAR = 400  # characters in which what continues a value must show itself
_CATALOGUE_WORDS = frozenset(part for name in CATALOGUE for part in name.replace("$", ".").split("."))
_OPERATORS = frozenset("Loal")
_ENDED = re.compile(r";\s*+(?:--|#|/\*)")
_Patterns: TypeAlias = Sequence[tuple[str, Pattern]]
# by the letter that must be in a shape, and without which a pattern cannot match
_WHERE_IT_STANDS: Mapping[str, _Patterns] = {
    "U": (("sql.union", shapes.UNION),),
    "E": (("sql.subselect", shapes.SUBSELECT),),
    "Z": (("sql.time", shapes.WAIT),),
    "W": (("sql.time", shapes.WAIT),),
    "f": (("sql.function", shapes.ERROR), ("sql.boolean", shapes.ALWAYS)),
    "K": (("sql.function", shapes.CASE),),
    "O": (("sql.file", shapes.FILE),),
    "R": (("sql.boolean", shapes.ALWAYS),),
    "V": (("sql.boolean", shapes.ALWAYS),),
    "P": (("sql.clause", shapes.ANALYSE),),
}
_ANYWHERE = {
    **_WHERE_IT_STANDS,
    "E": (*_WHERE_IT_STANDS["E"], ("sql.statement", shapes.STATEMENT)),
    "T": (("sql.statement", shapes.STATEMENT),),
}
_LETTERS, _MORE_LETTERS = (re.compile(f"[{''.join(table)}]") for table in (_WHERE_IT_STANDS, _ANYWHERE))
# by the letter with which a pattern begins
_CLAUSE = (("sql.clause", shapes.CLAUSE),)
_BEHIND_VALUE: Mapping[str, _Patterns] = {
    "L": (("sql.boolean", shapes.STRICT),),
    **dict.fromkeys("GVMPI", _CLAUSE),
    **dict.fromkeys(");c", (("sql.comment", shapes.CLOSED),)),
}
_BEHIND_QUOTE: Mapping[str, _Patterns] = {
    "L": (("sql.boolean", shapes.CONDITION), ("sql.operator", shapes.OPERATOR)),
    **dict.fromkeys("oaN", (("sql.operator", shapes.OPERATOR),)),
    **dict.fromkeys("GVMPI", _CLAUSE),
    **dict.fromkeys("lwRf(,", (("sql.function", shapes.OPERAND),)),
    **dict.fromkeys(
        ");", (("sql.comment", shapes.QUOTED_END), ("sql.stacked", shapes.CUT_OFF), ("sql.function", shapes.OPERAND))
    ),
    "c": (("sql.comment", shapes.QUOTED_END),),
}


def find(reading: Reading) -> Sequence[AnyHit]:
    """What in a text looks injected; a rule may be told several times."""
    hits = _find(reading)
    if hits:
        return hits
    lowered = reading.lowered
    if (
        "/**/" in lowered
        or "unionon" in lowered
        or "ununion" in lowered
        or "lselect" in lowered
        or "eselect" in lowered
        or _DOUBLED & reading.words
    ):
        return _find_mended(reading, _BROKEN, "")
    if "\n" in lowered and len(lowered) < _NEAR and ("--" in lowered or "#" in lowered):
        return _find_mended(reading, _LINES, " ")
    return hits


def _find(reading: Reading) -> Sequence[AnyHit]:
    text, words = reading.text, reading.words
    strong = not words.isdisjoint(_STRONG) or (("(" in text or text[0] == "@") and _is_strong(text, words))
    quotes = _first_quotes(text) if "'" in text or '"' in text or "`" in text else ()
    if quotes and text[-1] in _LAST and _only_closes(text):
        return (Hit("sql.operator", 0, len(text)),)
    if quotes and _LENGTHS.fullmatch(text) is not None:
        quotes = ()
    begins = strong or ";" in text or _may_begin(text, words)
    if not begins and not quotes and reading.level < 3:
        return ()
    hits: list[AnyHit] = []
    if begins:
        _begun(hits, reading, quotes, strong=strong)
    for at in quotes:
        if (strong or _GOES_ON.match(reading.lowered, at + 1) is not None) and not _opens(text, at):
            read = reading.lowered if strong and len(text) <= _LONG else reading.lowered[: at + _NEAR]
            _quoted(hits, Tokens(read, at + 1), at, reading)
    if reading.level > 2:
        _odd_quotes(hits, text)
    return hits


def _only_closes(text: str) -> bool:
    """Whether a text is nothing but quotes and what may stand between and behind them."""
    if text[0] in "'\"`" and _QUOTES.fullmatch(text) is not None:
        return True
    return len(text) < _NEAR and _CLOSING.fullmatch(text) is not None


def _find_mended(reading: Reading, pattern: Pattern, by: str) -> Sequence[AnyHit]:
    """What a filter makes of a text that takes words or comments out of words once: `un/**/ion`, `ununionion`.

    Or what a database does, for which a line's comment is a blank.
    """
    mended = pattern.sub(by, reading.text)
    return [Hit(hit.rule, 0, len(reading.text)) for hit in _find(Reading(mended, reading.level))]


def _is_strong(text: str, words: AbstractSet[str]) -> bool:
    return (
        text.startswith("@@") or ("if" in words and "(" in text) or ("()" in text and not words.isdisjoint(KNOWLEDGE))
    )


def _may_begin(text: str, words: AbstractSet[str]) -> bool:
    if not words.isdisjoint(_LINKING) or _LINKS.search(text) is not None:
        return True
    if "=" in text and (text[0] == "(" or "=" in text[1:3] or "'='" in text or '"="' in text):
        return True
    return ")" in text and (text[0].isdigit() or "#" in text or "/*" in text)


def _begun(hits: list[AnyHit], reading: Reading, quotes: Sequence[int], *, strong: bool) -> None:
    """What the text continues when it stands behind a number or name; that is nothing when it is one open string."""
    text, lowered = reading.text, reading.lowered
    if strong and "table" in reading.words and (found := _UNION_TABLE.search(lowered)) is not None:
        hits.append(Hit("sql.union", found.start(), found.end()))
    if strong and len(text) > _LONG:
        _windows(hits, reading)
        lowered = lowered[:_LONG]
    if ("exec" in reading.words or "execute" in reading.words) and (found := PROCEDURE.match(lowered)) is not None:
        hits.append(Hit("sql.stacked", found.start(), found.end()))
    if (found := (JOINED if text[0].isdigit() else _EQUAL).match(lowered)) is not None:
        hits.append(Hit("sql.stacked" if text[0].isdigit() else "sql.boolean", 0, found.end()))
    if quotes and _is_closed(text, lowered, quotes[0]):
        return
    tight = _TIGHT.match(lowered)
    if tight is not None:
        hits.append(Hit("sql.boolean", tight.start(), tight.end()))
    if strong or (
        ";" in text and (not reading.words.isdisjoint(VERB_WORDS) or _ENDED.search(text, 0, _LONG) is not None)
    ):
        _bare(hits, Tokens(lowered), reading)
    elif _BEGINS.match(lowered) is not None:
        _bare(hits, Tokens(lowered[:_NEAR]), reading)


def _is_closed(text: str, lowered: str, at: int) -> bool:
    """Whether the first quote ends a short value: then nothing can be read as what continues a number or name."""
    value = _VALUE.fullmatch(lowered, 0, at)
    if value is None or value[1] in KINDS or text[at + 1 : at + 2] == text[at]:
        return False
    return text.count(text[at]) % 2 == 1 or (value[1] != "" and value[1] not in _PREFIXES and value[1][0] != "_")


def _first_quotes(text: str) -> list[int]:
    """Where the first quote of each kind is, in order."""
    single, double, back = text.find("'"), text.find('"'), text.find("`")
    if double == back:
        return [single]
    return sorted([at for at in (single, double, back) if at >= 0])


def _odd_quotes(hits: list[AnyHit], text: str) -> None:
    for quote in "'\"":
        if text.count(quote) % 2:
            at = text.rindex(quote)
            hits.append(Hit("sql.quote", at, at + 1))
            return


def _windows(hits: list[AnyHit], reading: Reading) -> None:
    """What a long text holds anywhere: around the words that matter, so that no quote before hides or makes them."""
    lowered, done = reading.lowered, 0
    places = dict.fromkeys(reading.words & _STRONG, -1)
    while places:
        for word, place in places.items():
            if place < done:
                places[word] = _next(lowered, word, done)
        at = min(places.values())
        if at == len(lowered):
            return
        near = lowered[max(at - _BEFORE, 0) : at]
        begin = at - len(near) + max(near.rfind("'"), near.rfind('"'), near.rfind("`")) + 1
        done = at + _WINDOW - _OVERLAP
        inside: list[AnyHit] = []
        _anywhere(inside, Tokens("?" + lowered[begin : at + _WINDOW]), reading)
        hits += [Hit(one.rule, max(one.start + begin - 1, 0), one.end + begin - 1) for one in inside]


def _next(lowered: str, word: str, at: int) -> int:
    """Where a word stands next that is no part of another; the text's end when nowhere."""
    while (at := lowered.find(word, at)) >= 0:
        end = at + len(word)
        if not (at and (lowered[at - 1].isalpha() or lowered[at - 1] == "_")) and not _IN_WORD.match(lowered, end):
            return at
        at = end
    return len(lowered)


def _bare(hits: list[AnyHit], stream: Tokens, reading: Reading) -> None:
    shape = stream.shape
    prefix = shapes.PREFIX.match(shape)
    at = prefix.end() if prefix is not None else 0
    _tails(hits, stream, at, _BEHIND_VALUE, 0)
    if reading.level > 1 and (found := shapes.CONDITION.match(shape, at)) is not None:
        hits.append(_hit(stream, "sql.fragment", found.start(), found.end(), 0))
    if ";" in shape:
        _stacked(hits, stream, at, 0)
    if shape[:1] in WHOLE_BEGINS:
        end = whole(stream)
        if end:
            hits.append(_hit(stream, "sql.whole", 0, end))
    elif shape.startswith("rw") and _is_catalogue(stream.name(1)):
        hits.append(_hit(stream, "sql.catalogue", 0, 2))
    _anywhere(hits, stream, reading)


def _quoted(hits: list[AnyHit], stream: Tokens, start: int, reading: Reading) -> None:
    shape = stream.shape
    at = len(shape) - len(shape.lstrip(")}"))
    while shape[at : at + 1] in ("c", "C") and at + 1 < len(shape):
        at += 1  # a line's comment, and a line behind it
    _tails(hits, stream, at, _BEHIND_QUOTE, start)
    if reading.level > 1 and shape[at : at + 1] in ("L", "o"):
        hits.append(_hit(stream, "sql.fragment", at, at + 1, start))
    if ";" in shape:
        _stacked(hits, stream, at, start)
    _anywhere(hits, stream, reading, behind_quote=True)


def _tails(hits: list[AnyHit], stream: Tokens, at: int, table: Mapping[str, _Patterns], start: int) -> None:
    shape = stream.shape
    first = shape[at : at + 1]
    for rule, pattern in table.get(first, ()):
        found = pattern.match(shape, at)
        if found is not None and (at or table is _BEHIND_QUOTE or rule != "sql.clause" or "yn" in found[0]):
            hits.append(_hit(stream, rule, found.start(), found.end(), start))
    if table is _BEHIND_VALUE and first in _OPERATORS and shape[at - 1 : at] == ")" and "(" not in shape[:at]:
        found = shapes.UNOPENED.match(shape, at)
        if found is not None:
            hits.append(_hit(stream, "sql.boolean", at, found.end(), start))
    if first == "L" and "o" in shape:
        _same(hits, stream, at, start)
    if first in ("T", "X") and (table is _BEHIND_QUOTE or shape[:at].strip("n)") == "" != shape[:at]):
        _unparted(hits, stream, at, start)


def _unparted(hits: list[AnyHit], stream: Tokens, at: int, start: int) -> None:
    """A second statement without a semicolon before it, as SQL Server takes them: `1 drop table users`."""
    if stream.name(at + 1) in ("table", "database", "into", "from") and is_statement(stream, at):
        hits.append(_hit(stream, "sql.stacked", at, at + 2, start))


def _same(hits: list[AnyHit], stream: Tokens, at: int, start: int) -> None:
    """A name compared with itself: `or id=id`."""
    found = shapes.SAME.match(stream.shape, at)
    if found is not None:
        names = [stream.name(index) for index in range(at, found.end()) if stream.shape[index] in "wv"]
        if names[0] == names[-1]:
            hits.append(_hit(stream, "sql.boolean", found.start(), found.end(), start))


def _opens(text: str, at: int) -> bool:
    """Whether the quote rather begins a quotation, as in prose and code: a space before it and none behind."""
    if at and text[at - 1].isspace() and text[at + 2 : at + 3] == text[at] and text[at + 1] != " ":
        return True
    if at == 0 or text[at - 1] not in " \t\n([{=:,":
        return False
    return _OPENED.match(text, at + 1) is not None


def _anywhere(hits: list[AnyHit], stream: Tokens, reading: Reading, *, behind_quote: bool = False) -> None:
    shape = stream.shape
    letters, table = (_LETTERS, _WHERE_IT_STANDS) if reading.level == 1 else (_MORE_LETTERS, _ANYWHERE)
    if letters.search(shape) is None:
        return
    for letter in dict.fromkeys(letters.findall(shape)):
        for rule, pattern in table[letter]:
            found = pattern.search(shape)
            if found is not None and not (behind_quote and shape.startswith("Es")):  # as in prose
                hits.append(_hit(stream, rule, found.start(), found.end()))
    if "E" in shape and not reading.words.isdisjoint(_CATALOGUE_WORDS):
        _catalogue(hits, stream, shape.index("E"))


def _catalogue(hits: list[AnyHit], stream: Tokens, at: int) -> None:
    for index in range(at, len(stream.shape)):
        if _is_catalogue(stream.name(index)):
            hits.append(_hit(stream, "sql.catalogue", at, index + 1))
            return


def _is_catalogue(name: str) -> bool:
    return name in CATALOGUE or name.partition(".")[0] in CATALOGUE


def _stacked(hits: list[AnyHit], stream: Tokens, at: int, start: int) -> None:
    """A statement behind a semicolon, where little stands before it: scripts and prose have more."""
    for index in range(at, min(at + 6, len(stream.shape))):
        found = shapes.STACK.match(stream.shape, index) if stream.shape[index] in ");" else None
        if found is not None and is_statement(stream, stream.shape.index(";", index) + 1):
            hits.append(_hit(stream, "sql.stacked", index, found.end(), start))
            return


def _hit(stream: Tokens, rule: str, first: int, end: int, start: int | None = None) -> LateHit:
    return LateHit(rule, partial(_place, stream, first, end, start))


def _place(stream: Tokens, first: int, end: int, start: int | None) -> tuple[int, int]:
    spans = stream.spans
    begin = spans[min(first, len(spans) - 1)][0] if start is None or first else start
    return begin, spans[end - 1][1] if end else begin
