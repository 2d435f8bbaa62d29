-- Tables of rows: one array in the order in which the rows are shown, in which a
-- row is also found by its name. ipairs gives the order; pairs gives each row
-- twice.

local _M = {}

--- Adds the names as keys, and returns the same table. A row that is a string is
--- its own name.
function _M.keyed(list)
  for _, row in ipairs(list) do
    list[type(row) == "table" and row.name or row] = row
  end
  return list
end

--- The names of the rows, in their order; with `match`, of those rows that have all
--- of these fields: names(columns, { sortable = true }).
---@param match? table
---@return string[]
function _M.names(list, match)
  local names = {}
  for _, row in ipairs(list) do
    local is_match = true
    for field, value in pairs(match or {}) do
      is_match = is_match and row[field] == value
    end
    if is_match then names[#names + 1] = row.name end
  end
  return names
end

return _M
