--- How many calls the exchange takes of one key, as `calls` in any `ms`.

---@class bitfront.sandbox.Limit
---@field name string
---@field calls integer
---@field ms integer

---@type bitfront.sandbox.Limit[]
return {
  { name = "per_second", calls = 3, ms = 1000 },
  { name = "per_minute", calls = 60, ms = 60000 },
}
