-- busted's plain report; its counts also go to the file named in
-- BITFRONT_TALLY, as a line "passed failed skipped".
local busted = require "busted"
local plain = require "busted.outputHandlers.plainTerminal"

return function(options)
  local handler = plain(options)
  busted.subscribe({ "suite", "end" }, function()
    local tally = assert(io.open(os.getenv("BITFRONT_TALLY"), "a"))
    tally:write(string.format("%d %d %d\n", handler.successesCount,
      handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    assert(tally:close())
    return nil, true
  end)
  return handler
end
