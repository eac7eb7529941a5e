"""Find commands that were meant for a shell.

A command needs a way out of the argument that the value should have been: a separator, a substitution, a line break, or
the very beginning. What stands behind it is read as a shell reads a word: quotes, backslashes, empty variables and
braces within it are taken away, wildcards are matched. Commands whose names are ordinary words need arguments that look
like a command's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from html.entities import html5
from itertools import islice

from proxy.sanitize import shell_code
from proxy.sanitize.late import Late, Pattern
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.shell_words import ALL, PIPE_WORDS, SPOKEN_OF, TOOLS, WORDS
from proxy.sanitize.wordlists import words

_SEPARATOR = (
    r"\|[|&]?|&&?|;\s?(?:do|then|else)\s|;|[\n\r](?![\n\r])|\x00|`|\$\(|<\(|>\(|\$\{IFS\}|%0[aA]|\{(?=[a-z/]+,)"
)
_SEPARATES = re.compile(r"[|&;\n\r\x00`$<>{%]")  # without which there is none
_NOISE = r"(?:[\s\"'({!\\@]|\$[A-Za-z]\w{0,9}[ \t]|\$\{?IFS\}?(?:\$9)?|\$[@*]|%0[aAdD]){0,40}+"
_WORD = (
    r"(?:[\w./~?*\[\]:%-]|\\[^\n]|''|\"\"|'[\w/.]{1,12}'|\"[\w/.]{1,12}\"|\$[@*!9]|\$\{[@*x]\}|\$u|``|\$\(\)|\^){1,80}+"
)
_FIRST = re.compile(f"{_NOISE}({_WORD})")
_BEHIND = re.compile(f"({_SEPARATOR})(?={_NOISE}({_WORD}))")
_DROPPED = re.compile(r"[\\\"'^]|\$[@*!9]|\$\{[@*x]\}|\$u|``|\$\(\)")
_FOLDERS = re.compile(r"(?:\.{0,2}/|~/)(?:[\w.?*\[\]-]+/)*+|(?i:c:[\\/]windows[\\/](?:system32[\\/])?)")
_ARGUMENT = re.compile(
    r"['\"]?+(?:[ \t]++|\$\{?IFS\}?(?:\$9)?|,|<|%20|\+)[\s\"'({]*+(?:-{1,2}[\w?]|/|\.{1,2}[/a-z]|~|\$|[<>|&;`#)}]|[0-9]"
    r"|[a-zA-Z]:[\\/]|[\w*-]++[./\\@:][\w*/]|\*|\"|'|%[A-Z]|[A-Z]{2,}\b|c(?:at|url)\b)"
)
_FILE_ARGUMENT = Late(
    r"[ \t]++(?:-\w++[ \t]++)*+(?:/(?:etc|proc|tmp|var|bin|usr|dev|home|root)\b"
    r"|-{1,2}\w++(?:$|[ \t]++[/.~])|[a-zA-Z]:\\|\.\./)"
)
_ON_DRIVE = re.compile(r"[ \t]++(?:[A-Za-z]:|\\)[\\/]")
_VERSION = Late(r"[ \t]\d{1,4}(?:\.\d{1,4}){0,3}+(?:[ \t]*+(?:$|[;,|&)\n])|\s\w)")
_WRAPPERS = words(
    "eval exec env command time nohup sudo xargs busybox builtin nice timeout setsid trap watch which man builtin"
)
_SURE_MARKS = (";", "|", "||", "&&", "`", "$(")
_SPOKEN = words("su mv cp rm ln expr echo ping type net ps reg find waitfor service ip shutdown nl tac")
_SAID = Late(r"[ \t]++['\"]?[\w-]{1,30}[\s\w]{0,20}?['\"]?\s{0,2}(?:>\s?[/\w]|$|[;|&`)#\n%\\\"'>])")
_END = Late(r"[\s\"')}\]]*+(?:$|[;|&`#)}<>\n]|%0|2>|--)")
_TEXT = Late(r"[ \t]++\w")
_INTERPRETER = Late(
    r"\|\s*+(?:sudo\s++)?(?:/(?:usr/)?bin/)?(?:env\s++)?(?:ba|z|k|c|da)?sh\b(?!\w)|/dev/(?:tcp|udp)/|mkfifo\s"
    r"|base64\s++-(?:d|-decode)\s*+\|"
    r"|nc(?:at)?\s++(?:[\w.:-]{1,40}\s++){0,6}?-\w{0,8}[ec]\s|(?:ba|z|k)?sh\s++-[ic]\s++(?:>|['\"]\S)|(?:python[23]?|perl|php|ruby|lua|node)\s++(?:-[a-z]\S{0,20}\s++){0,3}?-[cer]\s*+['\"]"
    r"|find\s++\S{1,40}\s.{0,60}?-exec(?:dir)?\s|xterm\s++-display|socat\s++\S{1,80}\s++exec:|openssl\s++s_client\s++-"
    r"|--checkpoint-action=|--use-compress-program=|powershell(?:\.exe)?\s++-(?:e|enc|nop|c|w|ep|command|noni)|cmd(?:\.exe)?\s++/[ck]\b"
    r"|%comspec%"
    r"|certutil\s++-urlcache|bitsadmin\s++/|mshta\s++(?:https?:|vbscript:|javascript:)|regsvr32\s++/|wmic\s++(?:process|os\b|/)"
    r"|rundll32(?:\.exe)?\s++\S{1,80},|[|&;]\s*+net1?\s++(?:user|localgroup|view|share|use|start|group|accounts)\b"
    r"|(?<![\w-])(?:invoke-(?:expression|command|webrequest)\s|iex\s*+\(|start-process\s|new-object\s++(?:system\.)?net\.)"
    r"|for\s++(?:/[dflr]\s++(?:\"[^\"\n]{0,60}\"\s++|[a-z]:\\\S{0,80}\s++)?){0,3}%{1,2}\S\w{0,12}\s++in\s*+\("
    r"|if\s++(?:/i\s++)?(?:not\s++)?(?:exist\s++(?:\"?[a-z]:\\|%)|defined\s++\w{1,30}\s*+[(%]|errorlevel\s++\d"
    r"|\"?%~?\w{1,30}%?\"?\s*+(?:==|(?:equ|neq|geq|leq|gtr|lss)\s)|\S{1,20}\s++(?:equ|neq|geq|leq|gtr|lss)\s)"
    r"|[|&;]\s*+(?:sc\s++(?:query|start|stop|config|create|delete|qc)|query\s++(?:user|session|process)|copy\s++\\\\"
    r"|start\s++(?:cmd|powershell|calc|notepad|/b))\b"
    r"|(?:if|while|until|for)\s[^;\n]{1,80};\s*+(?:then|do)\s[^\n]{1,120}?;\s*+(?:fi|done)\s*+(?:$|[;&|)#`'\"])"
    r"|[;|&`(]\s*+git\s++clone\s++\S"
    r"|(?<![\w-])(?:gwmi|iwmi)\s++-\w|[;|&]\s*+java\s++-[vjc]"
    r"|proxycommand=|(?:[;|&]|\$\()\s*+(?:(?:get|set|invoke|start|stop|new|remove)-[a-z]{3,20}\b|iex\b|\.\s++/|source\s++/|for\s++/f\b)"
)
# what only a shell works out: a variable that was set before, a word in escapes, and sums
_WHOLE = Late(  # commands that nobody writes down but to have them carried out
    r"(?i)(?:rm\s++-[rf]{1,3}\s++\S++|ps\s++(?:-\w{1,4}|aux)|ping\s++-[cnit]\s?\d{1,4}\s++\S++|uname\s++-\w{1,4}"
    r"|netstat\s++-\w{1,5}|(?:wget|curl)\s++(?:-\S++\s++){0,4}https?://\S++|nslookup\s++\S{1,60}\.\w{2,10}"
    r"|ls\s++-\w{1,5}(?:\s++/\S*+)?|ls\s++/\S*+|xterm\s++-display\s++\S++|cat\s++/\S++)\s*+#?\s*+"
)
_USED = Late(r"\$\{?([A-Za-z_]\w{0,15}+)")
_ASSIGNED = Late(r"[^\s;&|]{1,60}+[;&|]++")
_WORKED_OUT = Late(
    r"\$\{(?:HOME|PATH|PWD|SHELL|USER|IFS)(?::\d|[#%/])|[;|&`(]\s?\$\{?(?:SHELL|BASH|0)\b|%[A-Za-z]\w{1,30}:~-?\d"
    r"|(?:^|[;|&\n`(])\s{0,4}\$'(?:[^'\\]|\\.){1,60}'|\$\(\(\s{0,4}\d{1,9}\s{0,4}[*+-]\s{0,4}\d{1,9}\s{0,4}\)\)"
)
_FED = Late(r"(?<![<\s])<<<(?=[\"'$(\w])|(?<=[\w)] )<<<\s*+[\"'$(\w]|(?<=\s)<<<\s*+[\"'$(]")
_SHELLSHOCK = Late(r"(?<!\w)(?<!function )\(\s*+\)\s*+\{[^}]{0,20}\}?\s*+;|\(\)\s*+\{\s*+_;")
_INCLUDE = Late(r"<!--\s*+#\s*+(?:exec|include|echo|config|set|printenv|fsize|flastmod|if)\b")
_OPTION = Late(  # of tools that carry something out by it
    r"--(?:use-askpass|exec|to-command|rsh|rsh-command|pager|output|output-document|post-file|upload-pack|receive-pack"
    r"|checkpoint-action|use-compress-program|init-file)=\S|-\w{0,2}/(?:bin|tmp|etc|var)/|-exec(?:dir)?\s"
)
_WRITTEN = re.compile(r"(?:[^;|&\s]{0,24}[;|&]\s?:?)?\s?>{1,2}\s?/\w[\w./-]*+\s?$")  # `>/tmp/x`
_FOLDER_WORDS = words("tmp var dev home")
_SCRIPT = re.compile(  # a program by its path, behind a short value
    r"[^\s;|&`]{0,24}\s?(?:[;|&]{1,2}|\$\(|`)\s?(?:\.{1,2}/|/(?:tmp|var/tmp|dev/shm|home/\w{1,20})/)[\w.-]{1,40}\s?(?:$|[;|&)`#])"
)
_QUOTED_IN = Late(r"\w[^'\"]*['\"]|['\"]\w+['\"]\w")  # quotes within a word, not around it
_SPOKEN_WORD = Late(r"[^\W\d_]{2,}+")
_PLAIN_WORD = Late(r"[a-z_]\w*")
_SPLIT = re.compile(
    r"\^(?<=\w\^)\w|[;|&]\s?\w?(?:'\w{1,6}'|\"\w{1,6}\")\w?|''(?<=\w'')\w|\"\"(?<=\w\"\")\w|\\(?<=\w\\)\w|\$\{?IFS|\$[@*]|\$\{[@*]\}|/\?{2,}/"
    r"|/s?bin/\w*[?*\[]|\w\$\(\)\w|\w``\w|\w\$\{\w{1,8}\}\w|/[a-z?*\[\]]*[?*\[][\w?*\[\]]*/\S*[?*]|\{[a-z/]{2,12},[^}\s]{1,60}\}|\$\{\w++:\d++:\d++\}|\$'\\x"
)
_SPLITS = re.compile(r"['\"\\$?*{^]")
_MARKS = re.compile(r"[$(%@]|<<<|<!--|:[~\"]")  # without which `_is_marked` needs not look closer
_MAY_HIDE = re.compile(r"[;|&`\n$<{\x00%?*\\]")
_TRIGGERS = ALL | PIPE_WORDS | shell_code.WORDS
_ALL_SORTED = tuple(sorted(ALL))
_BY_LETTER = {letter: tuple(name for name in _ALL_SORTED if name[0] == letter) for letter in {name[0] for name in ALL}}
_MOST = 256  # words behind separators that are looked at closely
_FEW = 8  # blanks before a backtick that do not count
_NEAR = 40  # characters between a variable and its use
_LINE = 300  # characters before a separator that are looked at
_PROSE = 7  # words before a separator that make a common word behind it a part of prose


def find(reading: Reading) -> Sequence[Hit]:
    """What in a text a shell or an interpreter would carry out; a rule may be told several times."""
    text, words = reading.text, reading.words
    hits: list[Hit] = []
    if words.isdisjoint(_TRIGGERS):
        hidden = _is_hidden(text)
        if not hidden and not _is_marked(text):
            return _scripts(text, words)
    else:
        hidden = not words.isdisjoint(ALL) or _is_hidden(text)
    if hidden:
        if " " in text or "\t" in text or "bin" in text or _SPLITS.search(text) is not None:
            _lines(hits, text)
        if _SEPARATES.search(text) is not None:
            _commands(hits, text, reading.level)
    _patterns(hits, reading)
    return hits or _scripts(text, words)


def _scripts(text: str, words: AbstractSet[str]) -> Sequence[Hit]:
    """A program that is named by its path, or by an option."""
    if text[0] == "-" and (found := _OPTION.match(text)) is not None:
        return (Hit("shell.command", 0, found.end()),)
    if text[0] != "." and ("./" in text or not words.isdisjoint(_FOLDER_WORDS)):
        found = _SCRIPT.match(text) or _WRITTEN.match(text)
        return () if found is None else (Hit("shell.command", 0, found.end()),)
    return ()


def _is_hidden(text: str) -> bool:
    """Whether a word may be spelt so that only a shell knows it."""
    return _SPLITS.search(text) is not None and _MAY_HIDE.search(text) is not None and _SPLIT.search(text) is not None


def _is_marked(text: str) -> bool:
    """Whether it may be more than commands, none of whose words is known."""
    return _MARKS.search(text) is not None and (
        "$" in text
        or "<<<" in text
        or ":~" in text
        or "<!--" in text
        or shell_code.is_marked(text)
        or ("(" in text and "{" in text)
    )


def _lines(hits: list[Hit], text: str) -> None:
    """A text that is a command from its start on."""
    if len(text) < _LINE and _WHOLE.fullmatch(text) is not None:
        hits.append(Hit("shell.command", 0, len(text)))
        return
    found = _FIRST.match(text)
    first = _command(text, found[1], found.end(1)) if found is not None else None
    if first is not None and _is_line(text, first):
        hits.append(Hit("shell.disguise" if first[2] else "shell.command", 0, first[0]))


def _patterns(hits: list[Hit], reading: Reading) -> None:
    text, words = reading.text, reading.words
    shell_code.search(hits, reading)
    if "(" in text and "{" in text:
        _search(hits, "shell.shellshock", _SHELLSHOCK, text)
    if "$" in text:
        _variables(hits, text)
    if "$" in text or ":~" in text:
        _search(hits, "shell.disguise", _WORKED_OUT, text)
    if "<<<" in text:
        _search(hits, "shell.pipe", _FED, text)
    if "<!--" in text:
        _search(hits, "shell.include", _INCLUDE, reading.lowered)
    if not words.isdisjoint(PIPE_WORDS):
        found = _INTERPRETER.search(reading.lowered)
        if found is not None and not _is_prose(text, found.start()):
            hits.append(Hit("shell.pipe", found.start(), found.end()))


def _variables(hits: list[Hit], text: str) -> None:
    """A variable that is set and then used: `a=cat;$a x`."""
    if "=" not in text:
        return
    for found in islice(_USED.finditer(text), _MOST):
        name, used = found[1], found.start()
        at = text.rfind(f"{name}=", max(used - 2 * _NEAR, 0), used)
        if at < 0 or (at and text[at - 1] not in ";|&\n`( \t"):
            continue
        value = _ASSIGNED.match(text, at + len(name) + 1, used)
        if value is not None and used - value.end() <= _NEAR and "\n" not in text[value.end() : used]:
            hits.append(Hit("shell.disguise", at, found.end()))
            return


def _search(hits: list[Hit], rule: str, pattern: Pattern, text: str) -> None:
    found = pattern.search(text)
    if found is not None:
        hits.append(Hit(rule, found.start(), found.end()))


def _commands(hits: list[Hit], text: str, level: int) -> None:
    told = {""} if level > 1 else {"", "shell.word"}
    left = _MOST
    for found in _BEHIND.finditer(text):
        word = found[2]
        if word.isalnum() and word.lower() not in ALL:
            continue
        left -= 1
        if left < 0:
            return
        command = _command(text, word, found.end(2))
        rule = _rule(text, found, command) if command is not None else ""
        if command is not None and rule not in told:
            told.add(rule)
            hits.append(Hit(rule, found.start(), command[0]))


def _rule(text: str, found: re.Match[str], command: tuple[int, bool, bool, str]) -> str:
    """Which rule a command behind a separator breaks; empty for none."""
    end, sure, disguised, name = command
    at, mark = found.start(), found[1]
    if disguised:
        return "shell.disguise"
    if mark == "&" and text[end : end + 1] == ";" and _is_reference(text, at, end):
        return "shell.word"
    if mark == "`" and (text.startswith("``", at) or text[at - 1 : at] == "`" or not _is_bare(text, at)):
        return "shell.word"  # code in Markdown stands in backticks
    if mark in ("\n", "\r") and not _is_first_line(text, at):
        return "shell.word"
    if mark in ("&", "\n", "\r", "&&", "|", ";") and _is_prose(text, at):
        return "shell.word" if sure else ""
    if text[end : end + 1] == "," and text[found.start(2) - 1] == "{" and mark in _SURE_MARKS:
        return "shell.disguise"  # braces for blanks: `;{cp,a,b}`
    if text[end : end + 1] in ("=", "[", ",") and not mark.startswith(("{", "$")):
        return ""  # a further parameter, or one of a media type
    if mark in ("|", "&") and name in SPOKEN_OF and _END.match(text, end) and _is_listed(text, at):
        return "shell.word"  # "curl & wget", "name | id | type"
    if mark in ("`", "$(", "<(", ">("):
        ends = text[end : end + 1] == (")" if mark != "`" else mark)
        return "shell.substitution" if sure or ends or _END.match(text, end) else "shell.word"
    if sure:
        return "shell.command"
    if _END.match(text, end) and _is_way_out(text, at, mark):
        return "shell.command"
    return "shell.word"


def _is_reference(text: str, at: int, end: int) -> bool:
    """Whether `&name;` is HTML's, or stands between blanks as XML's do."""
    return text[at + 1 : end + 1] in html5 or not (text[max(at - 1, 0) : at].strip() or text[end + 1 : end + 2].strip())


def _command(text: str, word: str, end: int) -> tuple[int, bool, bool, str] | None:
    """The command that a word is: where its name ends, whether that is sure by itself, whether disguised, its name.

    :param end: where the word ends.
    """
    plain = _DROPPED.sub("", word).lower()
    folder = _FOLDERS.match(plain)
    name = plain[folder.end() :] if folder is not None else plain
    name = name.rstrip(".").removesuffix(".exe")
    known = name if name in ALL else _wild(name, in_folder=folder is not None and len(folder[0]) > 2)
    if not known or (word.istitle() and _ON_DRIVE.match(text, end) is None):
        return None
    disguised = plain != word.lower() and (_SPLIT.search(word) is not None or _QUOTED_IN.match(word) is not None)
    disguised = disguised or (known != name and folder is not None) or text.startswith(("$IFS", "${IFS"), end)
    sure = folder is not None and folder[0].startswith(("/", "c:")) and "bin" in folder[0]
    sure = sure or known not in WORDS or _has_argument(text, end, known)
    sure = sure or (known in _WRAPPERS and _is_command(text[end : end + 40].lstrip(" \t'\"\\")))
    sure = sure or (known in _SPOKEN and _SAID.match(text, end) is not None)
    return end, sure, disguised, known


def _has_argument(text: str, end: int, name: str) -> bool:
    """Whether a command's name is followed by what commands have there; a program's version is none."""
    return _ARGUMENT.match(text, end) is not None and not (name in TOOLS and _VERSION.match(text, end) is not None)


def _is_command(text: str) -> bool:
    word = _PLAIN_WORD.match(text)
    return word is not None and word[0] in ALL


def _wild(name: str, *, in_folder: bool) -> str:
    """The command that a pattern such as `c?t` means; empty for none."""
    if len(name) > 20 or not any(mark in name for mark in "?*["):
        return ""
    letters = re.sub(r"[?*\[\]]", "", name)
    if len(letters) < (1 if in_folder else 2) and (letters or name.count("?") < 2):
        return ""
    marked = name.replace("[", "").replace("]", "")
    first = marked[:1]
    known = _ALL_SORTED if first in "?*" else _BY_LETTER.get(first, ())
    return next((one for one in known if _is_meant(marked, one)), "")


def _is_meant(pattern: str, name: str) -> bool:
    """Whether a pattern of letters, `?` and `*` means a name."""
    head, *rest = pattern.split("*")
    if not rest:
        return _fits(pattern, name)
    at = len(head)
    if not _fits(head, name[:at]):
        return False
    for part in rest[:-1]:
        at = name.find(part, at) + len(part)
        if at < len(part):
            return False
    tail = rest[-1]
    return len(name) - at >= len(tail) and _fits(tail, name[len(name) - len(tail) :])


def _fits(pattern: str, name: str) -> bool:
    return len(pattern) == len(name) and all(a in ("?", b) for a, b in zip(pattern, name, strict=True))


def _is_line(text: str, command: tuple[int, bool, bool, str]) -> bool:
    """Whether a text that begins with a command's name is a command line: by its folder, its file or its disguise."""
    end, sure, disguised, name = command
    if disguised:
        return True
    if "/" in text[:end] and "bin" in text[:end]:
        return name not in TOOLS or end < len(text.rstrip())
    return (
        sure
        and name not in ("python", "python3", "node", "php", "pip", "npm")
        and _FILE_ARGUMENT.match(text, end) is not None
    )


