-- The columns that there are, in the order in which they are shown. What sorts,
-- sums, formats, shows or serves records has its list of columns from here. A spec
-- holds the annotations above the rows, csrc/json/reply.h and the README against them.

local keyed = require "bitfront.rows".keyed

---@class bitfront.Column
---@field name string  also the field of a record
---@field kind "text"|"amount"
---@field label string  for a header that people read
---@field from "caller"|"reply"|"difference"|"prices"  who fills it in: the caller (many accounts in one list), the exchange's reply (shown where no columns are asked for), minuend less subtrahend, bitfront.value
---@field minuend? string  of a difference: a column
---@field subtrahend? string  of a difference: a column
---@field sortable? boolean  a key of bitfront.sort
---@field state? string  of a balance in Prometheus' format

---@class bitfront.Record
---@field currency string  coin code; the exchange says LN for the coin LINK
---@field balance bitfront.Amount  all there is, as `amounts` says
---@field availableBalance bitfront.Amount  what is not locked in orders

---@alias bitfront.SortKey "currency"|"balance"|"availableBalance"|"locked"|"value"

return keyed {
  { name = "account", kind = "text", label = "Account", from = "caller" },
  { name = "currency", kind = "text", label = "Currency", from = "reply", sortable = true },
  { name = "balance", kind = "amount", label = "Balance", from = "reply", sortable = true,
    state = "total" },
  { name = "availableBalance", kind = "amount", label = "Available", from = "reply",
    sortable = true, state = "available" },
  { name = "locked", kind = "amount", label = "Locked", from = "difference",
    minuend = "balance", subtrahend = "availableBalance", sortable = true,
    state = "locked" },
  { name = "price", kind = "amount", label = "Price", from = "prices" },
  { name = "value", kind = "amount", label = "Value", from = "prices",
    sortable = true },
}
