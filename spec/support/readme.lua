-- The README as data: its fenced blocks, its tables, and its entries of the
-- reference; and words to compare it with the code.

local shell = require "spec.support.shell"

local _M = {}

---@class ReadmeBlock
---@field line integer  of its fence
---@field lang string  "sh", "lua", "nginx", "text", "ini", "json"; "" for none
---@field info string  the words behind it in the fence
---@field text string
---@field output? string  of a block that is run: the "text" block that follows

---@class ReadmeOption
---@field text string  its whole line
---@field nested table<string, ReadmeOption>

---@class ReadmeEntry
---@field syntax? string
---@field options table<string, ReadmeOption>

---@class Readme
---@field blocks ReadmeBlock[]
---@field entries table<string, ReadmeEntry>  by heading
---@field anchors table<string, true>  of all headings, as GitHub makes them
---@field tables table<string, string[][]>  rows of cells, by the header's cells joined by " | "

local function cells_of(line)
  local cells = {}
  for cell in line:gsub("^|", ""):gsub("\\|", "\0"):gmatch "%s*([^|]-)%s*|" do
    cells[#cells + 1] = (cell:gsub("%z", "|"))
  end
  return cells
end

-- ---- what a line does to what is read; `state` is where the reader is ----

local function read_fence(doc, state, line)
  if state.block then
    if line ~= "```" then
      state.block.text = state.block.text .. line .. "\n"
      return
    end
    state.block = nil
    return
  end
  local lang, info = line:match "^```(%l*)%s*(.*)$"
  state.block = { line = state.line, lang = lang, info = info, text = "" }
  doc.blocks[#doc.blocks + 1] = state.block
end

local function read_table(doc, state, line)
  local cells = cells_of(line)
  if not state.rows then
    state.rows = {}
    doc.tables[table.concat(cells, " | ")] = state.rows
  elseif not line:find "^| %-%-%-" then
    state.rows[#state.rows + 1] = cells
  end
end

local function add_option(list, line)
  local option = { text = line, nested = {} }
  list[line:match "`([^`]+)`"] = option
  return option
end

local function read_entry(state, line)
  local entry = state.entry
  if line:find "^syntax: " then
    entry.syntax = line:sub(9)
  elseif line:find "^%- `" then
    state.outer = add_option(entry.options, line)
    state.option = state.outer
  elseif line:find "^  %- `" and state.outer then
    state.option = add_option(state.outer.nested, line)
  elseif line:find "^  +%S" and state.option then
    state.option.text = state.option.text .. " " .. line:gsub("^ +", "")
  else
    state.option = nil
  end
end

local function read_line(doc, state, line)
  if state.block or line:find "^```" then return read_fence(doc, state, line) end
  if line:find "^|" then return read_table(doc, state, line) end
  state.rows = nil
  local level, heading = line:match "^(#+) (.*)$"
  if heading then
    doc.anchors[heading:lower():gsub("[^%w_ -]", ""):gsub(" ", "-")] = true
    state.entry = { options = {} }
    state.option, state.outer = nil, nil
    if #level == 4 then doc.entries[heading:gsub("\\", "")] = state.entry end
  elseif state.entry then
    read_entry(state, line)
  end
end

local RUN = { sh = true, lua = true }

-- A block of text is what the last program before it prints.
local function give_output(blocks)
  local last
  for _, block in ipairs(blocks) do
    if RUN[block.lang] then last = block end
    if block.lang == "text" and block.info == "" and last then
      last.output = (last.output or "") .. block.text
    end
  end
end

---@param text string
---@return Readme
function _M.parse(text)
  local doc, state = { blocks = {}, entries = {}, anchors = {}, tables = {} }, { line = 0 }
  for line in text:gmatch "([^\n]*)\n" do
    state.line = state.line + 1
    read_line(doc, state, line)
  end
  give_output(doc.blocks)
  return doc
end

---The words in backticks of a text, as keys.
---@param text string
---@return table<string, true>
function _M.words(text)
  local words = {}
  for word in text:gmatch "`([^`]+)`" do words[word] = true end
  return words
end

---A column of a table, the backticks taken off, as keys with the rows as values.
---@param rows string[][]
---@return table<string, string[]>
function _M.by_name(rows)
  local map = {}
  for _, row in ipairs(rows) do map[row[1]:match "^`([^`]+)`$" or row[1]] = row end
  return map
end

---Each item once.
---@return string[]  sorted
function _M.set(list)
  local names = {}
  for _, name in ipairs(list) do names[name] = true end
  return shell.keys(names)
end

---What the code has and the README lacks, and the reverse, in words.
---@param code string[]
---@param listed string[]
---@return string[]  empty where they have the same
function _M.differences(code, listed)
  local is_in, found = { code = {}, listed = {} }, {}
  for _, name in ipairs(code) do is_in.code[name] = true end
  for _, name in ipairs(listed) do is_in.listed[name] = true end
  for _, name in ipairs(shell.keys(is_in.code)) do
    if not is_in.listed[name] then found[#found + 1] = name .. " is missing in the README" end
  end
  for _, name in ipairs(shell.keys(is_in.listed)) do
    if not is_in.code[name] then found[#found + 1] = name .. " is in the README alone" end
  end
  return found
end

---@return string[]  the first capture of each match
function _M.matches(text, pattern)
  local list = {}
  for word in text:gmatch(pattern) do list[#list + 1] = word end
  return list
end

---The text of all files that `find` finds.
---@param arguments string
function _M.sources(arguments)
  local texts = {}
  for _, path in ipairs(shell.lines("find " .. arguments)) do
    texts[#texts + 1] = shell.read(path)
  end
  return table.concat(texts, "\n")
end

---The README of this tree, and the texts of what it describes.
_M.doc = _M.parse(shell.read "README.md")
_M.LUA = _M.sources "lua/bitfront -name '*.lua'"
_M.C = _M.sources "csrc -name '*.[ch]'"

---The rows of the README's table with these headers, by their first cell.
---@param header string
function _M.table_of(header)
  return _M.by_name(assert(_M.doc.tables[header], "the README has no table " .. header))
end

return _M
