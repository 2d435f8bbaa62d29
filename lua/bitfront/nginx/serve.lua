--- The content handler: one request for balances, answered from a cache.

local access = require "bitfront.nginx.access"
local metrics = require "bitfront.nginx.metrics"
local negotiate = require "bitfront.nginx.negotiate"
local page = require "bitfront.nginx.page"
local problem = require "bitfront.nginx.problem"
local query = require "bitfront.nginx.query"
local render = require "bitfront.nginx.render"
local turns = require "bitfront.nginx.turns"
local site_options = require "bitfront.nginx.site_options"
require "bitfront.nginx.account_caches" -- for cached: a worker without descriptors loads none

local _M = {}

-- Of plans, each with its last answer, and of what these may have together.
local MOST_PLANS, MOST_BYTES = 64, 4 * 1024 * 1024

-- ---- sending ----

local function send_head(content_type)
  local header = ngx.header
  header["Content-Type"] = content_type
  header["X-Content-Type-Options"] = "nosniff"
  header["Referrer-Policy"] = "no-referrer"
  return header
end

-- For HEAD nginx leaves the body out.
---@param body string|string[]
local function send_body(header, body, length)
  header["Content-Length"] = length
  ngx.print(body)
end

local function send_problem(answer)
  local header = send_head "application/problem+json"
  ngx.status = answer.status
  header["Cache-Control"] = "no-store"
  header["Allow"] = answer.allow
  header["Retry-After"] = answer.retry_after
  send_body(header, answer.body, #answer.body)
end

-- nginx leaves the body and its headers out of a 304. Caches subtract Age from max-age
-- (RFC 9111, 4.2).
local function send_answer(self, format, answer, age, freshness)
  local header = send_head(negotiate.FORMATS[format].type)
  local is_fresh = freshness == "fresh"
  if format == "html" then header["Content-Security-Policy"] = page.POLICY end
  header["Vary"] = "Accept"
  header["ETag"] = answer.etag
  header["Age"] = math.floor(age)
  header["Cache-Control"] = "private, max-age="
    .. (is_fresh and math.floor(self.cache.ttl) or 0)
  if not is_fresh then
    header["Bitfront-Freshness"] = freshness
    header["Warning"] = '110 - "Response is Stale"'
  end
  local known = ngx.var.http_if_none_match
  if known and answer.etag and negotiate.has(known, answer.etag) then
    ngx.status = 304
    return
  end
  send_body(header, answer.body, answer.length)
end

-- ---- what is asked for ----

---@class bitfront.nginx.Plan: bitfront.nginx.Query
---@field words string  by which it is found: query and Accept
---@field args string  the query of the URL
---@field length integer?  of the last answer, in bytes
---@field key string?  what that depends on
---@field answer bitfront.nginx.Body?
---@field parts table<string|integer, bitfront.nginx.Part|bitfront.nginx.Samples>  of it, by account

local NOT_TAKEN = "This is there as application/json, text/csv, text/html and "
  .. "text/plain; version=0.0.4."

---@return bitfront.nginx.Plan|bitfront.nginx.Problem  the latter has a status
local function make_plan(self, args, accept)
  local plan, message = query.parse(args, self.prices ~= nil)
  if plan and self.format and (plan.format or self.format) ~= self.format then
    plan, message = nil, "Here is one format only."
  end
  if not plan then return problem.of_request(400, "parameter", message) end
  plan.format = plan.format or self.format or negotiate.format(accept)
  if not plan.format then return problem.of_request(406, "accept", NOT_TAKEN) end
  plan.args, plan.parts = args, {}
  return plan
end

-- The same query and Accept are read once.
local function plan_of(self, args, accept)
  local words = args .. "\n" .. accept
  local plan = self.plans[words]
  if not plan then
    if self.count >= MOST_PLANS then self.plans, self.count = {}, 0 end
    plan = make_plan(self, args, accept)
    plan.words = words
    self.plans[words], self.count = plan, self.count + 1
  end
  return plan
end

-- ---- what is answered ----

-- "fresh", "stale" or, where some accounts have no balances, "partial"; "none" where none has.
local function freshness_of(answers)
  local counts = { fresh = 0, stale = 0, none = 0 }
  for _, answer in ipairs(answers) do
    local freshness = answer.freshness or "none"
    counts[freshness] = counts[freshness] + 1
  end
  return counts.none == #answers and "none" or counts.none > 0 and "partial"
    or counts.stale > 0 and "stale" or "fresh"
end

-- How old the oldest balances are, and the first error.
local function age_and_error(answers)
  local age, err = 0, nil
  for _, answer in ipairs(answers) do
    age, err = math.max(age, answer.age or 0), err or answer.err
  end
  return age, err
end

-- There are metrics also without balances: monitoring has to see that. They have no entity
-- tag, since the age is always another.
local function find_metrics(plan, answers, err, pause)
  local first = answers[1]
  local is_broken = not first.cache or err and err.code == "dict" and not first.account
  if is_broken then return nil, err end
  local texts, length = metrics.texts(answers, plan, pause)
  return { body = texts, length = length }
end

-- Queries that differ must not fill the memory with their answers. That of this plan is
-- kept, however long it is.
local function make_room(self, plan, answer)
  if plan.length == answer.length then return end
  plan.length = answer.length
  local sum = 0
  for _, kept in pairs(self.plans) do sum = sum + (kept.length or 0) end
  if sum > MOST_BYTES then self.plans, self.count = { [plan.words] = plan }, 1 end
end

local function respond(self, plan)
  local answers, goes_on = self.cache:_answers(plan.format == "prometheus")
  local freshness, age, err = freshness_of(answers), age_and_error(answers)
  local text = freshness .. (err and "; error=" .. err.kind or "")
  local pause, answer = turns.new(), nil
  if plan.format == "prometheus" then
    answer, err = find_metrics(plan, answers, err, pause)
  elseif freshness ~= "none" then
    answer, err = render.find(self, plan, answers, pause)
  end
  if answer then
    make_room(self, plan, answer)
    send_answer(self, plan.format, answer, age, text)
  else
    send_problem(problem.of_error(err, self.cache.ttl))
  end
  if goes_on then ngx.eof() end -- the client has all of it
end

-- ---- one request ----

local FORBIDDEN = problem.of_request(403, "address",
  "This is for loopback and private addresses only.")
local NOT_ALLOWED = problem.of_request(405, "method",
  "Balances can only be read: GET or HEAD.")
NOT_ALLOWED.allow = "GET, HEAD"
local MISDIRECTED = problem.of_request(421, "host",
  "This is not answered under the name in Host. The option hosts is for more names.")

-- What is wrong with the request, before it is read.
local function refusal(self)
  local method = ngx.req.get_method()
  if not (self.allow_public or access.is_near(ngx.var.remote_addr)) then
    return FORBIDDEN
  elseif not access.is_own_name(self.hosts) then
    return MISDIRECTED
  elseif method ~= "GET" and method ~= "HEAD" then
    ngx.req.discard_body()
    return NOT_ALLOWED
  end
end

local function handle(self)
  local plan = refusal(self)
    or plan_of(self, ngx.var.args or "", ngx.var.http_accept or "*/*")
  if plan.status then return send_problem(plan) end
  return respond(self, plan)
end

--- See bitfront.nginx.serve.
---@param options bitfront.nginx.ServeOptions
---@param cached fun(options: table): bitfront.nginx.Cache
---@return fun() handler
function _M.new(options, cached)
  local self, of_cache = site_options.of_serve(options)
  self.cache = self.cache or cached(of_cache)
  self.plans, self.count = {}, 0
  return function()
    return handle(self)
  end
end

return _M
