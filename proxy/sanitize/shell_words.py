"""The words that a shell or an interpreter acts on."""

from __future__ import annotations

from proxy.sanitize.wordlists import words

# names that hardly stand behind a separator by chance
NAMES = words(
    "ls cat wget curl whoami uname ifconfig ipconfig netstat nslookup dig passwd chmod chown bash sh zsh ksh csh"
    " tcsh dash nc ncat netcat telnet ssh scp ftp tftp python python2 python3 perl ruby php node lua gcc awk gawk sed"
    " grep egrep fgrep tac nl xxd od hexdump base64 base32 mkdir rmdir rm cp mv ln ps pwd printenv env systeminfo"
    " tasklist taskkill whereis traceroute tracert arp iptables crontab sudo su cmd cmd.exe powershell powershell.exe"
    " pwsh certutil bitsadmin reg wmic mshta regsvr32 rundll32 cscript wscript schtasks dir ping ping6 nohup xargs"
    " eval exec uptime hostname lsof mount umount useradd adduser apt apt-get yum dpkg rpm pip npm docker kubectl aws"
    " gcloud socat xterm mysql psql mysqldump phpinfo tcpdump nmap busybox printf touch ifs id getent lsb_release"
    " dmesg lscpu df du stat strings diff rev ipconfig.exe net.exe ver vol attrib icacls systemctl service openssl"
    " uniq expr fold md5sum sha1sum sha256sum cksum sendmail mailx logname nsenter lsblk blkid vmstat iostat journalctl"
    " hostnamectl mshta command"
    " rsync ssh-keygen netsh vssadmin bcdedit gpresult readlink wc comm dirname sc rd tree"
    " findstr calc.exe wall lynx w3m fetch vi vim nano ed tee mkfifo mknod killall pkill reboot shutdown poweroff halt"
    " set export"
    " unset setenv type net echo sleep timeout dd tar gzip gunzip zip unzip zcat bzip2 finger w ss ip route last"
)
# of them (and besides), those that are ordinary words or names of parameters
WORDS = words(
    "wc comm dirname basename sc rd md tree route git at tr "
    "id cat dir set type net echo sleep timeout w last ip route service mount export fetch stat strings ping touch"
    " reg wall rev who date find sort more less head tail time kill test make at host top man cut split join history"
    " users groups start env ed su ver vol sh node finger print copy move del cd which file link look read wait clear"
    " exit true yes help info diff hostname uptime shutdown halt reboot exec eval tee nl ls ps rm cp mv ln df du ss"
    " cal locate free mail paste join column screen command fold"
    " mysql php python ruby perl"
)
# of the names, those of programs that people talk about
TOOLS = words(
    "npm node python python3 ruby php perl docker mysql psql bash zsh sh awk sed grep curl wget vim nano pip apt env"
)
SPOKEN_OF = TOOLS | WORDS
ALL = NAMES | WORDS
CODE_WORDS = words(
    "system passthru shell_exec popen proc_open pcntl_exec assert create_function call_user_func"
    " array_map array_filter usort ob_start register_shutdown_function print die exit var_dump"
    " call_user_func_array eval exec phpinfo file_get_contents file_put_contents __import__"
)
PIPE_WORDS = words(
    "get set stop remove source for tmp findstr find xterm socat openssl lua node checkpoint use exec"
    " sh bash zsh ksh csh dash nc ncat mkfifo base64 python python2 python3 perl ruby php powershell cmd comspec"
    " certutil tcp udp bitsadmin mshta regsvr32 wmic rundll32 net invoke iex start new proxycommand oproxycommand"
)
OBJECT_WORDS = words(
    "os subprocess getruntime processbuilder java javax child_process mainmodule binding io kernel ognl"
    " _memberaccess context freemarker php _get _post _request _cookie _server require"
)
