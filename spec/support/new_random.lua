---Numbers by chance, the same for a seed on every Lua (Park and Miller's).
---@param seed integer  1 to 2147483646
---@return fun(): number  from 0 to below 1
return function(seed)
  local last = seed
  return function()
    last = last * 16807 % 2147483647
    return last / 2147483647
  end
end
