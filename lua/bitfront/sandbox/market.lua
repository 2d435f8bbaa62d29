-- What the sandbox says of coins and of pairs of them: made up, and prices stand still.
-- Numbers are the texts that are sent.

local _M = {}

-- What is shown of the coins that the exchange knows.
local DISPLAY_NAMES = {
  BCH = "Bitcoin Cash", BTC = "Bitcoin", ETH = "Ethereum", LN = "LINK", USDT = "Tether",
  XRP = "XRP",
}

-- A minPrice has an exponent from the 7th decimal on, as the documents say.
local COLUMNS = { "coin", "market", "min_price", "price_decimals",
  "bid", "ask", "last", "volume", "open", "close", "high", "low" }
local PAIRS = {
  { "BTC", "USDT", "0.01", "2",
    "65000.1", "65000.15", "65000.12", "1204.5", "64120.5", "65000.12", "65410", "63987.25" },
  { "ETH", "USDT", "0.01", "2",
    "3000.41", "3000.6", "3000.5", "8410.25", "2977", "3000.5", "3024.9", "2951.35" },
  { "BCH", "USDT", "0.01", "2",
    "412.7", "412.81", "412.75", "960.004", "418.2", "412.75", "420", "409.13" },
  { "XRP", "USDT", "0.0001", "4",
    "0.5122", "0.5125", "0.5123", "1000204", "0.5077", "0.5123", "0.514", "0.5061" },
  { "LN", "USDT", "0.0001", "4",
    "31.8801", "31.92", "31.9", "5012.77", "32.4", "31.9", "32.55", "31.6" },
  { "ETH", "BTC", "0.000001", "6",
    "0.04616", "0.046163", "0.046161", "310.08", "0.04643", "0.046161", "0.0465", "0.046" },
  { "BCH", "BTC", "1e-7", "7",
    "0.0063495", "0.0063502", "0.0063499", "12.5", "0.006522", "0.0063499", "0.00656", "0.0063" },
  { "XRP", "BTC", "1e-8", "8",
    "7.87e-6", "7.89e-6", "7.88e-6", "91233.1", "7.92e-6", "7.88e-6", "7.99e-6", "7.8e-6" },
  { "BCH", "ETH", "0.000001", "6",
    "0.13756", "0.137563", "0.137561", "8e-8", "0.14047", "0.137561", "0.1411", "0.1369" },
}

---@alias bitfront.sandbox.Pair table<string, string>  by column

local pairs_by_name = {}
for _, row in ipairs(PAIRS) do
  for i, column in ipairs(COLUMNS) do row[column] = row[i] end
  pairs_by_name[row.coin .. "." .. row.market] = row
end

--- Whether the exchange knows the coin code.
function _M.knows(code)
  return DISPLAY_NAMES[code] ~= nil
end

--- The pair of this name, which is CURRENCY.MARKET, as the pages that take one have it.
---@return bitfront.sandbox.Pair?
function _M.find(name)
  return pairs_by_name[name]
end

-- $name is the column.
local function fill(template, pair)
  return (template:gsub("$([%l_]+)", pair))
end

--- The responseData of currentTickValue.
---@param pair bitfront.sandbox.Pair
---@return string json
function _M.tick_value(pair)
  return fill('{"bid":$bid,"ask":$ask,"last":$last,"volume":$volume,"open":$open,'
    .. '"close":$close,"high":$high,"low":$low}', pair)
end

-- Assumption: coinPairType is MARKET.CURRENCY, as only this page has it. Of the names that
-- the page has for the bounds, these are its example's, and not its table's.
local POLICY = '{"marketType":"$market","coinType":"$coin",'
  .. '"displayNameOfCoinInformation":"%s","coinPairType":"$market.$coin",'
  .. '"tradeMinAmount":0.0001,"tradeMaxAmount":99999999999999999,'
  .. '"tradeMinVolume":0.001,"tradeMaxVolume":99999999999999999,'
  .. '"tradeMakerFeeRate":0.1,"tradeTakerFeeRate":0.1,"tradeFeeUnit":"$market",'
  .. '"minPrice":$min_price,"minPriceUnit":"$market",'
  .. '"minAmountDecimal":4,"minPriceDecimal":$price_decimals,"trade":true}'

--- The responseData of pairPolicy.
---@return string json
function _M.policies()
  local texts = {}
  for i, pair in ipairs(PAIRS) do
    texts[i] = fill(POLICY:format(DISPLAY_NAMES[pair.coin]), pair)
  end
  return "[" .. table.concat(texts, ",") .. "]"
end

return _M