def _is_bare(text: str, at: int) -> bool:
    """Whether a backtick belongs to a value rather than to Markdown: nothing before it, or no space."""
    if at < _FEW and not text[:at].strip():
        closing = text.find("`", at + 1)
        return closing < 0 or len(text) - closing < 6 or not text[closing + 1 : closing + 3].strip().isalpha()
    return not text[at - 1].isspace() and text[at - 1] not in "`(["


def _is_prose(text: str, at: int) -> bool:
    head = text[: min(at, _LINE)]  # whatever is longer has words enough, or none at all
    return head.count(" ") + head.count("\n") >= _PROSE and len(_SPOKEN_WORD.findall(head)) >= _PROSE


def _is_first_line(text: str, at: int) -> bool:
    """Whether a line break ends the short value that was expected, rather than a line of text or code."""
    before = text[: min(at, _LINE)].strip()
    return "\n" not in before and " " not in before and len(before) < 24 and not before.startswith(("```", "#", "$"))


def _is_listed(text: str, at: int) -> bool:
    """Whether a separator stands between spaces behind a word, as in lists of words."""
    return text[at - 1 : at] == " " and text[at + 1 : at + 2] == " " and text[:at].rstrip()[-1:].isalpha()


def _is_way_out(text: str, at: int, mark: str) -> bool:
    """Whether a bare word behind a separator is a command: little stands before it, and the list does not go on."""
    before = text[max(0, at - _LINE) : at].strip()
    if mark == "&" and text.endswith("&", at + 2) and "=" not in text and text.find("&", at + 1) == len(text) - 1:
        return True
    if mark == "&" and before and (" " not in text[at : at + 2] or " " in before):
        return False
    if before.isalpha() and _is_listed(text, at):
        return False
    return len(before) <= 3 or before[0] == "-" or not before[-1:].isalpha() or "." in before or before[-1] in "'\")"
