"""Take out of a text what does harm, and leave the rest as it was. Nothing is changed in place.

HTML is rewritten by nh3, which parses as browsers do and writes what an allow-list keeps; a text that holds no tag is
never touched by it, so that `a < b` stays what it is. Its time grows with the square of how deep elements are nested:
who cleans what strangers send asks `is_crowded` before, or bounds the length.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, cast

from proxy.sanitize.late import Late
from proxy.sanitize.markup import has_tag
from proxy.sanitize.validate import IN_NAMES, is_reserved
from proxy.sanitize.wordlists import words

T = TypeVar("T")

DEPTH = 100  # levels of nesting that `sanitize` follows
_LONGEST = 255  # bytes of a file's name
_CROWD = 1500  # elements that can be nested; that many take nh3 some milliseconds, or a tenth of a second at the worst
_NESTED = Late(r"(?i)<(?!(?:p|li|d[dt]|t[dhr]|tbody|thead|tfoot|h[1-6]|br|hr|img)[\s/>])[a-z]")
_CONTROLS = Late(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufffe\uffff\ud800-\udfff]")
_SURROGATES = Late(r"[\ud800-\udfff]")
_BIDI = Late(r"[\u202a-\u202e\u2066-\u2069]")  # they make a text read other than it is (CVE-2021-42574)
_TAGS: frozenset[str] = words(
    "a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span"
    " strong sub sup table tbody td tfoot th thead tr u ul var"
)
_ATTRIBUTES: Mapping[str, AbstractSet[str]] = {
    "a": {"href", "title", "hreflang"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
_SCHEMES: frozenset[str] = frozenset({"http", "https", "mailto", "tel"})


def sanitize(value: T) -> T:
    """A cleaned copy of a string, or of every string in dicts, lists and tuples, keys too; other values as they are. Of
    keys that become the same the last one stays.

    Of strings go control characters (tabs and line breaks stay), null bytes, lone surrogates and characters that turn
    the reading direction; those that hold a tag are also given to `sanitize_html`.

    :raises ValueError: when it is nested more than 100 deep.
    """
    return cast("T", _cleaned(value, DEPTH, {}))


def _cleaned(value: Any, depth: int, made: dict[int, Any]) -> Any:
    """A cleaned copy; `made` are those of containers by what they are of: a few that hold each other twice and twice
    again, as anchors of YAML make them, would be millions otherwise."""
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        raise ValueError(f"nested more than {DEPTH} deep")
    if id(value) not in made:
        made[id(value)] = _copied(value, depth - 1, made)
    return made[id(value)]


def _copied(value: Any, depth: int, made: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return {_cleaned(key, depth, made): _cleaned(item, depth, made) for key, item in value.items()}
    items = [_cleaned(item, depth, made) for item in value]
    return tuple(items) if isinstance(value, tuple) else items


def clean_text(text: str) -> str:
    """One string without control characters and, where it holds a tag, without what its markup could run."""
    plain = strip_controls(text)
    if not has_markup(plain):
        return plain
    clean = sanitize_html(plain)
    while (plain := strip_controls(clean)) != clean:  # character references spell controls too
        clean = sanitize_html(plain)
    return clean


def is_crowded(text: str) -> bool:
    """Whether a text holds so many elements that to clean it may take long."""
    return text.count("<") > _CROWD and len(_NESTED.findall(text)) > _CROWD


def has_markup(text: str) -> bool:
    """Whether a browser would make an element or comment of something in the text."""
    return "<" in text and (has_tag(text) or "<!" in text or "<?" in text)


def strip_controls(text: str) -> str:
    """The text without control characters but tab, line feed and carriage return, and without direction marks."""
    if text.isascii() and text.isprintable():
        return text
    return _BIDI.sub("", _CONTROLS.sub("", text))


def sanitize_html(
    text: str, *, tags: AbstractSet[str] | None = None, attributes: Mapping[str, AbstractSet[str]] | None = None
) -> str:
    """HTML with nothing in it but what is allowed, and no lone surrogates; links get `rel="noopener noreferrer"`.

    :param tags: elements that stay; the usual ones of formatted text when None. The text in others stays, but for
        that of scripts and styles.
    :param attributes: attributes that stay, by element; the usual harmless ones when None.
    """
    import nh3  # some megabytes, for those alone who rewrite HTML

    return nh3.clean(
        _SURROGATES.sub("", text),
        tags=set(_TAGS if tags is None else tags),
        attributes={name: set(of) for name, of in (_ATTRIBUTES if attributes is None else attributes).items()},
        url_schemes=set(_SCHEMES),
    )


def clean_filename(name: str, default: str = "file") -> str:
    """A name that every file system takes and that names nothing outside its folder; at most 255 bytes of UTF-8.

    :param default: what is given when nothing is left.
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", IN_NAMES.sub("", name)).strip(" .")
    if is_reserved(name):
        name = f"_{name}"
    return _fitting(name) or default


def _fitting(name: str) -> str:
    """A name cut to what file systems take, its suffix kept where that is a short one."""
    if len(name.encode()) <= _LONGEST:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) >= 32:
        stem, dot, suffix = name, "", ""
    room = _LONGEST - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + dot + suffix
