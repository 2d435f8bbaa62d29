--- The content handler: one request for balances, answered from a cache.

local access = require "bitfront.nginx.access"
local cache_options = require "bitfront.nginx.cache_options"
local metrics = require "bitfront.nginx.metrics"
local negotiate = require "bitfront.nginx.negotiate"
local options_of = require "bitfront.options"
local page = require "bitfront.nginx.page"
local problem = require "bitfront.nginx.problem"
local queries = require "bitfront.nginx.query"
local views = require "bitfront.nginx.view"

local _M = {}

local LIMIT = 64 -- of requests that are remembered, and of bodies for each copy

local TYPES = {
  json = "application/json",
  csv = "text/csv; charset=utf-8; header=present",
  prometheus = "text/plain; version=0.0.4; charset=utf-8",
  html = "text/html; charset=utf-8",
  problem = "application/problem+json",
}

---@class bitfront.nginx.Handler
local Handler = {}
local meta = { __index = Handler }

-- ---- sending ----

local function send_head(kind)
  local header = ngx.header
  header["Content-Type"] = TYPES[kind]
  header["X-Content-Type-Options"] = "nosniff"
  header["Referrer-Policy"] = "no-referrer"
  if kind == "html" then
    header["Content-Security-Policy"] = page.POLICY
  end
  return header
end

-- For HEAD nginx leaves the body out.
local function send_body(header, body)
  header["Content-Length"] = #body
  ngx.print(body)
end

local function send_problem(trouble)
  local header = send_head "problem"
  ngx.status = trouble.status
  header["Cache-Control"] = "no-store"
  header["Allow"] = trouble.allow
  header["Retry-After"] = trouble.retry_after
  send_body(header, trouble.body)
end

local function freshness_text(freshness, err)
  return err and freshness .. "; error=" .. err.kind or freshness
end

-- nginx leaves the body and what describes it out of a 304. Who keeps an answer
-- takes its age off max-age (RFC 9111, 4.2).
local function send_answer(self, answer, age, freshness, err)
  local header = send_head(answer.format)
  header["Vary"] = "Accept"
  header["ETag"] = answer.etag
  header["Age"] = math.floor(age)
  header["Cache-Control"] = "private, max-age="
    .. (freshness == "fresh" and math.floor(self.cache.ttl) or 0)
  if freshness ~= "fresh" then
    header["Bitfront-Freshness"] = freshness_text(freshness, err)
    header["Warning"] = '110 - "Response is Stale"'
  end
  local known = ngx.var.http_if_none_match
  if known and negotiate.has(known, answer.etag) then
    ngx.status = 304
    return
  end
  send_body(header, answer.body)
end

-- ---- what is asked for ----

---@class bitfront.nginx.Plan: bitfront.nginx.Query
---@field problem bitfront.nginx.Problem?  that is the answer

local NOT_TAKEN = "This is there as application/json, text/csv, text/html and "
  .. "text/plain; version=0.0.4."

local function make_plan(self, args, accept)
  local query, wrong = queries.parse(args, self.prices ~= nil)
  if query and self.format and (query.format or self.format) ~= self.format then
    query, wrong = nil, "Here is one format only."
  end
  if not query then
    return { problem = problem.of_request(400, "parameter", wrong) }
  end
  query.args = args
  query.format = query.format or self.format or negotiate.format(accept)
  if not query.format then
    return { problem = problem.of_request(406, "accept", NOT_TAKEN) }
  end
  return query
end

-- The same words are read once.
function Handler:plan(args, accept)
  local by_accept = self.plans[args]
  local plan = by_accept and by_accept[accept]
  if plan then return plan end
  if self.count >= LIMIT then
    self.plans, self.count, by_accept = {}, 0, nil
  end
  plan = make_plan(self, args, accept)
  by_accept = by_accept or {}
  self.plans[args], by_accept[accept] = by_accept, plan
  self.count = self.count + 1
  return plan
end

-- ---- what is answered ----

local render = {}

function render.json(self, view)
  return views.json(view, self.amounts, self.unit)
end

function render.csv(_, view)
  return views.csv(view)
end

function render.html(self, view, plan, copy, err)
  return page.render(view, {
    title = self.title, unit = self.unit, query = plan, made = copy.made,
    interval = self.cache.ttl, err = err,
  })
end

local function answer_of(format, body)
  return { format = format, body = body, etag = '"' .. ngx.md5(body) .. '"' }
end

local function prices_of(self)
  local prices = self.prices
  if type(prices) == "function" then prices = prices() end
  return prices
end

local function render_answer(self, plan, copy, err)
  local view = views.of(copy.records, plan, prices_of(self))
  return answer_of(plan.format,
    render[plan.format](self, view, plan, copy, err))
