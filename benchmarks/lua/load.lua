-- The requests that wrk sends, and one line of JSON with what became of them.
-- BENCH_HEADS=varying gives every request its own query, X-Request-ID and Cookie, so that nobody wins by remembering
-- the last head; BENCH_SEED keeps two runs from sending the same ones. Both kinds of head have the same fields.

local method = os.getenv("BENCH_METHOD") or "GET"
local size = tonumber(os.getenv("BENCH_BODY") or "0")
local seed = os.getenv("BENCH_SEED") or "00000000"
local body = size > 0 and string.rep("x", size) or nil

wrk.method = method
wrk.body = body
wrk.headers["User-Agent"] = "wrk"
wrk.headers["Accept"] = "application/json"
wrk.headers["X-Request-ID"] = seed .. "00000000000000000000000000000000"
wrk.headers["Cookie"] = "session=" .. seed .. "0000000000000000; theme=dark"
if body then wrk.headers["Content-Type"] = "application/octet-stream" end

if os.getenv("BENCH_HEADS") == "varying" then
  local format, count = string.format, 0
  local pattern

  function init(args)
    local lines = {
      method .. " " .. wrk.path .. "?page=" .. seed .. "%08x HTTP/1.1",
      "Host: " .. wrk.headers["Host"],
      "User-Agent: wrk",
      "Accept: application/json",
      "X-Request-ID: " .. seed .. "000000000000000000000000%08x",
      "Cookie: session=" .. seed .. "00000000%08x; theme=dark",
    }
    if body then
      table.insert(lines, "Content-Type: application/octet-stream")
      table.insert(lines, "Content-Length: " .. size)
    end
    pattern = table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
  end

  function request()
    count = count + 1
    return format(pattern, count, count, count)
  end
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    'load-result {"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, '
      .. '"status": %d, "timeout": %d, "p50": %d, "p90": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, summary.bytes, failed.connect, failed.read, failed.write,
    failed.status, failed.timeout, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
