-- Damaged replies. Each is a whole reply with one error; a client must accept none of
-- them as a result.

local example = require "bitfront.sandbox.example"

local _M = {}

local LENGTH = "Content-Length: $n\r\n"
local CHUNKED = "Transfer-Encoding: chunked\r\n"
local LAST_CHUNK = "0\r\n\r\n"

-- Header lines end with CRLF each.
local function http(status, headers, body)
  return "HTTP/1.1 " .. status .. "\r\nContent-Type: application/json;charset=UTF-8\r\n"
    .. headers .. "\r\n" .. body
end

local function ok(headers, body)
  return http("200 OK", headers, body)
end

-- A whole reply of this body.
local function whole(body, headers)
  return ok((headers or "") .. ("Content-Length: %d\r\n"):format(#body), body)
end

local function half(text)
  return text:sub(1, math.floor(#text / 2))
end

local function chunk(text)
  return ("%x\r\n%s\r\n"):format(#text, text)
end

local function padded(body, bytes)
  return body .. (" "):rep(bytes - #body)
end

local function with_headers_of_1_mib(body)
  local header = "X-Padding: " .. ("x"):rep(1024 - 13) .. "\r\n"
  return ok(("Content-Length: %d\r\n"):format(#body) .. header:rep(1024), body)
end

-- Only nginx has it.
local function gzip(text)
  return require "bitfront.sandbox.c_functions".gzip(text)
end

local function compressed(packed)
  return whole(packed, "Content-Encoding: gzip\r\n")
end

-- The value of a $word.
local words = {
  n = function(body) return #body end,
  body = function(body) return body end,
  chunk = chunk,
  half = half,
  halfn = function(body) return #half(body) end,
  halfchunk = function(body) return chunk(half(body)) end,
  cutchunk = function(body) return half(chunk(body)) end,
}

-- A whole success with each part that is damaged; the body of the reply may lack one.
local GOOD = example.reply:gsub("%s+", "")

local function good_but(pattern, replacement)
  return whole((GOOD:gsub(pattern, replacement, 1)))
end

local function amount(text)
  return good_but('("balance":)%d+', "%1" .. text)
end

-- Each row: the name, what happens, the bytes sent (a text with $words, or a
-- function of the body), and how the connection ends: nil (TLS is shut down in
-- order), "cut" (no close_notify), "reset" (TCP reset, nothing sent), "hang" (open
-- until the client closes).
local rows = {
  -- The connection ends early, or never.
  { "closed_at_once", "closed without a byte sent", "" },
  { "reset", "TCP reset instead of a reply", "", "reset" },
  { "hang", "nothing, and the connection stays open", "", "hang" },
  { "hang_in_body", "half the body, and nothing more", ok(LENGTH, "$half"), "hang" },
  { "closed_in_headers", "closed in the middle of a header", "HTTP/1.1 200 OK\r\nContent-Ty" },
  { "closed_before_body", "closed after the headers", ok(LENGTH, "") },
  { "closed_in_body", "half of the announced body", ok(LENGTH, "$half") },
  { "closed_without_length", "half the body, no length", ok("", "$half") },
  { "cut_without_length", "half the body, no length, no TLS close_notify",
    ok("", "$half"), "cut" },
  { "closed_in_chunk", "half of an announced chunk", ok(CHUNKED, "$cutchunk") },
  { "closed_before_last_chunk", "no chunk of length 0", ok(CHUNKED, "$chunk") },

  -- The framing says two things, or the wrong one.
  { "two_lengths", "two Content-Lengths that differ",
    ok(LENGTH .. "Content-Length: $halfn\r\n", "$body") },
  { "length_list", "Content-Length: N, M", ok("Content-Length: $n, $halfn\r\n", "$body") },
  { "length_plus", "Content-Length: +N", ok("Content-Length: +$n\r\n", "$body") },
  { "length_and_chunked", "Content-Length and chunks",
    ok(LENGTH .. CHUNKED, "$chunk" .. LAST_CHUNK) },
  { "early_zero_chunk", "the chunk of length 0 after half the body",
    ok(CHUNKED, "$halfchunk" .. LAST_CHUNK .. "$chunk") },
  { "empty_body", "Content-Length: 0", whole "" },
  { "excess_body", "more bytes than announced", ok(LENGTH, "$body$body") },
  { "too_large", "a body of 2 MiB", function(body) return whole(padded(body, 2097152)) end },
  { "too_many_headers", "1 MiB of headers", with_headers_of_1_mib },
  { "gzip", "compressed though nobody asked for it",
    function(body) return compressed(gzip(body)) end },
  { "gzip_cut", "compressed, and its second half missing",
    function(body) return compressed(half(gzip(body))) end },
  { "gzip_bomb", "65 KB that unpack to 64 MiB",
    function(body) return compressed(gzip(padded(body, 67108864))) end },

  -- Another status.
  { "bare_cr_status", "a bare CR in the status line", http("200 O\rK", LENGTH, "$body") },
  { "redirect", "302 to a place that answers whole",
    http("302 Found", "Location: /static/v1/account/balances\r\n" .. LENGTH, "$body") },
  { "html_503", "503 with a page for people",
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 58\r\n\r\n"
      .. "<html><body><h1>503 Service Unavailable</h1></body></html>" },

  -- Whole replies that are not JSON, or JSON of another shape.
  { "not_json", "text that is not JSON", whole "SUCCESS" },
  { "json_cut", "JSON that ends early, announced so", good_but(".$", "") },
  { "json_twice", "a second document after the first", whole(GOOD .. GOOD) },
  { "trailing_nul", "a NUL after the document", whole(GOOD .. "\0") },
  { "byte_order_mark", "a BOM before the document", whole("\239\187\191" .. GOOD) },
  { "duplicate_key", "statusCode twice", good_but('"statusCode"', '"statusCode":5000,%0') },
  { "bad_utf8", "a byte that is not UTF-8", good_but("UTC", "UT\255C") },
  { "raw_newline", "a newline inside a string", good_but("UTC", "UT\nC") },
  { "lone_surrogate", "half of a surrogate pair", good_but("UTC", "\\ud800") },
  { "deep", "arrays nested 1000 deep", whole(("["):rep(1000) .. ("]"):rep(1000)) },
  { "huge_number", "an amount beyond a double", amount "1e400" },
  { "not_a_number", "the amount NaN", amount "NaN" },
  { "hex_number", "the amount 0x10", amount "0x10" },
  { "leading_zero", "the amount 010", amount "010" },
  { "bare_point", "the amount 2.", amount "2." },
  { "amount_in_quotes", "an amount that is a string", amount '"1"' },
  { "amount_null", "an amount that is null", amount "null" },
  { "wrong_schema", "responseData is an object without a balance",
    good_but("%[.*%]", '{"BTC":1.5}') },
  { "no_data", "success without responseData", good_but(',"responseData":%b[]', "") },
  { "no_status_code", "no statusCode", good_but('"statusCode":1000,', "") },
  { "status_code_in_quotes", "statusCode is a string", good_but("1000", '"1000"') },
  { "status_code_fraction", "statusCode 1000.5", good_but("1000", "1000.5") },
  { "currency_empty", "an empty coin code", good_but("BTC", "") },
  { "currency_nul", "a coin code with a NUL", good_but("BTC", "B\\u0000C") },
}

--- The damages in the order in which they are listed.
---@type { name: string, about: string }[]
_M.list = {}

local by_name = {}
for i, row in ipairs(rows) do
  _M.list[i] = { name = row[1], about = row[2] }
  by_name[row[1]] = row
end
table.insert(_M.list, { name = "status_NNN", about = "any other status, with a whole body" })

local function find(name)
  local status = name:match("^status_(%d%d%d)$")
  if not status then return by_name[name] end
  return { name, "", http(status .. " Status", LENGTH, "$body") }
end

---@type bitfront.Check
function _M.is_known(name)
  return type(name) == "string" and find(name) ~= nil, "a name of GET /sandbox/damages"
end

---@param name string
---@param body string  of a whole reply
---@return string bytes
---@return "cut"|"reset"|"hang"|nil ending
function _M.apply(name, body)
  local row = find(name)
  local sends, ending = row[3], row[4]
  if type(sends) == "function" then return sends(body), ending end
  return (sends:gsub("%$(%l+)", function(word) return words[word](body) end)), ending
end

return _M
