"""Find paths that climb out of where they belong, and files that only the system should read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from proxy.sanitize.late import Late
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.wordlists import listed, words

_SLASH = r"(?:[/\\]|0x2f|0x5c|%2f|%5c|%c0%af|%c1%9c|\u2215|\u2216)"
_UP = re.compile(rf"(?i)(?:^|(?<=[/\\=:;,?&\"'\s|(]))(?:\.|0x2e){{2,4}}[\x00;?]?{_SLASH}++(?:\.{_SLASH}++)*+")
_UPS = Late(r"\.\.(?:[/\\]|$)")
_DISGUISED = Late(
    rf"(?i)(?:0x2e){{2}}|\.\.(?:[\x01-\x1f\x7f-\x9f\xff]{{1,2}}[/\\]|(?:;|\x00|0x2f|0x5c|\?){_SLASH}?"
    r"|[/\\]\./|/\.\\|/[\\/]|\\/)|\.\.\./\./|\.{3,6}[/\\]{2,}|/%5c\.\.|\.\\\.[/\\]|\./\\\."
    r"|(?<!\.)\.{3,8}[/\\]\.{3,8}[/\\]|^/\w+\.\./|^\\\\[.?]\\"
)
_FILES = listed(
    "etc/passwd etc/shadow etc/group etc/gshadow etc/hosts etc/hostname etc/issue etc/motd etc/fstab etc/services"
    " etc/networks etc/crontab etc/sudoers etc/my.cnf etc/mysql/my etc/profile etc/resolv.conf etc/inetd etc/ssh/"
    " etc/httpd/ etc/apache etc/nginx/nginx etc/php etc/redhat etc/os-release etc/master.passwd etc/security/"
    " etc/network/ etc/pam etc/exports etc/samba/ etc/init.d/ etc/rc. etc/aliases etc/bashrc etc/environment etc/cron"
    " etc/protocols proc/self proc/version proc/cmdline proc/cpuinfo proc/net proc/mounts proc/sched_debug"
    " proc/meminfo proc/filesystems proc/devices proc/loadavg proc/stat proc/modules proc/1/ var/log/ var/run/"
    " var/mail var/spool var/adm root/.ssh root/.bash root/.profile root/.mysql .htaccess .htpasswd .bash_history"
    " /.ssh/ .aws/credentials .git/config .git/head .svn/entries .mysql_history /.netrc /.npmrc .dockerenv boot.ini"
    " win.ini system.ini windows/system32 winnt/system32 windows/repair windows/php.ini windows/panther windows/debug"
    " system32/ web-inf/ meta-inf/ web.config wp-config global.asax inetpub/ xampp/ id_rsa id_dsa authorized_keys"
    " localconfig.php usr/local/apache usr/local/etc usr/local/psa usr/local/php usr/local/cpanel php.ini php4.ini"
    " php5.ini apache/conf apache/log apache2/conf apache2/log access.log access_log error.log error_log httpd.conf"
    " sys/class/ var/www/html/ var/lib/mysql var/lib/mlocate"
    " root/. boot/grub tomcat-users nginx.conf shadow.bak dev/random dev/urandom dev/null dev/zero"
    " dev/tcp dev/fd/ dev/stdin /lampp pagefile.sys ntuser.dat"
    " autoexec.bat sys/kernel/ run/secrets/ dev/mem usr/etc/ .gitconfig .netrc .npmrc .pgpass .my.cnf .ssh/ .aws/"
    " .docker/config .kube/config .bashrc .git/ .svn/ .hg/ .bzr/ my.ini unattend. filezilla"
    " autoexec.bat config.sys .ds_store windows/iis windows/windowsupdate /.env"
    " tomcat/conf conf/server.xml conf/web.xml sysprep.inf tmp/sess_"
)
_FILE_WORDS = words(
    "passwd shadow group gshadow hosts hostname issue motd fstab services networks crontab sudoers cnf mysql profile"
    " resolv inetd ssh httpd apache nginx php redhat release security network pam exports samba d rc aliases bashrc"
    " environment cron protocols self version cmdline cpuinfo net mounts sched_debug meminfo filesystems devices"
    " loadavg stat modules log run mail spool adm htaccess htpasswd bash bash_history credentials config head entries"
    " mysql_history netrc npmrc dockerenv ini repair panther debug system32 inf wp asax inetpub xampp id_rsa id_dsa"
    " authorized_keys localconfig psa cpanel access_log error_log tcp fd stdin lampp sys dat iis windowsupdate env"
    " proc apache2 logs php4 php5 init conf etc www lib class"
    " root boot grub tomcat random urandom null zero bak autoexec ds_store kernel secrets mem"
    " gitconfig pgpass my aws docker kube git svn hg bzr unattend filezilla usr sysprep tmp"
)


def _any_of(files: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the first of them, those in the same folder tried together."""
    folders: dict[str, list[str]] = {}
    for file in files:
        folder, slash, name = file.rpartition("/")
        folders.setdefault(folder + slash, []).append(re.escape(name))
    return re.compile("|".join(f"{re.escape(folder)}(?:{'|'.join(names)})" for folder, names in folders.items()))


