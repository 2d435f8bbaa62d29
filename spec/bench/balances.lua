-- balances.lua CALLS [limited]: that many calls of this module, over one
-- connection. The server, its CA and the account are those of the environment.
-- The limits are off, or too high to matter.

local client = require("bitfront").new {
  timeout = 60,
  rate_limit = arg[2] == "limited" and { per_second = 1e6, per_minute = 1e6 },
}

for _ = 1, tonumber(arg[1]) do
  assert(client:balances())
end
