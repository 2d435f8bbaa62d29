-- The certificates that fault servers show, made once by the openssl command.

local shell = require "spec.support.shell"

local _M = {}

local PLACE = ".build/test/certificates"

local LOOPBACK = "IP:127.0.0.1,IP:::1,DNS:localhost"

-- File, who signs it, the names it is for, first and last day.
local LEAVES = {
  { "good", "ca", LOOPBACK, "20200101", "20491231" },
  { "expired", "ca", LOOPBACK, "20200101", "20200201" },
  { "wronghost", "ca", "DNS:elsewhere.invalid", "20200101", "20491231" },
  { "unknown", "stranger", LOOPBACK, "20200101", "20491231" },
}

-- `openssl ca` is the one command that takes any first and last day.
local CONFIG = [[
[ca]
default_ca = it
[it]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = ${ENV::NAMES}
]]

local function command(lines, ...)
  return "set -e\n" .. lines:format(...)
end

local function make_ca(dir, name)
  shell.must(command([[
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -days 10000 -subj "/CN=bitfront specs: %s" \
  -keyout %s.key -out %s.pem]], name, name, name), { cwd = dir })
end

local function make_leaf(dir, name, ca, names, first, last)
  shell.must(command([[
openssl req -new -key leaf.key -subj "/CN=bitfront specs: %s" -out leaf.csr
openssl ca -batch -notext -config ca.conf -extensions leaf -in leaf.csr \
  -cert %s.pem -keyfile %s.key -startdate %s000000Z -enddate %s000000Z \
  -out leaf.crt
cat leaf.crt leaf.key >%s.pem]], name, ca, ca, first, last, name),
    { cwd = dir, env = { NAMES = names } })
end

local function make_self_signed(dir)
  shell.must(command([[
openssl req -x509 -key leaf.key -days 10000 -subj "/CN=127.0.0.1" \
  -addext subjectAltName=IP:127.0.0.1 -out self.crt
cat self.crt leaf.key >selfsigned.pem]]), { cwd = dir })
end

local function make_all(dir)
  shell.write(dir .. "/ca.conf", CONFIG)
  shell.write(dir .. "/index.txt", "")
  make_ca(dir, "ca")
  make_ca(dir, "stranger")
  shell.must("openssl ecparam -name prime256v1 -genkey -noout -out leaf.key",
    { cwd = dir })
  for _, leaf in ipairs(LEAVES) do
    make_leaf(dir, leaf[1], leaf[2], leaf[3], leaf[4], leaf[5])
  end
  make_self_signed(dir)
end

local function make_missing()
  if shell.read(PLACE .. "/selfsigned.pem") then return end
  local dir = shell.tmpdir()
  make_all(dir)
  -- Copied beside and renamed: a run at the same time never sees a half.
  local beside = PLACE .. dir:gsub("[/.]", "-")
  shell.must(([[mkdir -p .build/test && cp -R %s %s
    mv -T %s %s 2>/dev/null || rm -rf %s]])
    :format(dir, beside, beside, PLACE, beside))
end

local paths

---Makes the certificates where they are missing.
---@return table<string, string> # paths: ca, and certificate with key in one
---  file for good, expired, wronghost, unknown (its CA is no one's) and
---  selfsigned
function _M.paths()
  if paths then return paths end
  make_missing()
  local root = shell.must("pwd"):gsub("\n$", "")
  paths = {}
  for _, name in ipairs { "ca", "good", "expired", "wronghost", "unknown",
                          "selfsigned" } do
    paths[name] = ("%s/%s/%s.pem"):format(root, PLACE, name)
  end
  return paths
end

return _M
