---The number that a text with a decimal point stands for, in a locale with a
---decimal comma too: Lua 5.1 and 5.2 ask it.
---@param text string
---@return number
return function(text)
  return tonumber(text) or tonumber((text:gsub("%.", ",")))
end
