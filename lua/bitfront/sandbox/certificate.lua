-- The sandbox's own CA and its server certificate, made with the `openssl`
-- command. The CA's key is deleted as soon as it has signed the one server
-- certificate: who trusts ca.pem trusts this sandbox alone.

local machine = require "bitfront.sandbox.machine"

local _M = {}

local DAY_S = 86400

local CONFIG = [[
[req]
distinguished_name = name
prompt = no
[name]
CN = bitfront sandbox
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
]]

local MAKE = [[
  set -e
  cd "$1"
  umask 077
  trap 'rm -f ca.key server.csr openssl.cnf' EXIT
  printf %s "$2" > openssl.cnf
  export OPENSSL_CONF=openssl.cnf
  key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256; }
  key > ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 397 -subj "$3" \
    -extensions ca -out ca.pem
  key > server.key
  openssl req -new -key server.key -out server.csr
  openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 \
    -sha256 -days 397 -extfile openssl.cnf -extensions server -out server.pem
]]

local VERIFY = [[
  cd "$1" && [ -s server.key ] && [ -s ca.pem ] &&
  openssl verify -CAfile ca.pem server.pem &&
  openssl x509 -in server.pem -noout -checkend "$2"
]]

--- Makes ca.pem, server.pem and server.key in a folder, unless they are there and
--- valid for another day.
---@param dir string
---@return true? done
---@return string? message
function _M.ensure(dir)
  if machine.run(VERIFY, dir, DAY_S) then return true end
  local subject = ("/CN=bitfront sandbox CA %d"):format(os.time())
  local ok, output = machine.run(MAKE, dir, CONFIG, subject)
  if ok then return true end
  return nil, "openssl could not make the certificates: " .. output
end

return _M
