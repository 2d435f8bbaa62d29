-- Where a text of C or Lua can be changed in a small way that a spec must notice: sites,
-- each { first, last, by }, whose bytes are replaced.

local _M = {}

local LUA_WORDS = { ["and"] = "or", ["or"] = "and", ["true"] = "false", ["false"] = "true" }
local C_WORDS = { ["true"] = "false", ["false"] = "true" }
local LUA_OPERATORS = { ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">", ["=="] = "~=",
                        ["~="] = "==" }
local C_OPERATORS = { ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">", ["=="] = "!=",
                      ["!="] = "==", ["&&"] = "||", ["||"] = "&&", ["+="] = "-=",
                      ["-="] = "+=", ["++"] = "--", ["--"] = "++" }
local SIGNS = { ["+"] = "-", ["-"] = "+" } -- between two operands
-- Longest first: what is one token is no two.
local SYMBOLS = { "...", "<<=", ">>=", "->", "++", "--", "<=", ">=", "==", "~=", "!=", "&&",
                  "||", "+=", "-=", "*=", "/=", "<<", ">>", "..", "::" }

-- What is skipped: where it begins, and the pattern behind which it ends.
local LUA_SKIPPED = { { "^%-%-%[(=*)%[", "]%s]" }, { "^%-%-[^\n]*" }, { "^%[(=*)%[", "]%s]" },
                      { '^"' , '"' }, { "^'", "'" } }
local C_SKIPPED = { { "^/%*.-%*/" }, { "^//[^\n]*" }, { '^"', '"' }, { "^'", "'" } }

-- The last byte of a comment or text that begins here; nil: none does.
local function skipped_to(text, at, is_lua)
  for _, row in ipairs(is_lua and LUA_SKIPPED or C_SKIPPED) do
    local first, last, level = text:find(row[1], at)
    if first and not row[2] then return last end
    if first and level then
      return select(2, text:find(row[2]:format(level), last + 1, true))
    end
    if first then
      repeat
        last = text:find("[\\" .. row[2] .. "]", last + 1)
        local is_escape = text:sub(last, last) == "\\"
        if is_escape then last = last + 1 end
      until not is_escape
      return last
    end
  end
end

-- A directive of C's preprocessor, with the lines it goes on in.
local function directive_at(text, at)
  if text:sub(at, at) ~= "#" then return nil end
  local last = at
  repeat
    last = (text:find("\n", last, true) or #text + 1) + 1
  until text:sub(last - 2, last - 2) ~= "\\"
  return text:sub(at, last - 2)
end

local function symbol_at(text, at)
  for _, symbol in ipairs(SYMBOLS) do
    if text:sub(at, at + #symbol - 1) == symbol then return symbol end
  end
  return text:sub(at, at)
end

-- The text and the kind of what begins here, beyond comments and texts in quotes.
local function token_at(text, at)
  local word = text:match("^[%a_][%w_]*", at)
  if word then return word, "word" end
  local number = text:match("^%d[%w.]*", at)
  if number then return number, "number" end
  return symbol_at(text, at), "symbol"
end

-- Each token: its first byte, its text and its kind.
local function tokens_of(text, is_lua)
  local tokens, at = {}, 1
  while at <= #text do
    local passed_over = text:match("^%s+", at) or not is_lua and directive_at(text, at)
    local last = not passed_over and skipped_to(text, at, is_lua)
    if last and text:find("^[\"'%[]", at) then tokens[#tokens + 1] = { at, "", "text" } end
    if not passed_over and not last then
      local token, kind = token_at(text, at)
      tokens[#tokens + 1] = { at, token, kind }
      last = at + #token - 1
    end
    at = passed_over and at + #passed_over or last + 1
  end
  return tokens
end

-- Whether + or - stands between two operands.
local function is_binary(before)
  return before and (before[3] == "number" or before[3] == "text" or before[2] == ")"
    or before[2] == "]" or before[3] == "word" and before[2] ~= "return")
end

-- One more than an integer in decimal digits; nil: it is something else.
local function next_number(text)
  return text:find "^%d+$" and #text < 10 and ("%d"):format(tonumber(text) + 1) or nil
end

-- What takes the place of a token; nil: nothing.
local function replacement(token, before, is_lua)
  local text, kind = token[2], token[3]
  if kind == "word" then return (is_lua and LUA_WORDS or C_WORDS)[text] end
  if kind == "number" then return next_number(text) end
  if SIGNS[text] then return is_binary(before) and SIGNS[text] or nil end
  return (is_lua and LUA_OPERATORS or C_OPERATORS)[text]
end

local function is_balanced(text)
  return ("(" .. text .. ")"):match "^%b()$" ~= nil
end

-- Statements of one line, conditions and returns: what takes their place.
local function replaced_line_of_lua(line)
  local condition = line:match "^%s*if (.+) then" or line:match "^%s*elseif (.+) then"
  if condition then return condition, "not (" .. condition .. ")" end
  local first, second = line:match "^%s*return ([%w_.]+), ([%w_.]+)$"
  if first then return first .. ", " .. second, second .. ", " .. first end
  local statement = line:match "^%s+([%a_][%w_.:]*%(.*%))$"
    or line:match "^%s+([%a_][%w_.%[%]]* = [^{,]+)$"
  if statement and is_balanced(statement) then return statement, "do end" end
end

local function replaced_line_of_c(line)
  local condition = line:match "^%s+if (%b())" or line:match "^%s+else if (%b())"
  if condition then return condition, "(!" .. condition .. ")" end
  local statement = line:match "^%s+([%a_][%w_]*%(.*%);)$"
    or line:match "^%s+([%a_*][%w_.>%[%]%-]* [+-]?= .*;)$"
  if statement and is_balanced(statement) then return statement, ";" end
end

local function add_lines(sites, text, is_lua)
  local at = 1
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local replaced = is_lua and replaced_line_of_lua or replaced_line_of_c
    local old, new = replaced(line)
    if old and not line:find(is_lua and "^%s*%-%-" or "^%s*[/*]") then
      local first = at + line:find(old, 1, true) - 1
      sites[#sites + 1] = { first = first, last = first + #old - 1, by = new }
    end
    at = at + #line + 1
  end
end

---The sites of a text.
---@param text string
---@param is_lua boolean
---@return { first: integer, last: integer, by: string }[]
function _M.of(text, is_lua)
  local sites, before = {}, nil
  for _, token in ipairs(tokens_of(text, is_lua)) do
    local by = replacement(token, before, is_lua)
    if by then
      sites[#sites + 1] = { first = token[1], last = token[1] + #token[2] - 1, by = by }
    end
    before = token
  end
  add_lines(sites, text, is_lua)
  return sites
end

return _M