_FILE = _any_of(_FILES)
_MANY = 16  # mentions of files that are looked at
_SETTINGS = re.compile(
    r"[\s'\"|<>;(&=]{0,3}+(?:\w{1,16}=)?+(?:file:/*+)?(?:/etc/[\w.*?\[-]{2}|/proc/[\w*?]|/[a-z]{0,3}[?*\[][a-z?*\[\]]{0,8}/(?:passwd|shadow|group|hosts)$|\.env(?:\.\w{1,12})?$|/(?:root|proc)/?$|/etc/$|/bin/(?:ba)?sh$|//[.?]/)"
)
_GOAL = Late(  # what a short climb is after: nothing, or what no page links to
    r"(?i)(?:[./\\]{0,8}+|(?:\w{1,16}/){0,3}+(?:(?:db-?)?config(?:uration)?\.(?:php|inc|ya?ml|py|ini|asp)|settings\.(?:py|php|ini)"
    r"|(?:database|db|data)\.(?:ya?ml|php|sqlite3?|db|ini)|application\.(?:properties|ya?ml)|appsettings(?:\.\w+)?\.json"
    r"|parameters\.ya?ml|secrets?\.\w{1,5}|credentials?(?:\.\w{1,5})?|[\w-]{1,30}\.(?:pem|key|p12|pfx|sql|sqlite3?|bak)|(?:smb|httpd|nginx|apache2?)\.conf"
    r"|passwd|shadow|master\.key|web\.xml|server\.xml|local_settings\.py|\.env\S{0,16}|\.git\S{0,30}|\.ht\w{1,10}))"
)
_SHARE = Late(r"\\\\(?:[\w-]++\.[\w.-]++|[\w.-]++\\[A-Za-z]\$)(?:\\|$)")  # of a host that is no mere name
_SAME_FOLDER = re.compile(r"/(?:\./|/)++")
_WRAPPER = re.compile(
    r"(?:^|[=\s\"'/\\(:,;])(?:php://(?:filter|input|fd|memory|temp|stdin)|expect://|phar://|zip://\S|zlib:"
    r"|compress\.\w+://|glob://|ogg://|data:(?://)?text/plain[;,]|gopher://|dict://|netdoc:/|jar:(?:http|file)|ssh2\."
    r"|rar://|ldaps?://|tftp://)|(?:^|=)[\x00-\x20'\"]{0,2}file:/{1,3}(?!/)[\w~.%]"
)
_BEFORE = Late(r"^(?:[\w-]{1,16}=|[\x00-\x20'\"|<>;(&]{0,3}+(?:file:/*+)?(?:[a-zA-Z]:)?)$")
_MARKS = re.compile(r"\.\.|[\\:]|0x2e|ssh2")  # with none of them, and no file's name, nothing below can match
_WORDS_BEHIND = Late(r"[ \n]\w{2,}")


def find(reading: Reading) -> Sequence[Hit]:
    """What in a text leads out; a rule may be told several times."""
    text = reading.text
    known = not reading.words.isdisjoint(_FILE_WORDS)
    if not known and _MARKS.search(reading.lowered) is None:
        return ()
    hits: list[Hit] = []
    if ".." in text or "\\" in text or "0x2e" in reading.lowered:
        found = _DISGUISED.search(text)
        if found is not None and not _is_dots(text, found):
            hits.append(Hit("path.encoded", found.start(), found.end()))
        _climbs(hits, text)
    if text.startswith("\\\\") and (share := _SHARE.match(text)) is not None:
        hits.append(Hit("path.file", 0, share.end()))
    if known:
        _files(hits, reading)
    if ":" in text or "ssh2" in reading.words:
        _wrappers(hits, reading.lowered)
    return hits


