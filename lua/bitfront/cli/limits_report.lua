--- What `bitfront sandbox --check-limits` prints: a line for each finding, then
-- one that sums up.

local text = require "bitfront.records.text"

local _M = {}

-- Enough to recognize a key, and too little to use it.
local function masked(key)
  return text.escape(key:sub(1, 4)) .. "..."
end

local function count(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function finding_line(finding)
  if finding.kind == "damaged" then
    return ("damaged     line %d\n"):format(finding.line)
  end
  return ("%-10s  %s  %s  %.0f  %d calls%s\n"):format(finding.kind, masked(finding.key),
    text.utc(finding.at_ms), finding.at_ms, finding.calls,
    finding.path and " of " .. finding.path or "")
end

local function summary(report)
  local counts = { damaged = 0, signature = 0, per_second = 0, per_minute = 0 }
  for _, finding in ipairs(report.findings) do
    counts[finding.kind] = counts[finding.kind] + 1
  end
  local windows = counts.per_second + counts.per_minute
  return (windows == 0 and "no limit exceeded"
      or "limits exceeded in " .. count(windows, "window"))
    .. (counts.signature == 0 and ", no signature used twice"
      or ", " .. count(counts.signature, "signature") .. " used twice or more")
    .. (counts.damaged > 0 and ", " .. count(counts.damaged, "damaged line") or "")
    .. (report.cut and " (the last line is cut)" or "")
end

function _M.format(report)
  local lines = {}
  for i, finding in ipairs(report.findings) do lines[i] = finding_line(finding) end
  local span = report.calls > 0 and (" from %s to %s")
    :format(text.utc(report.first_ms), text.utc(report.last_ms)) or ""
  lines[#lines + 1] = ("%s of %s%s: %s\n"):format(count(report.calls, "call"),
    count(report.keys, "key"), span, summary(report))
  return table.concat(lines)
end

return _M