end

-- The same answer is rendered once for each copy of the balances. Only the page
-- says whether they are fresh.
function Handler:answer(plan, copy, freshness, err)
  local variant = plan.format == "html" and freshness_text(freshness, err) or 1
  local answers = copy.rendered[plan]
  if answers and answers[variant] then return answers[variant] end
  if not answers then
    copy.count = (copy.count or 0) + 1
    if copy.count > LIMIT then
      copy.rendered, copy.count = {}, 1
    end
    answers = {}
    copy.rendered[plan] = answers
  end
  answers[variant] = render_answer(self, plan, copy, err)
  return answers[variant]
end

-- What raises are the site's own prices: not what they must be, or a function
-- that fails.
function Handler:try_answer(...)
  local done, answer = pcall(self.answer, self, ...)
  if done then return answer end
  ngx.log(ngx.ERR, "bitfront.nginx.serve: ", tostring(answer))
  return nil, { kind = "config" }
end

-- Also where there are no balances: that is what monitoring wants to know.
function Handler:send_metrics(plan, copy, freshness, err, age)
  if err and err.code == "dict" then
    return send_problem(problem.of_error(err, self.cache.ttl))
  end
  local rows = copy and views.of(copy.records, plan).rows
  local body = metrics.text(self.cache.store, rows, age)
  send_answer(self, answer_of("prometheus", body), age or 0,
    freshness or "none", err)
end

function Handler:respond(plan)
  local copy, freshness, err, age = self.cache:_get()
  if plan.format == "prometheus" then
    return self:send_metrics(plan, copy, freshness, err, age)
  elseif not copy then
    return send_problem(problem.of_error(err, self.cache.ttl))
  end
  local answer, wrong = self:try_answer(plan, copy, freshness, err)
  if not answer then
    return send_problem(problem.of_error(wrong, self.cache.ttl))
  end
  return send_answer(self, answer, age, freshness, err)
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
  local plan = { problem = refusal(self) }
  if not plan.problem then
    plan = self:plan(ngx.var.args or "", ngx.var.http_accept or "*/*")
  end
  if plan.problem then return send_problem(plan.problem) end
  return self:respond(plan)
end

-- ---- making one ----

local checks = {}

local function fail(level, message, ...)
  error("bitfront.nginx.serve: " .. message:format(...), level + 1)
end

function checks.cache(value)
  return type(value) == "table" and type(value._get) == "function",
    "what bitfront.nginx.cached returned"
end

function checks.allow_public(value)
  return type(value) == "boolean", "a boolean"
end

function checks.hosts(value)
  return access.names_of(value) ~= nil,
    "an array of host names, without ports"
end

function checks.format(value)
  return TYPES[value] ~= nil and value ~= "problem",
    '"json", "csv", "prometheus" or "html"'
end

function checks.amounts(value)
  return value == "string" or value == "number", '"string" or "number"'
end

function checks.prices(value)
  return type(value) == "table" or type(value) == "function",
    "a table of prices by coin code, or a function that returns one"
end

function checks.title(value)
  return type(value) == "string", "a string"
end

checks.unit = checks.title

-- Options of the cache and of the handler come in one table.
local function split(options, level)
  local own, of_cache = {}, {}
  local known = setmetatable({}, { __index = checks })
  for name in pairs(checks) do known[name] = true end
  for name in pairs(cache_options.checks) do known[name] = true end
  for name, value in pairs(options) do
    if cache_options.checks[name] then
      of_cache[name] = value
    elseif not checks[name] then
      fail(level + 1, 'unknown option "%s"%s', tostring(name),
        options_of.did_you_mean(name, known))
    else
      local good, wanted = checks[name](value)
      if not good then fail(level + 1, "%s must be %s", name, wanted) end
      own[name] = value
    end
  end
  if own.cache and next(of_cache) ~= nil then
    fail(level + 1, "give either cache or %s, not both", (next(of_cache)))
  end
  return own, of_cache
end

--- See bitfront.nginx.serve. Raises at `level`.
---@param options bitfront.nginx.ServeOptions
---@param cached fun(options: table, level: integer): bitfront.nginx.Cache
---@param level integer
---@return fun() handler
function _M.new(options, cached, level)
  local own, of_cache = split(options, level + 1)
  own.cache = own.cache or cached(of_cache, level + 1)
  own.amounts = own.amounts or "string"
  own.hosts = own.hosts and access.names_of(own.hosts) or {}
  own.title = own.title or "Balances"
  own.plans, own.count = {}, 0
  local self = setmetatable(own, meta)
  return function()
    return handle(self)
  end
end

return _M
