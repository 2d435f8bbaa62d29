--- What is answered: a section for each account, and one of all together where there are
-- several. A section is made once for each change of its account.

local misuse = require "bitfront.misuse"
local page = require "bitfront.nginx.page"
local problem = require "bitfront.nginx.problem"
local totals = require "bitfront.records.totals"
local views = require "bitfront.nginx.view"

local _M = {}

---@class bitfront.nginx.Section  an account's part of an answer
---@field account string?  nil: the only account, or all of several together
---@field view bitfront.nginx.View?  nil: there are no balances
---@field made integer?  Unix time of the balances
---@field freshness "fresh"|"stale"|nil
---@field err bitfront.Error?
---@field message string?  for people: why there are no newer balances, or none; of all together, whose are not in it

-- `part` makes the text of a section, and `whole` that of the answer.
local FORMATS = {
  json = { part = views.json_rows, whole = views.json },
  csv = { part = views.csv_rows, whole = views.csv },
  html = { part = page.section, whole = page.render },
}

-- What a section depends on, but for the site and its prices.
local function key_of(answer)
  local copy, err = answer.copy, answer.err
  return ("%s %s %s"):format(copy and copy.version or 0, answer.freshness or "none",
    err and err.kind .. problem.sentence(err) or "")
end

local function section_of(answer, plan, prices)
  local copy, err = answer.copy, answer.err
  return {
    account = answer.account, freshness = answer.freshness, err = err,
    made = copy and copy.made, message = err and problem.sentence(err),
    view = copy and views.of(copy.records, plan, prices, answer.account),
  }
end

-- The section of all accounts together.
local function sum_of(answers, plan, prices)
  local lists, without, oldest = {}, {}, nil
  for _, answer in ipairs(answers) do
    local copy = answer.copy
    if copy then
      lists[#lists + 1] = copy.records
      oldest = math.min(oldest or copy.made, copy.made)
    else
      without[#without + 1] = answer.account
    end
  end
  return {
    made = oldest, view = views.of(totals.total(lists), plan, prices),
    message = without[1] and ("Without %s."):format(table.concat(without, ", ")),
  }
end

---@class bitfront.nginx.Part
---@field key string
---@field section bitfront.nginx.Section
---@field text string

-- Prices that a function returns may have changed since.
local function part_of(self, plan, answer, key, prices)
  local known = plan.parts[answer.account or 1]
  if known and known.key == key and type(self.prices) ~= "function" then return known end
  local part = { key = key, section = section_of(answer, plan, prices) }
  part.text = FORMATS[plan.format].part(self, part.section, plan, not answer.account)
  plan.parts[answer.account or 1] = part
  return part
end

local function render(self, plan, answers, keys, pause)
  local prices, sections, parts = self.prices, {}, {}
  if type(prices) == "function" then prices = prices() end
  local format = FORMATS[plan.format]
  if answers[1].account then
    sections[1] = sum_of(answers, plan, prices)
    parts[1] = format.part(self, sections[1], plan, false)
  end
  for i, answer in ipairs(answers) do
    local part = part_of(self, plan, answer, keys[i], prices)
    sections[#sections + 1], parts[#parts + 1] = part.section, part.text
    pause()
  end
  return format.whole(self, sections, plan, parts)
end

---@class bitfront.nginx.Body
---@field body string|string[]
---@field length integer  in bytes
---@field etag string?

--- The answer to a plan, which keeps it until an account has changed. Wrong prices raise,
--- and a function of prices may.
---@param self bitfront.nginx.ServeOptions
---@param plan bitfront.nginx.Plan
---@param answers bitfront.nginx.Answer[]  one of them has balances
---@param pause fun()  called between two sections
---@return bitfront.nginx.Body?
---@return table? err  with a kind
function _M.find(self, plan, answers, pause)
  local keys = {}
  for i, answer in ipairs(answers) do keys[i] = key_of(answer) end
  local key = table.concat(keys, "\n")
  if plan.key == key then return plan.answer end
  local done, made = pcall(render, self, plan, answers, keys, pause)
  if not done then
    ngx.log(ngx.ERR, "bitfront.nginx.serve: ", misuse.text_of(made))
    return nil, { kind = "config" }
  end
  plan.key = key
  plan.answer = { body = made, length = #made, etag = '"' .. ngx.md5(made) .. '"' }
  return plan.answer
end

return _M