def _wrappers(hits: list[Hit], lowered: str) -> None:
    if ":/" in lowered or ":\\" in lowered or "data:" in lowered or "zlib:" in lowered or "ssh2." in lowered:
        found = _WRAPPER.search(lowered)
        if found is not None:
            hits.append(Hit("path.wrapper", found.start(), found.end()))


def climbed(text: str) -> bool:
    """Whether `text` holds a segment that goes up, however many."""
    return _UPS.search(text) is not None


def _is_dots(text: str, found: re.Match[str]) -> bool:
    """Whether the dots are an ellipsis: words before and no slash behind."""
    mark = found[0]
    return (
        "/" not in mark
        and "\\" not in mark
        and "0x" not in mark.lower()
        and "\0" not in mark
        and text[found.end() : found.end() + 1] not in ("/", "\\")
    )


def _climbs(hits: list[Hit], text: str) -> None:
    ups = [found.span() for found in _UP.finditer(text)]
    if not ups:
        if text.startswith(("/..", "\\..")) or text in ("..", "../", "..\\"):
            rule = "path.climb" if text in ("/..", "\\..") else "path.relative"
            hits.append(Hit(rule, 0, min(len(text), 4)))
        return
    first, last, depth = ups[0][0], ups[-1][1], len(ups)
    inside = first > 0 and text[first - 1] in "/\\" and text.count(" ", 0, first) < 3
    steep = (
        depth >= 3
        or (inside and depth >= 2)
        or (first == 1 and text[0] in "/\\")
        or (depth >= 2 and "\\" in text[first:last])
    )
    hits.append(Hit("path.climb" if steep else "path.relative", first, last))
    if not steep and ("\0" in text[last:] or _GOAL.fullmatch(text, last) is not None):
        hits.append(Hit("path.climb", first, len(text)))


def _files(hits: list[Hit], reading: Reading) -> None:
    """A file of the system, as the whole value or as its end; anywhere else it is only mentioned."""
    plain = reading.lowered
    if "\\" in plain or "//" in plain or "/./" in plain:
        plain = _SAME_FOLDER.sub("/", plain.replace("\\", "/"))
    whole = _SETTINGS.match(plain)
    if whole is not None and _WORDS_BEHIND.search(plain, 0, 120) is None:
        hits.append(Hit("path.file", 0, whole.end()))
        return
    mention = None
    for found in islice(_FILE.finditer(plain), _MANY):
        mention = mention or found
        if _is_meant(plain, found) and _is_strong(plain, found[0]):
            hits.append(_hit("path.file", found, plain, reading))
            return
    if mention is not None and reading.level > 1:
        hits.append(_hit("path.mention", mention, plain, reading))


def _is_meant(plain: str, found: re.Match[str]) -> bool:
    """Whether a file is what the value is about: nothing but a way to it before, and no prose behind."""
    at, end = found.span()
    begin = (
        0
        if plain[1:3] == ":/"
        else max(plain.rfind(" ", 0, at), plain.rfind("\n", 0, at), plain.rfind("\t", 0, at)) + 1
    )
    if begin and _BEFORE.match(plain[:begin]) is None:
        return False
    way = plain[begin:at]
    rooted = not way or ".." in way or "/" in way or "=" in way or way[1:2] == ":" or way == "~"
    return (rooted or way.lstrip("'\"|<>").startswith(("/", "."))) and _WORDS_BEHIND.search(
        plain, end, end + 60
    ) is None


def _hit(rule: str, found: re.Match[str], plain: str, reading: Reading) -> Hit:
    """Where a file stands in the text itself, whose slashes may be others."""
    length = len(reading.text)
    start = max(reading.text.find(found[0].partition("/")[0]), 0) if plain != reading.lowered else found.start()
    return Hit(rule, min(start, length), min(start + len(found[0]), length))


def _is_strong(plain: str, file: str) -> bool:
    """Whether the file is no page of the site that a URL names."""
    if "://" in plain and not plain.startswith(("file", "php", "zip", "phar")):
        return ".." in plain or file.startswith(("etc/", "proc/", "win.ini", "boot.ini"))
    return True
