"""Find calls that were meant for an interpreter: PHP, Python, Java, Perl, Ruby, Node.

What is called tells: functions that run commands or code, however the language lets their names be written, and
objects through which an expression reaches for them. Methods that only share a name with one are somebody else's.
"""

from __future__ import annotations

import re

from proxy.sanitize.late import Late, Pattern
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.wordlists import words

_RUNS = r"(?:system|passthru|(?:shell_|pcntl_)?exec|popen|proc_open|assert|create_function|phpinfo|eval)"
_CODE = Late(
    r"(?:system|passthru|shell_exec|popen|proc_open|pcntl_exec|assert|create_function"
    r"|call_user_func(?:_array)?)\s*+\(\s*+(?:['\"`\\$]|\w++\s*+\()"
    r"|e(?:val|xec)\s*+\(\s*+(?:['\"`]|\$[\w{]|base64|compile|gzinflate|__import__|str_rot13|chr\()"
    r"|(?:array_map|array_filter|usort|ob_start|register_shutdown_function)\s*+\(\s*+['\"](?:system|exec|passthru|shell_exec|assert)"
    r"|(?:print|die|exit|var_dump|echo)\s*+\(\s*+(?:md5|sha1|phpversion|php_uname|getcwd)\s*+\(|(?:die|exit|print)\s*+\(\s*+`"
    r"|phpinfo\s*+\(|file_(?:get|put)_contents\s*+\(\s*+['\"$]|__import__\s*+\("
    r"|gethostbyname\s*+\(\s*+(?:lc|trim)\s*+\(|response\.write\s*+\(\s*+\d"
)
# a name that PHP puts together before it calls it: `(system)('id')`, `['system'][0](id)`, `"sys"."tem"('id')`
_NAMED = Late(
    rf"[(\['\"]\s*+{_RUNS}\s*+['\"]?(?:\s*+[)\]]){{0,4}}+(?:\s*+[\[{{]\s*+\d\s*+[\]}}])*+\)*+(?<=[)\]}}'\"])\s*+\(\s*+['\"\w$]"
)
_PUT_TOGETHER = re.compile(
    r"\(\s*+['\"(]?\w{1,20}['\")]?\s*+\.\s*+[('\"]['\"\w.() ]{1,60}?(?<=[)'\"])\(\s*+['\"$\w]"
    r"|\(\$\w{1,30}\)\s*+\(|\(\w\)(?:\[\d\]){0,3}+\(\s*+['\"]"
)
_VARIABLE = Late(  # a function whose name is a variable's, or an element of one
    r"@?\$(?:\w{1,40}|\{[^}\n]{1,40}\})(?:\s*+[\[{](?:['\"@$][^\]}\n]{0,40}|\d{1,3}|_)[\]}]){1,4}+\s*+\(|@\$\w{1,40}\s*+\("
    r"|\$\{\s*+@|=\s*+@\$\w{1,40}\s*+\("
)
_OBJECT = Late(r"(?<!\w)[oc]:\+?\d{1,4}:\"[\w\\]{1,80}\":\d{1,5}:\{")  # serialized, as PHP does
_OBJECTS = Late(
    r"os\s*+\.\s*+(?:system|popen\d?|exec[lv]\w*|spawn\w*)\s*+\(|subprocess\s*+\.\s*+(?:popen|call|run"
    r"|check_\w++)\s*+\(\s*+['\"\[]"
    r"|runtime\s*+(?:\.|\))\s*+\.?getruntime|processbuilder\s*+\(|t\s*+\(\s*+java\.|java\.lang\.|javax\.script"
    r"|child_process|ffi::cdef|invokefunction"
    r"|process\.(?:mainmodule|binding)|io\.popen|kernel\.(?:system|exec)|%x[({\[]|@ognl\.|#_memberaccess|#context\["
    r"|@\{\[|freemarker\.template"
    r"|<\?(?:php|=)[^?]{0,200}?(?:system|eval|exec|passthru|phpinfo|shell|\$_|`|md5|base64|chr\(|unlink|die\b|fputs|fwrite|file_)|\$_(?:get|post|request|cookie"
    r"|server)\s*+\["
    r"|require\s*+\(\s*+['\"](?:fs|os|net|vm|child)"
)
_JOINED = re.compile(r"\w\s?\.\s?\w|\w\s?\(|[@#$?]\w|[\[<]|\w::\w")
_CODE_WORDS = words(
    "system passthru shell_exec popen proc_open pcntl_exec assert create_function call_user_func"
    " array_map array_filter usort ob_start register_shutdown_function print die exit var_dump"
    " call_user_func_array eval exec phpinfo file_get_contents file_put_contents __import__ gethostbyname response"
)
_OBJECT_WORDS = words(
    "os subprocess getruntime processbuilder java javax child_process mainmodule binding io kernel ognl ffi"
    " invokefunction _memberaccess context freemarker php _get _post _request _cookie _server require"
)
WORDS = _CODE_WORDS | _OBJECT_WORDS  # without which, and without marks of its own, no text holds such a call


def is_marked(text: str) -> bool:
    """Whether a text may hold a call none of whose words is known."""
    return (
        "%x" in text or "@{[" in text or ':"' in text or ("(" in text and ("$" in text or ".(" in text or ")(" in text))
    )


def search(hits: list[Hit], reading: Reading) -> None:
    """Add what in a text an interpreter would carry out; a rule may be told several times."""
    text, words = reading.text, reading.words
    if "(" in text:
        if not words.isdisjoint(_CODE_WORDS):
            _calls(hits, reading.lowered)
            _first(hits, _NAMED, reading.lowered)
        if ".(" in text or ")(" in text or "](" in text:
            _first(hits, _PUT_TOGETHER, text)
        if "$" in text:
            _first(hits, _VARIABLE, text)
    if (not words.isdisjoint(_OBJECT_WORDS) and _JOINED.search(text) is not None) or "%x" in text or "@{[" in text:
        _first(hits, _OBJECTS, reading.lowered)
    if ':"' in text and ("o" in words or "c" in words):
        _first(hits, _OBJECT, reading.lowered)


def _calls(hits: list[Hit], text: str) -> None:
    """Calls of functions, not of methods of that name."""
    for found in _CODE.finditer(text):
        before, earlier = text[found.start() - 1 : found.start()], text[found.start() - 2 : found.start() - 1]
        joined = before == "." and earlier in ("'", '"')  # PHP joins strings by dots
        if joined or (not before.isalnum() and before not in (".", "_", ">", ":", "-")):
            hits.append(Hit("shell.code", found.start(), found.end()))
            return


def _first(hits: list[Hit], pattern: Pattern, text: str) -> None:
    found = pattern.search(text)
    if found is not None:
        hits.append(Hit("shell.code", found.start(), found.end()))
