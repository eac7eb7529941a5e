"""Find paths that climb out of where they belong, and files that only the system should read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import Hit
from proxy.sanitize.wordlists import listed, words

_SLASH = r"(?:[/\\]|0x2f|0x5c|%2f|%5c|%c0%af|%c1%9c|\u2215|\u2216)"
_UP = re.compile(rf"(?i)(?:^|(?<=[/\\=:;,?&\"'\s|(]))(?:\.|0x2e){{2,4}}[\x00;?]?{_SLASH}++(?:\.{_SLASH}++)*+")
_UPS = re.compile(r"\.\.(?:[/\\]|$)")
_DISGUISED = re.compile(
    rf"(?i)(?:0x2e){{2}}|\.\.(?:;|\x00|0x2f|0x5c|\?){_SLASH}?|\.{{3,6}}[/\\]{{2,}}|\.\.\./\./|\.\.[/\\]\./"
    rf"|\.\./\.\\|\.\.(?:/\\|\\/)|\.\.//|/%5c\.\.|\.\\\.[/\\]|\./\\\.|(?<!\.)\.{{3,8}}[/\\]\.{{3,8}}[/\\]|\.\.\\/"
    r"|^/\w+\.\./|^\\\\[.?]\\"
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
    " dev/tcp dev/fd/ dev/stdin /lampp pagefile.sys ntuser.dat windows/iis windows/windowsupdate /.env"
)
_FILE_WORDS = words(
    "passwd shadow group gshadow hosts hostname issue motd fstab services networks crontab sudoers cnf mysql profile"
    " resolv inetd ssh httpd apache nginx php redhat release security network pam exports samba d rc aliases bashrc"
    " environment cron protocols self version cmdline cpuinfo net mounts sched_debug meminfo filesystems devices"
    " loadavg stat modules log run mail spool adm htaccess htpasswd bash bash_history credentials config head entries"
    " mysql_history netrc npmrc dockerenv ini repair panther debug system32 inf wp asax inetpub xampp id_rsa id_dsa"
    " authorized_keys localconfig psa cpanel access_log error_log tcp fd stdin lampp sys dat iis windowsupdate env"
    " proc apache2 logs php4 php5 init conf etc www lib class"
    " root boot grub tomcat random urandom null zero bak"
)
_FILES_BY_WORD = {
    word: tuple(file for file in _FILES if word in re.findall(r"[a-z_][a-z0-9_]*", file)) for word in _FILE_WORDS
}
_SETTINGS = re.compile(r"[\s'\"|<>;(&=]{0,3}+(?:\w{1,16}=)?+(?:file:/*+)?(?:/etc/[\w.*?-]{2}|\.env$|//[.?]/)")
_SAME_FOLDER = re.compile(r"/(?:\./|/)++")
_WRAPPER = re.compile(
    r"(?:^|[=\s\"'/\\(:,;])(?:php://(?:filter|input|fd|memory|temp|stdin)|expect://|phar://|zip://\S|zlib:"
    r"|compress\.\w+://|glob://|ogg://|data:(?://)?text/plain[;,]|gopher://|dict://|netdoc:/|jar:(?:http|file)|ssh2\."
    r"|rar://)|(?:^|=)[\x00-\x20'\"]{0,2}file:/{1,3}(?!/)[\w~.%]"
)
_BEFORE = re.compile(r"^(?:[\w-]{1,16}=|[\x00-\x20'\"|<>;(&]{0,3}+(?:file:/*+)?(?:[a-zA-Z]:)?)$")
_WORDS_BEHIND = re.compile(r"[ \n]\w{2,}")


def find(reading: Reading) -> Iterable[Hit]:
    """What in a text leads out; a rule may be told several times."""
    text = reading.text
    if ".." in text or "\\" in text or ":" in text or "0x2e" in reading.lowered or "ssh2" in reading.words:
        return _found(reading)
    return () if reading.words.isdisjoint(_FILE_WORDS) else _files(reading)


def _found(reading: Reading) -> Iterator[Hit]:
    text = reading.text
    if ".." in text or "\\" in text or "0x2e" in reading.lowered:
        found = _DISGUISED.search(text)
        if found is not None and not _is_dots(text, found):
            yield Hit("path.encoded", found.start(), found.end())
        yield from _climbs(text)
    if not reading.words.isdisjoint(_FILE_WORDS):
        yield from _files(reading)
    if (
        ":/" in text
        or ":\\" in text
        or "data:" in reading.lowered
        or "zlib:" in reading.lowered
        or "ssh2." in reading.lowered
    ):
        found = _WRAPPER.search(reading.lowered)
        if found is not None:
            yield Hit("path.wrapper", found.start(), found.end())


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


def _climbs(text: str) -> Iterator[Hit]:
    ups = list(_UP.finditer(text))
    if not ups:
        if text.startswith(("/..", "\\..")) or text in ("..", "../", "..\\"):
            yield Hit("path.relative", 0, min(len(text), 4))
        return
    first, last = ups[0].start(), ups[-1].end()
    depth = len(ups)
    inside = first > 0 and text[first - 1] in "/\\" and text[:first].count(" ") < 3
    steep = (
        depth >= 3
        or (inside and depth >= 2)
        or (first == 1 and text[0] in "/\\")
        or ("\\" in text[first:last] and depth >= 2)
    )
    yield Hit("path.climb" if steep else "path.relative", first, last)
    if not steep and ("\0" in text[last:] or (text[last:] == "" and depth > 1)):
        yield Hit("path.climb", first, len(text))


def _files(reading: Reading) -> Iterator[Hit]:
    text = reading.text
    plain = _SAME_FOLDER.sub("/", reading.lowered.replace("\\", "/"))
    whole = _SETTINGS.match(plain)
    if whole is not None and _WORDS_BEHIND.search(plain[:120]) is None:
        yield Hit("path.file", 0, whole.end())
        return
    likely = {file for word in reading.words & _FILE_WORDS for file in _FILES_BY_WORD[word]}
    file = min((file for file in likely if file in plain), key=_FILES.index, default="")
    if not file:
        return
    folder = plain[: plain.index(file)]
    begin = max(folder.rfind(" "), folder.rfind("\n"), folder.rfind("\t")) + 1
    alone = begin == 0 or _BEFORE.match(folder[:begin]) is not None
    way = folder[begin:]
    rooted = (
        not way
        or ".." in way
        or "/" in way
        or "=" in way
        or way[1:2] == ":"
        or way == "~"
        or way.lstrip("'\"|<>").startswith(("/", "."))
    )
    behind = plain[len(folder) + len(file) :]
    goes_on = _WORDS_BEHIND.search(behind[:60]) is not None
    sure = alone and rooted and not goes_on and _is_strong(plain, file)
    start = min(text.find(file.partition("/")[0]) if plain != text.lower() else len(folder), len(text))
    yield Hit("path.file" if sure else "path.mention", max(start, 0), min(max(start, 0) + len(file), len(text)))


def _is_strong(plain: str, file: str) -> bool:
    """Whether the file is no page of the site that a URL names."""
    if "://" in plain and not plain.startswith(("file", "php", "zip", "phar")):
        return ".." in plain or file.startswith(("etc/", "proc/", "win.ini", "boot.ini"))
    return True
