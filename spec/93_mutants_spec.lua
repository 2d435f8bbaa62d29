local sites_of = require "spec.mutants.sites".of

-- The texts that a text becomes, each by one change.
local function mutants_of(text, is_lua)
  local found = {}
  for i, site in ipairs(sites_of(text, is_lua)) do
    found[i] = text:sub(1, site.first - 1) .. site.by .. text:sub(site.last + 1)
  end
  return found
end

describe("a mutant #once", function()
  for _, row in ipairs {
    { true, "return a <= b", { "return a < b" } },
    { true, "x = y ~= nil and z", { "x = y == nil and z", "x = y ~= nil or z" } },
    { true, "local n = #list + 1", { "local n = #list + 2", "local n = #list - 1" } },
    { true, "local n = -1", { "local n = -2" } },
    { true, "  if ready then", { "  if not (ready) then" } },
    { true, "  return first, second", { "  return second, first" } },
    { true, "  self:close(handle)", { "  do end" } },
    { true, "  self.open = false", { "  do end", "  self.open = true" } },
    { true, "-- if a < 1 then\nlocal s = 'a < 1' .. \"1 \\\" 2\" .. [[1 < 2]]", {} },
    { true, "--[==[ 1 ]] 2 ]==] return true", { "--[==[ 1 ]] 2 ]==] return false" } },
    { false, "x = a->b;", {} },
    { false, "  x = a->b;", { "  ;" } },
    { false, "return p < end && *p;", { "return p < end || *p;", "return p <= end && *p;" } },
    { false, "n += 2;", { "n += 3;", "n -= 2;" } },
    { false, "for (; i < n; i++)", { "for (; i < n; i--)", "for (; i <= n; i++)" } },
    { false, "  if (a == NULL)", { "  if (!(a == NULL))", "  if (a != NULL)" } },
    { false, "  free(text);", { "  ;" } },
    { false, "/* 1 < 2 */ c = '1'; // 3\ns = \"4 \\\" 5\";", {} },
    { false, "#define M \\\n  (1 + 2)\nreturn -1;", { "#define M \\\n  (1 + 2)\nreturn -2;" } },
  } do
    local is_lua, text, expected = row[1], row[2], row[3]
    it(("of %q is %d texts"):format(text, #expected), function()
      local found = mutants_of(text, is_lua)
      table.sort(expected) -- the order of two texts is the locale's
      table.sort(found)
      assert.same(expected, found)
    end)
  end
end)
