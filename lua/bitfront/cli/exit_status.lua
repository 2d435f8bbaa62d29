--- The exit statuses: one for each class of failure, which never changes. Each kind of
-- error is in one class. `bitfront check` alone has those of plugin.lua.

local keyed = require "bitfront.rows".keyed

---@class bitfront.cli.Status
---@field name string  of "failed" and "usage" also what a failure has for a kind that is no error's
---@field status integer
---@field about string
---@field kinds? bitfront.ErrorKind[]  of the errors that end the command so

---@type bitfront.cli.Status[]
return keyed {
  { name = "done", status = 0, about = "It did what was asked." },
  { name = "failed", status = 1, kinds = { "phase", "closed", "memory" },
    about = "Any other failure, or several of different classes; doctor or sandbox --check-limits "
      .. "found something." },
  { name = "usage", status = 2, about = "It was called wrongly; nothing was sent." },
  { name = "config", status = 3, about = "Credentials or settings cannot be used.",
    kinds = { "config" } },
  { name = "network", status = 4, about = "The exchange cannot be reached, or not safely.",
    kinds = { "network", "timeout", "tls" } },
  { name = "refused", status = 5, about = "The exchange refuses the call.",
    kinds = { "auth", "permission", "signature", "replay", "clock", "maintenance", "request" } },
  { name = "limit", status = 6, about = "There were too many calls.", kinds = { "rate_limit" } },
  { name = "protocol", status = 7, about = "The reply is not what the API documents.",
    kinds = { "protocol" } },
  { name = "server", status = 8, about = "The server has an error of its own.",
    kinds = { "server", "http" } },
  { name = "interrupted", status = 130, about = "It was interrupted by Ctrl-C." }, -- 128 + SIGINT
}
