-- The folders of csrc are rooms, in an order: what stands lower knows nothing of
-- what stands higher, and only the highest knows Lua.

local support = require "spec.support"

local ROOMS = { "base", "money", "json", "auth", "http", "policy", "thread", "lua" }
local LUA_HEADERS = { ["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true,
                      ["luajit.h"] = true, ["lua.hpp"] = true }
local MOST_LINES = 450

local level = {}
for i, room in ipairs(ROOMS) do level[room] = i end

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
  for line in text:gsub("[^\n]$", "%0\n"):gmatch "([^\n]*)\n" do
    count = count + 1
    local err = room and error_of_line(room, line)
    if err then found[#found + 1] = ("%s:%d: %s"):format(path, count, err) end
  end
  if count > MOST_LINES then
    found[#found + 1] = ("%s:%d: has more than %d lines"):format(path, count, MOST_LINES)
  end
  return found
end

describe("csrc #once", function()
  it("has rooms that know only what stands lower, and no long file", function()
    local all, count = {}, 0
    for path in support.must "find csrc -type f":gmatch "[^\n]+" do
      count = count + 1
      for _, err in ipairs(errors_of(path, support.read(path))) do all[#all + 1] = err end
    end
    assert.is_true(count > 50)
    assert.same({}, all)
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
