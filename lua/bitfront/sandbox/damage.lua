--- Damaged replies, by name. Each starts from a whole reply's body and spoils
-- one thing; a client must take none of them for an answer.

local gzip = require "bitfront.sandbox.gzip"

local _M = {}

local CRLF = "\r\n"

local function http(status_line, headers, body)
  local head = { status_line, "Content-Type: application/json;charset=UTF-8" }
  for _, header in ipairs(headers) do
    head[#head + 1] = header
  end
  return table.concat(head, CRLF) .. CRLF .. CRLF .. (body or "")
end

local function ok(headers, body)
  return http("HTTP/1.1 200 OK", headers, body)
end

local function length(n)
  return ("Content-Length: %d"):format(n)
end

local function half(text)
  return text:sub(1, math.floor(#text / 2))
end

local function chunk(text)
  return ("%x"):format(#text) .. CRLF .. text .. CRLF
end

-- A whole reply of another body.
local function whole(body)
  return ok({ length(#body) }, body)
end

-- Each row: name, what it does, and function(body) -> bytes to send, ending.
-- Endings: nil (TLS is shut down in order), "cut" (no close_notify), "reset"
-- (TCP reset, nothing sent), "hang" (open until the client closes).
local rows = {}

local function define(name, what, make)
  rows[#rows + 1] = { name = name, what = what, make = make }
end

---------------------------------------------------------------------------
-- The connection ends early, or never

define("closed_at_once", "closed without a byte sent", function()
  return ""
end)
define("reset", "TCP reset instead of a reply", function()
  return "", "reset"
end)
define("hang", "nothing, and the connection stays open", function()
  return "", "hang"
end)
define("hang_in_body", "half the body, and nothing more", function(body)
  return ok({ length(#body) }, half(body)), "hang"
end)
define("closed_in_headers", "closed in the middle of a header", function()
  return "HTTP/1.1 200 OK" .. CRLF .. "Content-Ty"
end)
define("closed_before_body", "closed after the headers", function(body)
  return ok { length(#body) }
end)
define("closed_in_body", "half of the announced body", function(body)
  return ok({ length(#body) }, half(body))
end)
define("closed_without_length", "half the body, no length", function(body)
  return ok({}, half(body))
end)
define("cut_without_length", "the same, no TLS close_notify", function(body)
  return ok({}, half(body)), "cut"
end)
define("closed_in_chunk", "half of an announced chunk", function(body)
  return ok({ "Transfer-Encoding: chunked" }, half(chunk(body)))
end)
define("closed_before_last_chunk", "no chunk of length 0", function(body)
  return ok({ "Transfer-Encoding: chunked" }, chunk(body))
end)

---------------------------------------------------------------------------
-- Framing that says two things, or the wrong one

define("two_lengths", "two Content-Lengths that differ", function(body)
  return ok({ length(#body), length(#half(body)) }, body)
end)
define("length_list", "Content-Length: N, M", function(body)
  return ok({ length(#body) .. ", " .. #half(body) }, body)
end)
define("length_plus", "Content-Length: +N", function(body)
  return ok({ "Content-Length: +" .. #body }, body)
end)
define("length_and_chunked", "Content-Length and chunks", function(body)
  return ok({ length(#body), "Transfer-Encoding: chunked" },
            chunk(body) .. "0" .. CRLF .. CRLF)
end)
define("early_zero_chunk", "the chunk of length 0 after half the body",
       function(body)
  return ok({ "Transfer-Encoding: chunked" },
            chunk(half(body)) .. "0" .. CRLF .. CRLF .. chunk(body))
end)
define("empty_body", "Content-Length: 0", function()
  return whole ""
end)
define("excess_body", "more bytes than announced", function(body)
  return ok({ length(#body) }, body .. body)
end)
define("too_large", "a body of 2 MiB", function(body)
  return whole(body .. (" "):rep(2097152 - #body))
end)
define("too_many_headers", "1 MiB of headers", function(body)
  local header = "X-Padding: " .. ("x"):rep(1024 - 13)
  local headers = { length(#body) }
  for _ = 1, 1024 do headers[#headers + 1] = header end
  return ok(headers, body)
end)
define("gzip", "compressed though nobody asked for it", function(body)
  local packed = gzip.pack(body)
  return ok({ "Content-Encoding: gzip", length(#packed) }, packed)
end)
define("gzip_cut", "compressed, and its second half missing", function(body)
  local packed = half(gzip.pack(body))
  return ok({ "Content-Encoding: gzip", length(#packed) }, packed)
end)
define("gzip_bomb", "65 KB that unpack to 64 MiB", function(body)
  local packed = gzip.pack(body .. (" "):rep(67108864 - #body))
  return ok({ "Content-Encoding: gzip", length(#packed) }, packed)
end)

---------------------------------------------------------------------------
-- Another status. Also status_NNN for any three digits, with a whole body.

define("bare_cr_status", "a bare CR in the status line", function(body)
  return http("HTTP/1.1 200 O\rK", { length(#body) }, body)
end)
define("redirect", "302 to a place that answers whole", function(body)
  return http("HTTP/1.1 302 Found",
              { "Location: /static/v1/account/balances", length(#body) }, body)
end)
define("html_503", "503 with a page for people", function()
  local page = "<html><body><h1>503 Service Unavailable</h1></body></html>"
  return table.concat({ "HTTP/1.1 503 Service Unavailable",
    "Content-Type: text/html", length(#page), "", page }, CRLF)
end)

local function with_status(status)
  return function(body)
    return http("HTTP/1.1 " .. status .. " Status", { length(#body) }, body)
  end
end

---------------------------------------------------------------------------
-- Whole replies that are not JSON, or JSON of another shape

-- What these start from, since the body at hand may lack the place to spoil.
local GOOD = '{"timezone":"UTC","responseTime":1525239801363,'
  .. '"statusCode":1000,"statusMessage":"SUCCESS","responseData":['
  .. '{"currency":"BTC","balance":1.5,"availableBalance":1.5}]}'

local function define_text(name, what, pattern, replacement)
  local text = GOOD:gsub(pattern, replacement, 1)
  define(name, what, function() return whole(text) end)
end

local function define_amount(name, what, amount)
  define_text(name, what, '("balance":)1.5', "%1" .. amount)
end

define_text("not_json", "text that is not JSON", "^.*$", "SUCCESS")
define_text("json_cut", "JSON that ends early, announced so", ".$", "")
define_text("json_twice", "a second document after the first", "^.*$", "%0%0")
define_text("trailing_nul", "a NUL after the document", "$", "\0")
define_text("byte_order_mark", "a BOM before the document", "^", "\239\187\191")
define_text("duplicate_key", "statusCode twice",
            '"statusCode"', '"statusCode":5000,%0')
define_text("bad_utf8", "a byte that is not UTF-8", "UTC", "UT\255C")
define_text("raw_newline", "a newline inside a string", "UTC", "UT\nC")
define_text("lone_surrogate", "half of a surrogate pair", "UTC", "\\ud800")
define("deep", "arrays nested 1000 deep", function()
  return whole(("["):rep(1000) .. ("]"):rep(1000))
end)
define_amount("huge_number", "an amount beyond a double", "1e400")
define_amount("not_a_number", "the amount NaN", "NaN")
define_amount("hex_number", "the amount 0x10", "0x10")
define_amount("leading_zero", "the amount 010", "010")
define_amount("bare_point", "the amount 2.", "2.")
define_amount("amount_in_quotes", "an amount that is a string", '"1"')
define_amount("amount_null", "an amount that is null", "null")
define_text("wrong_schema", "responseData is an object without a balance",
            "%[.*%]", '{"BTC":1.5}')
define_text("no_data", "success without responseData",
            ',"responseData":%b[]', "")
define_text("no_status_code", "no statusCode", '"statusCode":1000,', "")
define_text("status_code_in_quotes", "statusCode is a string",
            "1000", '"1000"')
define_text("status_code_fraction", "statusCode 1000.5", "1000", "1000.5")
define_text("currency_empty", "an empty coin code", "BTC", "")
define_text("currency_nul", "a coin code with a NUL", "BTC", "B\\u0000C")

---------------------------------------------------------------------------

local by_name = {}
for _, row in ipairs(rows) do by_name[row.name] = row.make end

local function find(name)
  local status = name:match("^status_(%d%d%d)$")
  return status and with_status(status) or by_name[name]
end

function _M.is_known(name)
  return type(name) == "string" and find(name) ~= nil
end

--- Names and what they do.
---@return table<string, string>
function _M.described()
  local described = { status_NNN = "any other status, with a whole body" }
  for _, row in ipairs(rows) do described[row.name] = row.what end
  return described
end

---@param name string
---@param body string  Of a whole reply.
---@return string bytes
---@return "cut"|"reset"|"hang"|nil ending
function _M.apply(name, body)
  return find(name)(body)
end

return _M
