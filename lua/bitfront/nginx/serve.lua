--- The content handler: one request for balances, answered from a cache.

local access = require "bitfront.nginx.access"
local cache = require "bitfront.nginx.cache"
local metrics = require "bitfront.nginx.metrics"
local misuse = require "bitfront.misuse"
local negotiate = require "bitfront.nginx.negotiate"
local page = require "bitfront.nginx.page"
local problem = require "bitfront.nginx.problem"
local query = require "bitfront.nginx.query"
local site_options = require "bitfront.nginx.site_options"
local views = require "bitfront.nginx.view"

local _M = {}

local LIMIT = 64 -- of plans, each with its last answer

-- ---- sending ----

local function send_head(content_type)
  local header = ngx.header
  header["Content-Type"] = content_type
  header["X-Content-Type-Options"] = "nosniff"
  header["Referrer-Policy"] = "no-referrer"
  return header
end

-- For HEAD nginx leaves the body out.
local function send_body(header, body)
  header["Content-Length"] = #body
  ngx.print(body)
end

local function send_problem(answer)
  local header = send_head "application/problem+json"
  ngx.status = answer.status
  header["Cache-Control"] = "no-store"
  header["Allow"] = answer.allow
  header["Retry-After"] = answer.retry_after
  send_body(header, answer.body)
end

-- "fresh", "stale", "stale; error=KIND"; "none" where there are no balances.
local function freshness_text(freshness, err)
  return (freshness or "none") .. (err and "; error=" .. err.kind or "")
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
  if known and negotiate.has(known, answer.etag) then
    ngx.status = 304
    return
  end
  send_body(header, answer.body)
end

-- ---- what is asked for ----

---@class bitfront.nginx.Plan: bitfront.nginx.Query
---@field args string  the query of the URL
---@field answer table  the last one

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
  plan.args, plan.answer = args, {}
  return plan
end

-- The same query and Accept are read once.
local function plan_of(self, args, accept)
  local words = args .. "\n" .. accept
  local plan = self.plans[words]
  if not plan then
    if self.count >= LIMIT then self.plans, self.count = {}, 0 end
    plan = make_plan(self, args, accept)
    self.plans[words], self.count = plan, self.count + 1
  end
  return plan
end

-- ---- what is answered ----

local function render_page(self, view, plan, copy, message)
  return page.render(self, { { view = view, made = copy.made, message = message } }, plan)
end

local render = { json = views.json, csv = views.csv, html = render_page }

local function answer_of(body)
  return { body = body, etag = '"' .. ngx.md5(body) .. '"' }
end

local function render_answer(self, plan, copy, message)
  local prices = self.prices
  if type(prices) == "function" then prices = prices() end
  local view = views.of(copy.records, plan, prices)
  return answer_of(render[plan.format](self, view, plan, copy, message))
end

-- Renders once for each copy of the balances; the page, which says why there are no
-- newer ones, also when that changes. Wrong prices raise, and a function of prices may.
local function find_answer(self, plan, copy, err)
  local answer, message = plan.answer, plan.format == "html" and err and problem.sentence(err)
  if answer.version == copy.version and answer.message == message then return answer end
  local done, made = pcall(render_answer, self, plan, copy, message)
  if not done then
    ngx.log(ngx.ERR, "bitfront.nginx.serve: ", misuse.text_of(made))
    return nil, { kind = "config" }
  end
  made.version, made.message = copy.version, message
  plan.answer = made
  return made
end

-- There are metrics also without balances: monitoring has to see that.
local function find_metrics(self, plan, copy, err, age)
  if err and err.code == "dict" then return nil, err end
  local rows = copy and views.of(copy.records, plan).rows
  return answer_of(metrics.text(self.cache.shared, rows, age))
end

local function respond(self, plan)
  local copy, state, err, age = cache.lookup(self.cache)
  local freshness, answer = freshness_text(state, err), nil
  if plan.format == "prometheus" then
    answer, err = find_metrics(self, plan, copy, err, age)
  elseif copy then
    answer, err = find_answer(self, plan, copy, err)
  end
  if answer then
    send_answer(self, plan.format, answer, age or 0, freshness)
  else
    send_problem(problem.of_error(err, self.cache.ttl))
  end
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
