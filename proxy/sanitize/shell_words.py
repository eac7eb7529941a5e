"""The words that a shell or an interpreter acts on."""

from __future__ import annotations

from proxy.sanitize.wordlists import words

# names that hardly stand behind a separator by chance
NAMES = words(
    "umask ulimit stty tty telnetd utelnetd nvram dropbear ubus uci ls cat wget curl whoami uname ifconfig"
    " ipconfig netstat nslookup dig passwd chmod chown bash sh zsh ksh csh tcsh dash nc ncat netcat telnet ssh scp"
    " ftp tftp python python2 python3 perl ruby php node lua gcc awk gawk sed grep egrep fgrep tac nl xxd od"
    " hexdump base64 base32 mkdir rmdir rm cp mv ln ps pwd printenv env systeminfo tasklist taskkill whereis"
    " traceroute tracert arp iptables crontab sudo su cmd cmd.exe powershell powershell.exe pwsh certutil"
    " bitsadmin reg wmic mshta regsvr32 rundll32 cscript wscript schtasks dir ping ping6 nohup xargs eval exec"
    " uptime hostname lsof mount umount useradd adduser apt apt-get yum dpkg rpm pip npm docker kubectl aws gcloud"
    " socat xterm mysql psql mysqldump phpinfo tcpdump nmap busybox printf touch ifs id getent lsb_release dmesg"
    " lscpu df du stat strings diff rev ipconfig.exe net.exe ver vol attrib icacls systemctl service openssl uniq"
    " expr fold md5sum sha1sum sha256sum cksum sendmail mailx logname nsenter lsblk blkid vmstat iostat journalctl"
    " hostnamectl command rsync ssh-keygen netsh vssadmin bcdedit gpresult readlink wc comm dirname sc rd tree"
    " findstr calc.exe wall lynx w3m fetch vi vim nano ed tee mkfifo mknod killall pkill reboot shutdown poweroff"
    " halt set export unset setenv type net echo sleep timeout dd tar gzip gunzip zip unzip zcat bzip2 finger w ss"
    " ip route last lastlog lastb shuf flock cpulimit strace ltrace bpftrace gdb ansible ansible-playbook"
    " ansible-config ansible-console ansible-doc ansible-galaxy ansible-inventory ansible-pull ansible-vault javac"
    " aria2c basenc batcat certbot chattr chroot cmp cpio csplit cupsfilter debugfs dmidecode dmsetup dnf"
    " easy_install emacs exiftool ffmpeg gcore gpg hping3 iconv iftop ionice jjs jq jrunscript kubeadm lftp"
    " lwp-download lwp-request mawk mtr nasm nawk ncdu nft ntpdate openvpn openvt pandoc pidstat pkexec ptx"
    " readelf rlogin rlwrap rsh rvim sash setarch setfacl sftp smbclient sqlite3 sqlmap ssh-agent ssh-keyscan"
    " sshpass start-stop-daemon stdbuf sysctl systemd-run tclsh tmux tshark unexpand unshare unsquashfs uudecode"
    " uuencode vimdiff vipw xdotool yarn zypper lsattr lspci lsusb ifdown ifup arping ethtool resolvectl nmcli"
    " hostid groupmod usermod userdel chpasswd chage visudo dpkg-query regedit procdump winget choco forfiles"
    " certreq cmdkey cmstp diskshadow esentutl extrac32 installutil makecab msbuild msdt msiexec nltest odbcconf"
    " pcalua regasm regsvcs robocopy rpcping wevtutil winrm winrs xcopy calc notepad qwinsta quser nbtstat"
    " pathping getmac driverquery msinfo32 mstsc dsquery takeown cacls fsutil chkdsk wbadmin gci gwmi iwmi iwr irm"
    " icm gps spps saps gsv sls iex"
)
# of them (and besides), those that are ordinary words or names of parameters
WORDS = words(
    "wc comm dirname basename sc rd md tree route git at tr id cat dir set type net echo sleep timeout w last ip"
    " service mount export fetch stat strings ping touch reg wall rev who date find sort more less head tail time"
    " kill test make host top man cut split join history users groups start env ed su ver vol sh node finger print"
    " copy move del cd which file link look read wait clear exit true yes help info diff hostname uptime shutdown"
    " halt reboot exec eval tee nl ls ps rm cp mv ln df du ss cal locate free mail paste column screen command"
    " fold mysql php python ruby perl whois trap perf pr notepad calc yarn choco emacs tmux jq npm nano vim nice"
    " watch alias jobs bg fg logout false bc lp builtin"
)
# of the names, those of programs that people talk about
TOOLS = words(
    "npm node python python3 ruby php perl docker mysql psql bash zsh sh awk sed grep curl wget vim nano pip apt env"
)
SPOKEN_OF = TOOLS | WORDS
ALL = NAMES | WORDS
PIPE_WORDS = words(
    "git fi done sc query copy java gwmi iwmi exist defined errorlevel equ neq geq leq gtr lss get set stop"
    " remove source for tmp findstr find xterm socat openssl lua node checkpoint use exec sh bash zsh ksh csh dash"
    " nc ncat mkfifo base64 python python2 python3 perl ruby php powershell cmd comspec certutil tcp udp bitsadmin"
    " mshta regsvr32 wmic rundll32 net invoke iex start new proxycommand oproxycommand"
)
