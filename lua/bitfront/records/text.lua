--- Text that is safe to show: for a terminal, in JSON, and how wide it is.

local native = require "bitfront.native"

local _M = {}

---The text with what could control a terminal written out, as \x1B or \u{202E}.
function _M.escape(text)
  return native.escape(tostring(text))
end

---The text without the blanks and tabs at its ends. (One pattern for both ends,
---"^%s*(.-)%s*$", takes the square of the time for a long run of blanks.)
function _M.trim(text)
  local first = text:find("[^ \t]")
  return first and text:match("^.*[^ \t]", first) or ""
end

---The text as a JSON string. lua-cjson leaves C1 and marks of direction as they
---are.
function _M.json(text)
  return native.escape(require("cjson").encode(text), true)
end

---A time for people.
---@param ms number  Unix time
---@return string  as 2018-05-02T05:43:21.363Z; "?" beyond the calendar
function _M.utc(ms)
  local seconds = math.floor(ms / 1000)
  local ok, text = pcall(os.date, "!%Y-%m-%dT%H:%M:%S", seconds)
  if not ok or not text then return "?" end -- before Lua 5.3 it is nil there
  return ("%s.%03dZ"):format(text, math.floor(ms % 1000))
end

-- A spreadsheet would take a text that begins so for a formula, and run it: signs
-- in ASCII and those that count as the same, and blanks, which some pass over.
-- Invisible characters have been written out before this is asked.
local FORMULAS = {
  "^[=+@-]",
  "^\239\188[\139\141\157\160]", -- U+FF0B, FF0D, FF1D, FF20: full-width
  "^\239\185[\162\163\166\171]", -- U+FE62, FE63, FE66, FE6B: small
  "^\226\136\146",              -- U+2212: minus
  "^[ \t\r\n]",
  "^\194\160",                  -- U+00A0
  "^\225\154\128",              -- U+1680
  "^\226\128[\128-\138\175]",   -- U+2000 to 200A, 202F
  "^\226\129\159",              -- U+205F
  "^\226\160\128",              -- U+2800
  "^\227\128\128",              -- U+3000
}

---Whether a spreadsheet might take a text that `escape` has passed for a formula.
function _M.is_formula(text)
  for _, formula in ipairs(FORMULAS) do
    if text:find(formula) then return true end
  end
  return false
end

-- Unicode's East Asian width W and F, and what is drawn over the character
-- before it: first and last code points, ascending. Unassigned ones between two
-- of a kind are taken along.
local WIDE = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x2329, 0x232A, 0x23E9, 0x23EC, 0x23F0, 0x23F0,
  0x23F3, 0x23F3, 0x25FD, 0x25FE, 0x2614, 0x2615, 0x2648, 0x2653, 0x267F, 0x267F,
  0x2693, 0x2693, 0x26A1, 0x26A1, 0x26AA, 0x26AB, 0x26BD, 0x26BE, 0x26C4, 0x26C5,
  0x26CE, 0x26CE, 0x26D4, 0x26D4, 0x26EA, 0x26EA, 0x26F2, 0x26F3, 0x26F5, 0x26F5,
  0x26FA, 0x26FA, 0x26FD, 0x26FD, 0x2705, 0x2705, 0x270A, 0x270B, 0x2728, 0x2728,
  0x274C, 0x274C, 0x274E, 0x274E, 0x2753, 0x2755, 0x2757, 0x2757, 0x2795, 0x2797,
  0x27B0, 0x27B0, 0x27BF, 0x27BF, 0x2B1B, 0x2B1C, 0x2B50, 0x2B50, 0x2B55, 0x2B55,
  0x2E80, 0x303E, 0x3041, 0x3247, 0x3250, 0x4DBF, 0x4E00, 0xA4C6, 0xA960, 0xA97C,
  0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE10, 0xFE19, 0xFE30, 0xFE6B, 0xFF01, 0xFF60,
  0xFFE0, 0xFFE6, 0x16FE0, 0x1B2FB, 0x1F004, 0x1F004, 0x1F0CF, 0x1F0CF,
  0x1F18E, 0x1F18E, 0x1F191, 0x1F19A, 0x1F200, 0x1F320, 0x1F32D, 0x1F335,
  0x1F337, 0x1F37C, 0x1F37E, 0x1F393, 0x1F3A0, 0x1F3CA, 0x1F3CF, 0x1F3D3,
  0x1F3E0, 0x1F3F0, 0x1F3F4, 0x1F3F4, 0x1F3F8, 0x1F43E, 0x1F440, 0x1F440,
  0x1F442, 0x1F4FC, 0x1F4FF, 0x1F53D, 0x1F54B, 0x1F54E, 0x1F550, 0x1F567,
  0x1F57A, 0x1F57A, 0x1F595, 0x1F596, 0x1F5A4, 0x1F5A4, 0x1F5FB, 0x1F64F,
  0x1F680, 0x1F6C5, 0x1F6CC, 0x1F6CC, 0x1F6D0, 0x1F6D2, 0x1F6D5, 0x1F6DF,
  0x1F6EB, 0x1F6EC, 0x1F6F4, 0x1F6FC, 0x1F7E0, 0x1F7F0, 0x1F90C, 0x1F93A,
  0x1F93C, 0x1F945, 0x1F947, 0x1F9FF, 0x1FA70, 0x1FAF8, 0x20000, 0x3FFFD,
}
local COMBINING = {
  0x0300, 0x036F, 0x0483, 0x0489, 0x0591, 0x05BD, 0x05BF, 0x05BF, 0x05C1, 0x05C2,
  0x05C4, 0x05C5, 0x05C7, 0x05C7, 0x0610, 0x061A, 0x064B, 0x065F, 0x0670, 0x0670,
  0x06D6, 0x06DC, 0x06DF, 0x06E4, 0x06E7, 0x06E8, 0x06EA, 0x06ED, 0x093C, 0x093C,
  0x094D, 0x094D, 0x0E31, 0x0E31, 0x0E34, 0x0E3A, 0x0E47, 0x0E4E, 0x1160, 0x11FF,
  0x1AB0, 0x1ACE, 0x1DC0, 0x1DFF, 0x20D0, 0x20F0, 0x302A, 0x302D, 0x3099, 0x309A,
  0xD7B0, 0xD7FB, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0xE0100, 0xE01EF,
}

local function is_among(code, ranges)
  for i = 1, #ranges, 2 do
    if code <= ranges[i + 1] then
      return code >= ranges[i]
    end
  end
  return false
end

-- The code point of one UTF-8 character.
local function code_point(char)
  local lead = char:byte()
  local code = lead < 0x80 and lead or lead % 2 ^ (7 - #char)
  for i = 2, #char do
    code = code * 64 + char:byte(i) % 64
  end
  return code
end

---How many columns of a terminal a text takes that `escape` has passed.
function _M.width(text)
  if not text:find("[\128-\255]") then return #text end
  local columns = 0
  for char in text:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    local code = code_point(char)
    if not is_among(code, COMBINING) then
      columns = columns + (is_among(code, WIDE) and 2 or 1)
    end
  end
  return columns
end

return _M
