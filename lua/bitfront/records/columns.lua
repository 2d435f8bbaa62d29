-- The columns that there are, in the order in which they are shown. What sorts,
-- sums, formats or shows records has its list of columns from here.

local keyed = require "bitfront.rows".keyed

---@class bitfront.Column
---@field name string  also the field of a record
---@field kind "text"|"amount"
---@field label string  for a header that people read
---@field from "caller"|"reply"|"difference"|"prices"  who fills it in: the caller (many accounts in one list), the exchange's reply, minuend less subtrahend, bitfront.value
---@field minuend? string  of a difference: a column
---@field subtrahend? string  of a difference: a column
---@field default? boolean  shown where no columns are asked for
---@field sortable? boolean  a key of bitfront.sort
---@field state? string  of a balance in Prometheus' format

---@alias bitfront.SortKey "currency"|"balance"|"availableBalance"|"locked"|"value"

return keyed {
  { name = "account", kind = "text", label = "Account", from = "caller" },
  { name = "currency", kind = "text", label = "Currency", from = "reply",
    default = true, sortable = true },
  { name = "balance", kind = "amount", label = "Balance", from = "reply",
    default = true, sortable = true, state = "total" },
  { name = "availableBalance", kind = "amount", label = "Available",
    from = "reply", default = true, sortable = true, state = "available" },
  { name = "locked", kind = "amount", label = "Locked", from = "difference",
    minuend = "balance", subtrahend = "availableBalance", sortable = true,
    state = "locked" },
  { name = "price", kind = "amount", label = "Price", from = "prices" },
  { name = "value", kind = "amount", label = "Value", from = "prices",
    sortable = true },
}
