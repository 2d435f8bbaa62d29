-- Prices from the exchange: the last trade of each pair of a coin and a market.

local accounts = require "bitfront.account"
local call = require "bitfront.call"
local check = require "bitfront.check"
local check_options = require "bitfront.options".of
local client = require "bitfront.client"
local coin = require "bitfront.records.coin"
local errors = require "bitfront.error"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local target = require "bitfront.target"

local _M = {}

local NO_PAIR = 4009
local PATH = "/v1/market/public/currentTickValue"

---@class bitfront.PricesOptions
---@field timeout? number  seconds for each pair's call, with all waiting and retries; default the client's own
---@field retries? integer  further attempts of each call; default the client's own
---@field traceparent? string  that of each call

local function check_arguments(one, market, codes)
  if not client.is_client(one) then raise "bitfront.prices: client must be a client" end
  if not coin.is_code(market) then raise("bitfront.prices: market: %s", coin.RULE) end
  if not check.is_array(codes) then
    raise "bitfront.prices: codes must be an array of coin codes"
  end
  for i, code in ipairs(codes) do
    if not coin.is_code(code) then raise("bitfront.prices: codes[%d]: %s", i, coin.RULE) end
  end
end

-- The price of one coin; nil where the exchange has no such pair; nil and the error.
local function price_of(one, market, code, options)
  local query = { coinPair = code .. "." .. market } -- in this order by the endpoint's page
  local tick, err, info = call.perform(accounts.of(one), target.of_path(PATH, query),
    { amounts = "decimal", timeout = options.timeout, retries = options.retries,
      traceparent = options.traceparent })
  if err then return nil, err.code ~= NO_PAIR and err or nil end
  local price = type(tick) == "table" and tick.last
  if type(price) == "userdata" and price ~= native.null then return price end
  return nil, errors.new({ kind = "protocol", code = "schema",
    message = ("responseData.last of %s must be a number"):format(query.coinPair),
    http_status = info.http_status, response_time = info.responseTime }, info.attempts)
end

--- See bitfront.prices.
---@param one bitfront.Client
---@param market string
---@param codes string[]
---@param options bitfront.PricesOptions?
function _M.ask(one, market, codes, options)
  check_arguments(one, market, codes)
  options = check_options("bitfront.prices", options)
  local prices, missing, asked = { [market] = native.decimal "1" }, {}, { [market] = true }
  for _, code in ipairs(codes) do
    if not asked[code] then
      local price, err = price_of(one, market, code, options)
      if err then return nil, err end
      asked[code], prices[code] = true, price
      if not price then missing[#missing + 1] = code end
    end
  end
  return prices, nil, missing
end

return _M
