-- Several calls, and whether one of them keeps the engine from the others: that is
-- told by the processor time of each step, which a busy machine does not lengthen.

local accounts = require "bitfront.account"
local core = require "bitfront.core"
local support = require "spec.support"

local _M = {}

local LONGEST = 10 -- times what three calls take in all their steps

-- Drives the calls until each has ended, in the first step after its deadline at the
-- latest. Returns their errors, and the processor time of the longest step and of all.
local function drive(clients, timeouts)
  local exchanges, deadlines, errors, longest, all = {}, {}, {}, 0, 0
  for i, client in ipairs(clients) do
    deadlines[i] = core.now() + timeouts[i]
    exchanges[i] = assert(core.start { client = accounts.of(client).handle,
                                       deadline = deadlines[i] })
  end
  repeat
    local running, began, used = 0, core.now(), os.clock()
    core.step(1)
    used = os.clock() - used
    longest, all = math.max(longest, used), all + used
    for i, exchange in ipairs(exchanges) do
      local is_done = exchange:done()
      assert(is_done or began < deadlines[i], "a call goes on after its deadline")
      running = running + (is_done and 0 or 1)
    end
  until running == 0
  for i, exchange in ipairs(exchanges) do errors[i] = select(2, exchange:finish()) or false end
  return errors, longest, all
end

local accounts_made = 0

-- Three calls over new connections, which are replied to one after the other, and
-- with them that client's.
local function drive_three(faultd, unending, timeout)
  local clients, timeouts = {}, { 60, 60, 60, timeout }
  for i = 1, 3 do
    accounts_made = accounts_made + 1
    clients[i] = support.client { api_key = ("Turns%08d"):format(accounts_made),
      base_url = faultd:url_body(support.success(), { delay = 100 * i }) }
  end
  clients[4] = unending
  local errors, longest, all = drive(clients, timeouts)
  for i = 1, 3 do
    assert(not errors[i], errors[i] and errors[i].message)
    clients[i]:close()
  end
  return longest, all
end

---Raises where a call of this client, whose peer sends without end, takes a long step,
---goes on after its deadline, or has another one fail.
---@param faultd table # a running fault server
---@param unending bitfront.Client
---@param timeout number # of its call, in seconds
function _M.check_short(faultd, unending, timeout)
  local _, all = drive_three(faultd)
  local longest = math.huge
  -- The shortest of three: on a busy machine much may have come for one step, and memory
  -- be slow; a step that does not end by itself is long each time.
  for _ = 1, 3 do
    longest = math.min(longest, (drive_three(faultd, unending, timeout)))
    if longest < LONGEST * all then return end
  end
  error(("a step took %.3f s of the processor, three calls %.3f s"):format(longest, all))
end

return _M
