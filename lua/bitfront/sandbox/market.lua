-- What the sandbox says of coin pairs, and of coins: made up, as prices here stand still.
-- Numbers are the texts that are sent.

local _M = {}

---@class bitfront.sandbox.Pair
---@field coin string
---@field market string  the coin that prices are in
---@field last string
---@field min_price string  with an exponent from the 7th decimal on, as the documents say

---@type bitfront.sandbox.Pair[]
local PAIRS = {
  { coin = "BTC", market = "USDT", last = "65000.12", min_price = "0.01" },
  { coin = "ETH", market = "USDT", last = "3000.5", min_price = "0.01" },
  { coin = "BCH", market = "USDT", last = "412.75", min_price = "0.01" },
  { coin = "XRP", market = "USDT", last = "0.5123", min_price = "0.0001" },
  { coin = "LN", market = "USDT", last = "31.9", min_price = "0.0001" },
  { coin = "ETH", market = "BTC", last = "0.046161", min_price = "0.000001" },
  { coin = "BCH", market = "BTC", last = "0.0063499", min_price = "1e-7" },
  { coin = "XRP", market = "BTC", last = "7.88e-6", min_price = "1e-8" },
  { coin = "BCH", market = "ETH", last = "0.137561", min_price = "0.000001" },
}

local pairs_by_name, coins = {}, {}
for _, row in ipairs(PAIRS) do
  pairs_by_name[row.coin .. "." .. row.market] = row
  coins[row.coin], coins[row.market] = true, true
end

--- Whether the exchange knows the coin code.
function _M.knows(code)
  return coins[code] == true
end

--- The responseData of currentTickValue.
---@param name string  CURRENCY.MARKET, as the endpoint's own page has it
---@return string? json  none: there is no such pair
function _M.tick_value(name)
  local row = pairs_by_name[name]
  if not row then return nil end
  local last = row.last
  return ('{"bid":%s,"ask":%s,"last":%s,"volume":1204.5,"open":%s,"close":%s,"high":%s,"low":%s}')
    :format(last, last, last, last, last, last, last)
end

--- The responseData of pairPolicy. coinPairType is MARKET.CURRENCY, as its page has it.
---@return string json
function _M.policies()
  local texts = {}
  for i, row in ipairs(PAIRS) do
    texts[i] = ('{"marketType":"%s","coinType":"%s","displayNameOfCoinInformation":"%s",'
      .. '"coinPairType":"%s.%s","tradeMinAmount":0.0001,"minPrice":%s,'
      .. '"minAmountDecimal":8,"minPriceDecimal":8,"trade":true}')
      :format(row.market, row.coin, row.coin, row.market, row.coin, row.min_price)
  end
  return "[" .. table.concat(texts, ",") .. "]"
end

return _M
