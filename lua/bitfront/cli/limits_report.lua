--- What `bitfront sandbox --check-limits` prints: a line for each finding, then
-- one that sums up.

local times = require "bitfront.cli.times"
local escape = require "bitfront.records.text".escape

local _M = {}

-- Enough to tell whose it is, and too little to use.
local function masked(key)
  return escape(key:sub(1, 4)) .. "..."
end

local function count(n, one, many)
  return ("%d %s"):format(n, n == 1 and one or many)
end

local function finding_line(finding)
  if finding.kind == "damaged" then
    return ("damaged     line %d\n"):format(finding.line)
  end
  return ("%-10s  %s  %s  %s  %d calls\n"):format(finding.kind, masked(finding.key),
    times.utc(finding.at_ms), times.milliseconds(finding.at_ms), finding.calls)
end

-- Findings by kind; a kind that is not there has 0.
local function tally(findings)
  local counts = setmetatable({}, { __index = function() return 0 end })
  for _, finding in ipairs(findings) do
    counts[finding.kind] = counts[finding.kind] + 1
  end
  return counts
end

local function verdict(report)
  local counts = tally(report.findings)
  local windows = counts.per_second + counts.per_minute
  local parts = {
    windows == 0 and "no limit exceeded"
      or "limits exceeded in " .. count(windows, "window", "windows"),
    counts.signature == 0 and "no signature used twice"
      or count(counts.signature, "signature", "signatures") .. " used twice or more",
  }
  if counts.damaged > 0 then
    parts[3] = count(counts.damaged, "damaged line", "damaged lines")
  end
  return table.concat(parts, ", ") .. (report.cut and " (the last line is cut)" or "")
end

---@param report bitfront.sandbox.LimitsReport
---@return string
function _M.format(report)
  local lines = {}
  for i, finding in ipairs(report.findings) do lines[i] = finding_line(finding) end
  local span = report.calls > 0 and (" from %s to %s")
    :format(times.utc(report.first_ms), times.utc(report.last_ms)) or ""
  lines[#lines + 1] = ("%s of %s%s: %s\n"):format(count(report.calls, "call", "calls"),
    count(report.keys, "key", "keys"), span, verdict(report))
  return table.concat(lines)
end

return _M
