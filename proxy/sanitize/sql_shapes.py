"""What injected SQL looks like, as patterns over the shapes of `sql_words`.

A shape has one letter a token. Every repetition here is possessive or bounded, so that a search is linear.
"""

from __future__ import annotations

import re

from proxy.sanitize.late import Late

_START = r"(?:[N(a!]|\{w)*+"  # what may stand before an operand
_OPERAND = r"(?:n|s++|v)[)}]*+(?:lw)?+"

# a condition behind a quote that was closed: `' or 1=1`, `' and sleep(5)`, `' || 'x`
CONDITION = Late(
    rf"L{_START}(?:[nv]\)*+(?:[oaLNc;,UGMV)]|$)|\?w?(?:c|$)|wrwc|wa(?:\?w?|v|s)c|[ns]\)*+L|s(?:[oaLc;)]|lwo|\?s|$)|f\(|Z\(|x\(|K|E|w\)*+(?:o\(*+[snvwfEN]|c"
    rf"|a[sn]|$)|F\()"
)
# a condition behind a number or word, where prose may stand as well: `1 or 1=1`, `x and sleep(5)`
STRICT = Late(
    rf"L{_START}(?:s\?s|{_OPERAND}oo?{_START}[nsvfx(]|v\)*+a[nsvf(]|f\(|Z\(|x\(|K|\(E|E[^rw]|[nsv]\)*+c|[ns]\)+[(]*+[nLo]"
    rf"|F\(f\(|w\)*+o(?:[svfZ]|\([nsE]|N*n(?:$|[c)L]))|F\([^()]{{0,12}}+(?:\([^()]{{0,12}}\)[^()]{{0,6}})?\)+o{_START}[nsvf(]"
    r"|n\)*+o?\)*+(?:Vn|ao))"
)
# a string that goes on by an operator: `'+(select`, `'='`, `'||'a`
OPERATOR = Late(
    r"(?:[oaL]|aa|aL)[N(a!]*+(?:s(?:$|[oaLc;)s])|f\(|Z\(|K|\(*+E[^w]|v|n(?:[aoLc;)s]|$)|w(?:[aL](?:s|[?nv]w?c)|c))|N?o{1,2}\(*+(?:s|f\(|E)"
    r"|N?o\([ns]"
)
# a WHERE that is always or never true, and operands that stand where a closed string or parenthesis was
ALWAYS = re.compile(r"R[N(]*+(?:non|sos)\)*+(?:[LcVPf;,(Ga]|$)|\A[?wn(]?a?,?f\(non,|Rwo?s?\)*+c|V[N(a]*+(?:non|sos)")
OPERAND = re.compile(r"wT;*+c|lw(?:L|;*+c|$)|(?:lw|w?w?\))?(?:R[N(]*+(?:non|sos)|[,;]?f\((?:no|n,|f\(|\(*E)|\(non\)a)")
CLAUSE = Late(
    r"Gy[(]*+(?:[nsvfKZ]|w(?:$|[,cMV])|E)|V[N(a]*+(?:[nsv]\)*+(?:[oLc]|$)|[wf]\(|wo)|M[nf](?:$|[,c;IMPUo])|P[fFwA]\(|Mwn?M|I[wO]s|IOs|Iv(?:,v)*+(?:$|c)"
)
# anything behind a semicolon, and the rest commented out: `'; desc users; --`
CUT_OFF = Late(r"\)*+;[^;cC]{1,60}+;+c$|\)*+;[^;cC]{1,12}+c$")
ANALYSE = Late(r"Pf\(")
STACK = Late(
    r"\)*+;[;{(]*+(?:ws|E[d(]*+a(?:$|[cIr;])|E[d(a]*+(?:[nsvfZKFaE(]|w(?:[,r(c]|$))|W[Dwnf]?|X[wfFsv]?|T|Z\(|f\([sfn]|K|U|w?Z\(|wE|(?:wv?o?)?X)"
)
UNION = re.compile(r"Ud*+\(*+qf?\(|Ud*+\(*+E[d(]*+(?:[nsvfZKEa(F]|w(?:[,c)(oa?]|r|$|L(?:s|f\()|;++c)|\{w|c|$)")
SUBSELECT = re.compile(
    r"(?:[LoaN,(fZFx;]|\A(?!Ew++rw++Rw++\Z))\(?E[d(]*+(?:[nsv](?:[,)oaLrc]|$)|f\(|F\(|Z\(|K|a[r,)]|w(?:r|,))|\(+E[d]*+(?:f\(|Z\(|K[wn(]"
    r"|ar|[vw]r[wf])"
)
WAIT = Late(
    r"\AZ\(\(*+[nsv][^)]{0,40}+\)(?:$|,n\)|[c,;)]|[aLo][nsv(])|(?:[LoaN,(;tesHRK)]|\A[nw;])Z\((?:[nsvafK(]|$)|WD[snvw(]"
)
ERROR = Late(
    r"[LoaN,(=]f\([nsv],f\([^()f]{0,12}+(?:f\(|E)|f\(non,n|f\(n,f\(s,|[LoaN,(=]f\([^()]{0,12}+(?:\([^()]{0,12}\)[^()]{0,6})?(?:\(*+E|f\(\(*+E|f\([nf],|,f\(n)|\Af\((?:[^()f]{0,12}+(?:\(E|f\([(nf])|non)"
)
CASE = Late(r"(?:[(,LoaE]|\A)K(?:[wns]|[fFZ]\([^()]{0,12}+\))?H.{1,24}?t[ns(fwa]")
FILE = Late(r"I[O](?:s|$)")
# a value that is a statement from its start on, or an operand that only a database understands
WHOLE = Late(
    r"\A(?:Tdl[aw]|wo[ns]L(?:non|sos|woNn$)|TI(?:w|F\([^()]{0,60}+\))(?:q\(|E)|TrwR|TwTwo|Tv[wfF]|Xws|X[fF]\([sv]|[-a]?nN?o\(*+(?:s(?:$|[aLc])|E)|[-a]?nN?o\(++n\)|sos$"
    r"|na\(++non\)|\(++non\)++an|nI(?:v|s)|a?sos[c;]|[nw]o[ns];?c|[nw]a++n;?c|nLa*+(?:f\(\)|w);?c|nLn[La]++n;?c|nof\(n"
    r"|f\([^()]{0,12}\)Lf?[s(]|nc$|nr[wf]{1,3}c$|noNn$)"
)
# the same, when the words agree (see sql.py)
LIKELY = re.compile(
    r"\A(?:f\(\)c?$|v$|a?n[oL]a?n(?:$|;*+c)|n(?:lw|Mwn?M[^;]?)(?:$|;*+c)|L[N(]*+n\)*+(?:$|c)|[-a]?nLN*+\(*+n\)*+(?:$|;*+c)|nMn(?:,n)?(?:$|;*+c)|(?:no)?f\([wn],v|[-a]?na++\(*+f\("
    r"|f\(n(?:,n)*+\)$|nN?onLn$|nLv$|nwc$|[sn]Ls$|noon$|f\(s|no\(n(?:,n)++\)$)"
)
OF_TABLES = {"drop": Late(r"Tww(?:[;c]|$)"), "create": Late(r"TwF\(\w"), "alter": Late(r"Tww[wT]")}
STATEMENT = Late(r"E[d(a]*+[^;]{1,40}?r[w(]|\AT[wIr]|\AX[wf]")

PREFIX = re.compile(r"[-+~!N(a?]*+(?:nw?|s|v|w|)\)*+,?+")
SAME = Late(rf"L{_START}[wv]\)*+o{_START}[wv]\)*+(?:$|[c;L])")
# behind a parenthesis that the text did not open
UNOPENED = Late(r"[Loa][N(a!]*+[ns]\)*+;?c|L(?:[N(a!]*+n\)*+(?:[oaLc;)]|$)|[N(a!]++n)|lw(?:L|c|$)")
CLOSED = Late(r"\)+c$|\)*+;+c$|(?<=\))c$")
QUOTED_END = Late(r"\)*+;*+c$")
