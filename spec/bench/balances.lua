-- balances.lua CALLS: that many calls of this module, over one connection. The
-- server, its CA and the account are those of the environment.

local client = require("bitfront").new { timeout = 60 }

for _ = 1, tonumber(arg[1]) do
  assert(client:balances())
end
