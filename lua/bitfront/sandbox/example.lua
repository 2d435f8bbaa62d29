--- The account that the sandbox has when no accounts file is given, and the
-- reply of its benchmark location: the documents' own key and example.

local _M = {}

_M.api_key = "6W206egN32nCQ0VB"
_M.api_secret = "dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI"

--- The example of the balance endpoint's document, verbatim.
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
}]]

--- The same account as the text of an accounts file.
_M.accounts = ('[{ "api_key": "%s", "api_secret": "%s", "balances": %s }]')
  :format(_M.api_key, _M.api_secret, _M.reply:match('"responseData": (%b[])'))

return _M
