-- Vectors that others publish: what is signed and what comes out, replies and records.

local _M = {}

---The exchange's documents: for their secret (spec.support), nonce and time.
_M.NONCE, _M.TIMESTAMP = 12345, 1523864107010

---Method, path, query, body, signature.
_M.signatures = {
  { "GET", "/v1/account/balances", nil, nil,
    "f23e24bfff7faf21f51eb2d36c510bd2c2cc4202fc9f1e28de06e929b318c3cd" },
  { "GET", "/v1/trade/openOrders", "market=ETH&currency=BTC&max=100", nil,
    "f6f55e74ebe513b5c5b26a1c056923ce7a8dd56c0ea890d22fa603688b28ace0" },
  { "POST", "/v1/trade/marketOrders", nil,
    "quantity=1&coinPair=BCH.ETH&orderSide=BUY",
    "03838b25c336e0a6fb3617b9b07c9da9d91d96ab0e61598aa7e6cd1396b2b3ef" },
}

---The reply that the document of the endpoint shows, byte for byte.
_M.reply = [[
{
    "timezone": "UTC",
    "responseTime": 1525239801363,
    "statusCode": 1000,
    "statusMessage": "SUCCESS",
    "responseData": [
        {
            "currency": "BCH",
            "balance": 1000000000,
            "availableBalance": 1000000000
        },
        {
            "currency": "XRP",
            "balance": 1000003043.7,
            "availableBalance": 1000002063.7
        },
        {
            "currency": "ETH",
            "balance": 1000107794.9999858,
            "availableBalance": 1000107794.9999858
        },
        {
            "currency": "BTC",
            "balance": 3999974992.35615,
            "availableBalance": 3999970806.72614
        },
        {
            "currency": "USDT",
            "balance": 1000000000,
            "availableBalance": 999998671.673
        }
    ]
}
]]

---Its records: the code and both amounts, as they stand there.
_M.records = {
  { "BCH", "1000000000", "1000000000" },
  { "XRP", "1000003043.7", "1000002063.7" },
  { "ETH", "1000107794.9999858", "1000107794.9999858" },
  { "BTC", "3999974992.35615", "3999970806.72614" },
  { "USDT", "1000000000", "999998671.673" },
}

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

---HMAC-SHA-256 of RFC 4231: key, message and the first digits of the result, in hex.
_M.hmac = {
  { ("0b"):rep(20), hex "Hi There",
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
  { hex "Jefe", hex "what do ya want for nothing?",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
  { ("aa"):rep(20), ("dd"):rep(50),
    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
  { "0102030405060708090a0b0c0d0e0f10111213141516171819", ("cd"):rep(50),
    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
  { ("0c"):rep(20), hex "Test With Truncation", "a3b6167473100ee06e0c796c2955552b" },
  { ("aa"):rep(131), hex "Test Using Larger Than Block-Size Key - Hash Key First",
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
  { ("aa"):rep(131), hex("This is a test using a larger than block-size key and a larger than "
    .. "block-size data. The key needs to be hashed before being used by the HMAC algorithm."),
    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
}

---Those of Wycheproof's file hmac_sha256_test.json: rows as above, and whether the result
---is that of the key and the message.
---@param path string
function _M.wycheproof(path)
  local file = assert(io.open(path, "rb"))
  local rows = {}
  for _, group in ipairs(require "cjson".decode(file:read "*a").testGroups) do
    for _, test in ipairs(group.tests) do
      rows[#rows + 1] = { test.key, test.msg, test.tag, test.result == "valid" }
    end
  end
  file:close()
  return rows
end

return _M
