"""What Redis does in one step, since others may come between two.

Each purge has a number, counted by the server. A gateway that stores something says which purge it has heard of last;
if there were more, the value may be one of those that were purged, and is not stored. So nothing comes in behind a
purge, however late a gateway hears of it.

A script is sent whole each time: the server knows it by its sum, and there is nothing to load again after a restart.
"""

from __future__ import annotations

CHUNK = 1000  # entries that one step removes

# KEYS: entry, lease, counter, tags…; ARGV: data, ttl in ms (0: none), last purge heard of, channel, message
STORE = """
if tonumber(redis.call('GET', KEYS[3]) or '0') > tonumber(ARGV[3]) then return 0 end
local ttl = tonumber(ARGV[2])
if ttl > 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) else redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('DEL', KEYS[2])
if #KEYS > 3 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for i = 4, #KEYS do
    local left = redis.call('PTTL', KEYS[i])
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    if ttl > 0 then
      redis.call('ZADD', KEYS[i], now + ttl, KEYS[1])
      if left == -2 or (left >= 0 and left < ttl) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
    else
      redis.call('ZADD', KEYS[i], '+inf', KEYS[1])
      redis.call('PERSIST', KEYS[i])
    end
  end
end
redis.call('PUBLISH', ARGV[4], '0 ' .. ARGV[5])
return 1
"""

# KEYS: entry, lease, counter; ARGV: channel, message
REMOVE = """
local number = redis.call('INCR', KEYS[3])
local gone = redis.call('UNLINK', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2])
return {gone, number}
"""

# KEYS: tag, counter; ARGV: channel, message, 1 for the first step, how many at once
REMOVE_TAGGED = """
local number = tonumber(redis.call('GET', KEYS[2]) or '0')
if ARGV[3] == '1' then number = redis.call('INCR', KEYS[2]) end
local found = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[4]) - 1)
local gone = 0
if #found > 0 then
  gone = redis.call('UNLINK', unpack(found))
  redis.call('ZREM', KEYS[1], unpack(found))
end
redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2])
return {gone, number, #found}
"""

# KEYS: tag, counter; ARGV: channel, message, 1 for the first step, how many were seen, how many at once, the mark.
# From the end that lives longest: what others add or end meanwhile makes an entry be seen twice, never missed.
SOFTEN_TAGGED = """
local number = tonumber(redis.call('GET', KEYS[2]) or '0')
if ARGV[3] == '1' then number = redis.call('INCR', KEYS[2]) end
local from = tonumber(ARGV[4])
local found = redis.call('ZREVRANGE', KEYS[1], from, from + tonumber(ARGV[5]) - 1)
local met = 0
for _, key in ipairs(found) do
  if redis.call('EXISTS', key) == 1 then
    redis.call('SETRANGE', key, 0, ARGV[6])
    met = met + 1
  end
end
redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2])
return {met, number, #found}
"""

# KEYS: counter; ARGV: channel, message
ANNOUNCE = """
local number = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2])
return {0, number}
"""

# KEYS: tag; ARGV: from where, how many at once
COUNT_TAGGED = """
local from = tonumber(ARGV[1])
local found = redis.call('ZRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1)
if #found == 0 then return {0, 0} end
return {redis.call('EXISTS', unpack(found)), #found}
"""

# KEYS: entry; ARGV: data that is there, data that is to be, channel, message
REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left > 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', left) else redis.call('SET', KEYS[1], ARGV[2]) end
redis.call('PUBLISH', ARGV[3], '0 ' .. ARGV[4])
return 1
"""

# KEYS: lease; ARGV: who holds it
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
