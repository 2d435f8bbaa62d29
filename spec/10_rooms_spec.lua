-- The folders of csrc and of lua/bitfront are rooms, in an order: what stands lower
-- knows nothing of what stands higher, and of csrc only the highest knows Lua.

local support = require "spec.support"

local ROOMS = { "base", "money", "json", "auth", "http", "policy", "thread", "lua" }
local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true,
                      ["luajit.h"] = true, ["lua.hpp"] = true }
local MOST_LINES = 450

local level = {}
for i, room in ipairs(ROOMS) do level[room] = i end

-- The lines of a text, numbered.
local function lines_of(text)
  local number = 0
  local next_line = text:gsub("[^\n]$", "%0\n"):gmatch "([^\n]*)\n"
  return function()
    local line = next_line()
    number = number + 1
    if line then return number, line end
  end
end

-- Adds what is wrong with a file's length.
local function check_length(found, path, count)
  if count > MOST_LINES then
    found[#found + 1] = ("%s:%d: has more than %d lines"):format(path, count, MOST_LINES)
  end
end

local function texts_of(folder, name)
  local texts = {}
  for _, path in ipairs(support.lines(("find %s -type f -name '%s'"):format(folder, name))) do
    texts[path] = support.read(path)
  end
  return texts
end

-- ---- csrc ----

-- What is wrong with a line of a file of this room; nil: nothing.
local function error_of_line(room, line)
  local _, name = line:match '^%s*#%s*include%s*(["<])([^">]*)[">]'
  if not name then
    return line:find "^%s*#%s*include" and "includes what cannot be told" or nil
  elseif LUA_HEADERS[name:match "[^/]*$"] then
    return room ~= "lua" and "includes " .. name or nil
  elseif not line:find '"' then
    return nil
  end
  local other = name:match "^(%l+)/[%w_]+%.h$"
  if not level[other] then return "includes " .. name .. ", which is in no room" end
  return level[other] > level[room] and "includes " .. name or nil
end

---What is wrong with a file of csrc, as "PATH:LINE: WORDS".
---@param path string  from csrc on
---@param text string
---@return string[]
local function errors_of(path, text)
  local room, found, count = path:match "^csrc/(%l+)/[%w_]+%.[ch]$", {}, 0
  if not level[room] and path ~= "csrc/needs.c" then return { path .. ": is in no room" } end
  for number, line in lines_of(text) do
    count = number
    local err = room and error_of_line(room, line)
    if err then found[#found + 1] = ("%s:%d: %s"):format(path, number, err) end
  end
  check_length(found, path, count)
  return found
end

-- ---- lua/bitfront ----

-- Lowest first. A name stands for the file, and for the room of that name where
-- there is one. Rooms of one layer do not know each other. The C module is the file
-- that all may require.
local LAYERS = {
  { "core", "native", "version", "misuse", "check", "rows" },
  { "error", "status" },
  { "records" },
  { "memo", "clock", "target", "retry", "credentials" },
  { "limiter", "wait" },
  { "options", "json", "credential_process", "account", "call", "many", "client", "prices",
    "doctor" },
  { "init" },
  { "nginx", "sandbox" },
  { "cli" },
}
local LUA_ROOMS = { records = true, limiter = true, wait = true, nginx = true,
                    sandbox = true, cli = true }

-- Of all that nginx has, the command may only print these texts.
local FOR_COMMAND = { ["bitfront.nginx.conf_example"] = true, ["bitfront.nginx.alerts"] = true,
                      ["bitfront.nginx.dashboard"] = true }

-- Where a module is required whose name is not written there, and why.
local DYNAMIC = {
  ["lua/bitfront/cli/streams.lua"] = "load's callers write the name",
}

-- Modules that have more than one alias, and why: none.
local ALIASES = {}

-- Base names that stand in several rooms, and why.
local SAME_NAMES = {
  nginx = "the room that runs in it, how to wait in it, and how the sandbox starts it",
}

local layer = {}
for i, names in ipairs(LAYERS) do
  for _, name in ipairs(names) do layer[name] = i end
end

-- The first folder or file of a path or a module, and what follows it.
local function entry_of(name)
  if name == "bitfront" then return "init" end
  name = name:gsub("^lua/bitfront/", "bitfront."):gsub("%.lua$", ""):gsub("/", ".")
  return name:match "^bitfront%.([%w_]+)$" or name:match "^bitfront%.([%w_]+)%.[%w_]+$",
    name:match "^bitfront%.[%w_]+%.([%w_]+)$"
end

-- "bitfront.records" of "lua/bitfront/records/init.lua".
local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- What a file requires, by the number of the line: modules, and false for a name that
-- is not written there.
local function requires_of(text)
  local found = {}
  for number, line in lines_of(text) do
    if not line:find "^%s*%-%-" then
      for word, rest in line:gmatch "%f[%w_](%a+)%f[^%w_]()" do
        local name = line:match("^[%s(,]*[\"']([^\"']*)[\"']", rest)
        local is_dynamic = line:find("^%s*%(%s*[%a_]", rest)
          or line:find("^%s*,%s*[%w_]+%s*%)", rest)
        if (word == "require" or word == "load") and name and name:find "^bitfront" then
          found[#found + 1] = { line = number, module = name }
        elseif word == "require" and not name and is_dynamic then
          found[#found + 1] = { line = number, module = false }
        end
      end
    end
  end
  return found
end

-- Whether rooms of one layer, or the command and the rest of nginx, do not know each
-- other.
local function is_forbidden(room, other, module)
  if room == "cli" and other == "nginx" then return not FOR_COMMAND[module] end
  return room ~= other and layer[room] == layer[other] and LUA_ROOMS[room] and LUA_ROOMS[other]
end

-- What is wrong with a file's requiring a module; nil: nothing.
local function error_of_require(path, module)
  if not module then return not DYNAMIC[path] and "requires what cannot be told" or nil end
  local room, other, rest = (entry_of(path)), entry_of(module)
  if not layer[other] or rest and not LUA_ROOMS[other] then
    return "requires " .. module .. ", which is in no room"
  end
  local is_wrong = layer[other] > layer[room] or is_forbidden(room, other, module)
  return is_wrong and "requires " .. module or nil
end

-- Adds the cycles in a graph of modules, each once.
local function check_cycles(found, graph)
  local state, trail = {}, {}
  local function visit(module)
    state[module], trail[#trail + 1] = "open", module
    for _, other in ipairs(graph[module] or {}) do
      if state[other] == "open" then
        local first = #trail
        while trail[first] ~= other do first = first - 1 end
        found[#found + 1] = "cycle: " .. table.concat(trail, " > ", first) .. " > " .. other
      elseif not state[other] then
        visit(other)
      end
    end
    state[module], trail[#trail] = "closed", nil
  end
  for _, module in ipairs(support.keys(graph)) do
    if not state[module] then visit(module) end
  end
end

-- Adds second aliases of modules.
local function check_aliases(found, path, text, aliases)
  for number, line in lines_of(text) do
    local alias, module = line:match
      "^%s*local ([%w_]+) = require%s*%(?%s*[\"']([%w_.]+)[\"']%)?%s*$"
    local known = module and aliases[module]
    if known and known ~= alias and not ALIASES[module] then
      found[#found + 1] = ("%s:%d: calls %s %s, not %s"):format(path, number, module, alias, known)
    elseif module then
      aliases[module] = alias
    end
  end
end

---What is wrong with files of lua/bitfront, as "PATH:LINE: WORDS".
---@param texts table<string, string>  by path
---@return string[]
local function errors_of_lua(texts)
  local found, graph, aliases = {}, {}, {}
  for _, path in ipairs(support.keys(texts)) do
    local text, edges, count = texts[path], {}, 0
    local entry, rest = entry_of(path)
    if not layer[entry] or rest and not LUA_ROOMS[entry] then
      found[#found + 1] = path .. ": is in no room"
    else
      for _, required in ipairs(requires_of(text)) do
        local err = error_of_require(path, required.module)
        if err then found[#found + 1] = ("%s:%d: %s"):format(path, required.line, err) end
        edges[#edges + 1] = required.module or nil
      end
    end
    for number in lines_of(text) do count = number end
    check_length(found, path, count)
    check_aliases(found, path, text, aliases)
    graph[module_of(path)] = edges
  end
  check_cycles(found, graph)
  return found
end

-- ---- base names ----

-- A file of csrc/lua that shows Lua what another file has, has that file's name.
local function is_binding(texts, base)
  return texts[("csrc/lua/%s.c"):format(base)]:find("%f[%w_]bf_" .. base) ~= nil
end

---Base names that stand in several rooms, as "NAME: ROOM, ROOM".
---@param texts table<string, string>  by path
---@return string[]
local function same_names(texts)
  local rooms_of, found = {}, {}
  for path in pairs(texts) do
    local room, base = path:match "([%w_]+)/([%w_]+)%.%w+$"
    if base == "init" then room, base = "bitfront", room end
    rooms_of[base] = rooms_of[base] or {}
    rooms_of[base][room] = true
  end
  for _, base in ipairs(support.keys(rooms_of)) do
    local rooms = support.keys(rooms_of[base])
    local is_bound = #rooms == 2 and rooms_of[base].lua and is_binding(texts, base)
    if #rooms > 1 and not is_bound and not SAME_NAMES[base] then
      found[#found + 1] = base .. ": " .. table.concat(rooms, ", ")
    end
  end
  return found
end

describe("csrc #once", function()
  it("has rooms that know only what stands lower, and no long file", function()
    local all, texts = {}, texts_of("csrc", "*")
    local paths = support.keys(texts)
    for _, path in ipairs(paths) do
      for _, err in ipairs(errors_of(path, texts[path])) do all[#all + 1] = err end
    end
    assert.is_true(#paths > 50)
    assert.same({}, all)
  end)

  it("has no two files of one name, except a file that binds another to Lua", function()
    assert.same({}, same_names(texts_of("csrc/?*", "*.[ch]")))
  end)

  describe("is checked by what", function()
    for _, row in ipairs {
      { "http", '#include "http/head.h"' },
      { "http", '#include "auth/sign.h"' },
      { "http", "#include <curl/curl.h>" },
      { "http", "struct bf_head; /* not lua.h */" },
      { "lua", '#include "thread/thread.h"' },
      { "lua", "#include <lua.h>" },
      { "lua", '#include "lauxlib.h"' },
      { "base", '#include "json/scan.h"', "includes json/scan.h" },
      { "money", '#include "lua/compat.h"', "includes lua/compat.h" },
      { "json", '  #  include"auth/sign.h" /* why */', "includes auth/sign.h" },
      { "auth", '#include "http/url.h"', "includes http/url.h" },
      { "http", '#include "policy/window.h"', "includes policy/window.h" },
      { "policy", '#include "thread/job.h"', "includes thread/job.h" },
      { "thread", '#include "lua/text.h"', "includes lua/text.h" },
      { "thread", "#include <lua.h>", "includes lua.h" },
      { "thread", '#include "lua.h"', "includes lua.h" },
      { "base", "#include <lua5.4/lauxlib.h>", "includes lua5.4/lauxlib.h" },
      { "json", '#include "../lualib.h"', "includes ../lualib.h" },
      { "http", '#include "head.h"', "includes head.h, which is in no room" },
      { "http", '#include "../auth/sign.h"', "includes ../auth/sign.h, which is in no room" },
      { "http", '#include "attic/old.h"', "includes attic/old.h, which is in no room" },
      { "http", "#include HEADER", "includes what cannot be told" },
    } do
      it(("takes %s in %s for %s"):format(row[2], row[1], row[3] or "right"), function()
        local path = ("csrc/%s/made_up.c"):format(row[1])
        assert.same({ row[3] and path .. ":2: " .. row[3] },
          errors_of(path, "\n" .. row[2] .. "\n"))
      end)
    end

    it("counts lines and finds each error of a file", function()
      local text = '#include "lua/text.h"\n#include <lua.h>\n' .. ("\n"):rep(449)
      assert.same({ "csrc/base/list.h:1: includes lua/text.h",
                    "csrc/base/list.h:2: includes lua.h",
                    "csrc/base/list.h:451: has more than 450 lines" },
        errors_of("csrc/base/list.h", text))
      assert.same({}, errors_of("csrc/base/list.h", ("\n"):rep(450)))
      assert.same({ "csrc/base/list.h:1: includes lua.h" },
        errors_of("csrc/base/list.h", "#include <lua.h>"))
      assert.same({ "csrc/needs.c:451: has more than 450 lines" },
        errors_of("csrc/needs.c", ("\n"):rep(451)))
    end)

    it("knows of no file outside the rooms", function()
      for _, path in ipairs { "csrc/list.h", "csrc/attic/list.h", "csrc/base/more/list.h",
                              "csrc/base/list.hpp" } do
        assert.same({ path .. ": is in no room" }, errors_of(path, ""))
      end
    end)
  end)
end)

describe("lua/bitfront #once", function()
  local texts = texts_of("lua/bitfront", "*.lua")

  it("has rooms that know only what stands lower, no cycle, no long file, one alias each",
    function()
      assert.is_true(#support.keys(texts) > 60)
      assert.same({}, errors_of_lua(texts))
    end)

  it("has modules that the specs call by the same alias", function()
    local found, aliases, specs = {}, {}, texts_of("spec", "*.lua")
    specs["spec/10_rooms_spec.lua"] = nil -- its rows make up aliases
    for _, all in ipairs { texts, specs } do
      for _, path in ipairs(support.keys(all)) do
        check_aliases(found, path, all[path], aliases)
      end
    end
    assert.same({}, found)
  end)

  it("has no two files of one name, except those listed here", function()
    assert.same({}, same_names(texts))
  end)

  describe("is checked by what", function()
    for _, row in ipairs {
      { "clock", 'local native = require "bitfront.native"' },
      { "clock", 'local core = require "bitfront.core"' },
      { "clock", '-- local bitfront = require "bitfront"' },
      { "clock", 'local found, cjson = pcall(require, "cjson")' },
      { "clock", 'error("no gsub or require, in this phase")' },
      { "many", 'local tasks = require "bitfront.wait.tasks"' },
      { "nginx", 'local cache = require "bitfront.nginx.cache"' },
      { "cli/watch", 'local sandbox = load "bitfront.sandbox"' },
      { "cli/watch", 'write(load("bitfront.nginx.conf_example"))' },
      { "cli/streams", "local ok, module = pcall(require, name)" },
      { "records/sort", 'local clock = require "bitfront.clock"', "requires bitfront.clock" },
      { "records/init", "local _ = require 'bitfront'", "requires bitfront" },
      { "retry", 'return require("bitfront.limiter").peek()', "requires bitfront.limiter" },
      { "limiter", 'local wait = require "bitfront.wait"', "requires bitfront.wait" },
      { "wait/nginx", 'require ( "bitfront.limiter.memory" )', "requires bitfront.limiter.memory" },
      { "doctor", 'pcall(require, "bitfront.cli.prices")', "requires bitfront.cli.prices" },
      { "nginx/page", "require 'bitfront.sandbox'", "requires bitfront.sandbox" },
      { "sandbox/init", 'require "bitfront.nginx"', "requires bitfront.nginx" },
      { "cli", 'streams.load("bitfront.nginx")', "requires bitfront.nginx" },
      { "cli/watch", 'load "bitfront.nginx.page"', "requires bitfront.nginx.page" },
      { "cli/watch", 'require "bitfront.attic"',
        "requires bitfront.attic, which is in no room" },
      { "cli/watch", 'require "bitfront.clock.old"',
        "requires bitfront.clock.old, which is in no room" },
      { "cli/watch", 'require("bitfront.sandbox." .. name)',
        "requires bitfront.sandbox., which is in no room" },
      { "cli/watch", "local module = require(name)", "requires what cannot be told" },
      { "sandbox/init", "pcall(require, name)", "requires what cannot be told" },
    } do
      it(("takes %s in %s for %s"):format(row[2], row[1], row[3] or "right"), function()
        local path = ("lua/bitfront/%s.lua"):format(row[1])
        assert.same({ row[3] and path .. ":2: " .. row[3] },
          errors_of_lua { [path] = "\n" .. row[2] .. "\n" })
      end)
    end

    it("counts lines, and knows of no file outside the rooms", function()
      assert.same({
        "lua/bitfront/attic.lua: is in no room",
        "lua/bitfront/clock/old.lua: is in no room",
        "lua/bitfront/many.lua:451: has more than 450 lines",
        "lua/bitfront/records/more/sort.lua: is in no room",
      }, errors_of_lua {
        ["lua/bitfront/attic.lua"] = "", ["lua/bitfront/clock/old.lua"] = "",
        ["lua/bitfront/many.lua"] = ("\n"):rep(451),
        ["lua/bitfront/client.lua"] = ("\n"):rep(450),
        ["lua/bitfront/records/more/sort.lua"] = "",
      })
    end)

    it("finds cycles and second aliases", function()
      assert.same({
        "lua/bitfront/many.lua:2: calls bitfront.client made, not client",
        "cycle: bitfront.client > bitfront.many > bitfront.client",
        "cycle: bitfront.options > bitfront.options",
      }, errors_of_lua {
        ["lua/bitfront/account.lua"] = 'local client = require "bitfront.client"\n',
        ["lua/bitfront/client.lua"] = 'return function() return require("bitfront.many") end',
        ["lua/bitfront/many.lua"] = '\n  local made = require("bitfront.client")',
        ["lua/bitfront/options.lua"] = 'local options = require "bitfront.options"\n',
      })
    end)

    it("finds files of one name in several rooms", function()
      assert.same({ "clock: base, json", "records: bitfront, nginx", "sign: auth, lua",
                    "thread: base, lua, thread" }, same_names {
        ["csrc/base/clock.c"] = "", ["csrc/json/clock.h"] = "", ["csrc/base/list.c"] = "",
        ["csrc/base/list.h"] = "", ["csrc/auth/sign.h"] = "",
        ["csrc/lua/sign.c"] = "bf_client",
        ["csrc/http/client.h"] = "", ["csrc/lua/client.c"] = "struct bf_client",
        ["csrc/base/thread.c"] = "", ["csrc/thread/thread.c"] = "",
        ["csrc/lua/thread.c"] = "bf_thread()",
        ["lua/bitfront/records/init.lua"] = "", ["lua/bitfront/nginx/records.lua"] = "",
      })
    end)
  end)
end)
