"""What words mean to SQL, over its main dialects: one letter a kind, so that a token stream is a short string.

U union  E select  L logical  N not  o comparison  a arithmetic  n number, null, true  s string  v variable
w other word  f known function with its parenthesis next  F unknown one  Z function that waits  K case  H when
t then  e else  z end  d all, distinct, top  r from  R where  G order, group  y by  V having  M limit, offset
I into  O outfile  P procedure  W waitfor  D delay  T statement  X exec, call  x exists  l as, on  c comment that
says nothing  C comment with text  q values  ( ) , ; { } as they are
"""

from __future__ import annotations

from proxy.sanitize.wordlists import words

_KINDS = {
    "U": "union intersect except minus",
    "E": "select",
    "L": "or and xor && || div mod",
    "N": "not binary",
    "o": "like rlike regexp in is between ilike glob similar sounds match",
    "n": "null true false unknown",
    "K": "case",
    "H": "when",
    "t": "then",
    "e": "else",
    "z": "end",
    "d": "all distinct distinctrow top",
    "r": "from",
    "R": "where",
    "G": "order group",
    "y": "by",
    "V": "having",
    "M": "limit offset rows fetch",
    "I": "into",
    "O": "outfile dumpfile",
    "P": "procedure",
    "W": "waitfor",
    "D": "delay",
    "T": "insert update delete drop create alter truncate declare shutdown merge load copy grant revoke prepare replace"
    " backup restore rename attach pragma handler dbcc set begin show flush lock commit rollback vacuum",
    "X": "exec execute call",
    "x": "exists any some",
    "v": "current_user session_user system_user",
    "l": "as on using join collate",
    "q": "values",
}
_WAITING = (
    "sleep benchmark pg_sleep pg_sleep_for pg_sleep_until randomblob receive_message dbms_lock.sleep dbms_session.sleep"
)
_WAITING += " dbms_pipe.receive_message user_lock.sleep sleepfor generate_series get_lock"
_FUNCTIONS = (
    "ascii ord char chr nchar unichar substring substr mid left right instr locate concat concat_ws group_concat"
    " string_agg"
    " listagg wm_concat xmlagg extractvalue updatexml xmltype load_file load_extension if iif ifnull nullif isnull"
    " coalesce"
    " nvl nvl2 decode elt make_set field floor rand convert cast hex unhex to_hex rawtohex hextoraw utl_raw.cast_to_raw"
    " bin length char_length octet_length database schema user current_user session_user system_user version db_name"
    " user_name suser_name suser_sname host_name object_id object_name col_name row_count found_rows last_insert_id"
    " connection_id name_const geometrycollection polygon multipoint multipolygon linestring multilinestring"
    " st_latfromgeohash st_longfromgeohash st_pointfromgeohash gtid_subset gtid_subtract json_keys uuid_to_bin"
    " bin_to_uuid"
    " exp pi lpad rpad quotename stuff patindex replicate repeat reverse newid xp_cmdshell xp_dirtree xp_regread"
    " openrowset"
    " opendatasource openquery sp_executesql sp_oacreate utl_http.request utl_inaddr.get_host_address"
    " utl_inaddr.get_host_name dbms_ldap.init httpuritype dbms_xmlgen.getxml ctxsys.drithsx.sn"
    " dbms_utility.sqlid_to_sqlhash"
    " pg_read_file pg_ls_dir pg_read_binary_file lo_import lo_export query_to_xml database_to_xml xmlparse"
    " current_database"
    " current_schema current_setting inet_server_addr pg_client_encoding sqlite_version total_changes typeof zeroblob"
    " printf quote unicode glob hex randomblob crypt_key cdbl datetime_part getdate sysdate now md5 sha1 sha2 password"
    " encode compress uncompress aes_encrypt row char_to_date to_char to_number dump rownum soundex bit_length"
    " bit_count"
    " greatest least interval makeset regexp_substring regexp_like regexp_count date_format row_to_json array_to_string"
    " sys_context sys.database_name sys.stragg dbms_assert.noop binary_checksum checksum count sum json_extract"
    " json_object json_valid json_type json_array json_contains json_quote json_search json_depth"
    " json_value json_length json_keys strcmp find_in_set quarter is_srvrolemember is_member has_dbaccess"
    " strftime julianday"
    " procedure_analyse analyse dbms_java.runjava anonymous shlex"
)

KINDS = {word: kind for kind, words in _KINDS.items() for word in words.split()}
FUNCTIONS = dict.fromkeys(_FUNCTIONS.split(), "f") | dict.fromkeys(_WAITING.split(), "Z")
# names that only a database has: who asks for them explores one
CATALOGUE = words(
    "information_schema sysobjects syscolumns sysdatabases sys.databases sys.tables sys.objects master.sysdatabases"
    " pg_catalog pg_user pg_shadow pg_tables pg_database sqlite_master sqlite_schema sqlite_temp_master msysobjects"
    " mysql.user mysql.db all_tables user_tables all_tab_columns user_tab_columns dba_users v$version sys.dual dual"
    " rdb$database sysibm.sysdummy1 sysibm.systables sysmaster sys.user$ all_users domain.domains"
)
