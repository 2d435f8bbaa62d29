-- Where key and secret come from when they are not in the options: variables, each with
-- the value or with a file's path, what systemd mounts, and the credentials file.

local memory = require "spec.support.memory"
local one_call = require "spec.support.one_call"
local support = require "spec.support"

local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'
local KEY, SECRET = "key-in-a-file", "secret-in-a-file"

local faultd
setup(function() faultd = support.faultd() end)
teardown(function() faultd:stop() end)
before_each(function() faultd:forget() end)

local function result(call)
  return one_call.result(faultd, BODY, call)
end

local function is_ok(call, key)
  local message, requests = result(call)
  assert.equal("ok", message)
  assert.equal(1, #requests)
  assert.equal(key, requests[1].headers["x-api-key"])
end

-- It is refused with these words, and nothing is sent or shown of what the files hold.
local function is_refused(call, expected)
  local message, requests = result(call)
  assert.equal(expected, message)
  assert.equal(0, #requests)
  assert.is_nil(message:find("in-a-file", 1, true))
end

local function is_root()
  return support.must "id -u" == "0\n"
end

-- The command, as a user whom modes keep from reading: root may do everything, but for
-- what it has given up.
local function unprivileged(command)
  return (is_root() and "setpriv --bounding-set -all " or "") .. command
end

-- A home folder with the two files, and the variables of a call that reads them.
local function files(key, secret, mode)
  local home = one_call.home()
  support.write(home .. "/key", key or KEY)
  support.write(home .. "/secret", secret or SECRET)
  support.must(("chmod %s key; chmod %s secret"):format(mode or "600", mode or "600"),
    { cwd = home })
  return home, { BITFRONT_API_KEY_FILE = home .. "/key",
    BITFRONT_API_SECRET_FILE = home .. "/secret" }
end

describe("credentials in files that variables name #apart", function()
  it("are used", function()
    local home, env = files()
    is_ok({ home = home, env = env }, KEY)
  end)

  it("may end with a line end", function()
    for _, line_end in ipairs { "\n", "\r\n" } do
      local home, env = files(KEY .. line_end, SECRET .. line_end)
      is_ok({ home = home, env = env }, KEY)
      faultd:forget()
    end
  end)

  it("may have one of the two in its variable itself", function()
    local home, env = files()
    is_ok({ home = home, env = { BITFRONT_API_KEY = "key-itself",
      BITFRONT_API_SECRET_FILE = env.BITFRONT_API_SECRET_FILE } }, "key-itself")
    faultd:forget()
    is_ok({ home = home, env = { BITFRONT_API_SECRET = "secret",
      BITFRONT_API_KEY_FILE = env.BITFRONT_API_KEY_FILE } }, KEY)
  end)

  -- Docker mounts its secrets with 0444, Kubernetes with 0644 or 0440.
  for _, mode in ipairs { "400", "600", "440", "444", "644", "640", "755" } do
    it("may be read by others: mode " .. mode, function()
      local home, env = files(nil, nil, mode)
      is_ok({ home = home, env = env }, KEY)
    end)
  end

  for _, mode in ipairs { "660", "620", "464", "646", "602", "666", "777" } do
    it("must not be written by others: mode " .. mode, function()
      local home, env = files(nil, nil, mode)
      is_refused({ home = home, env = env }, ("config permissions BITFRONT_API_KEY_FILE: "
        .. "HOME/key has mode 0%s, so others can write it: chmod go-w it"):format(mode))
      support.must("chmod 400 key", { cwd = home })
      is_refused({ home = home, env = env }, ("config permissions BITFRONT_API_SECRET_FILE: "
        .. "HOME/secret has mode 0%s, so others can write it: chmod go-w it"):format(mode))
    end)
  end

  it("may belong to root #once", function()
    local home, env = files()
    env.BITFRONT_API_KEY_FILE = "/proc/sys/kernel/ostype" -- "Linux"
    env.BITFRONT_API_SECRET, env.BITFRONT_API_SECRET_FILE = SECRET, nil
    env.LD_PRELOAD = support.preload "unsigned geteuid(void) { return 65534; }"
    is_ok({ home = home, env = env }, "Linux")
  end)

  it("must not belong to another user", function()
    local home, env = files()
    local owner, process = "65534", "0"
    if is_root() then
      support.must("chown 65534 key secret", { cwd = home })
    else
      owner, process = support.must("id -u"):sub(1, -2), "65534"
      env.LD_PRELOAD = support.preload "unsigned geteuid(void) { return 65534; }"
    end
    is_refused({ home = home, env = env }, ("config permissions BITFRONT_API_KEY_FILE: "
      .. "HOME/key belongs to user %s, but this process is user %s's"):format(owner, process))
  end)

  -- As Kubernetes mounts a secret, and replaces it.
  it("may be symbolic links", function()
    local home, env = files()
    support.must("mkdir ..2026 && mv key secret ..2026 && ln -s ..2026 ..data && "
      .. "ln -s ..data/key key && ln -s ..data/secret secret && chmod 444 ..2026/*",
      { cwd = home })
    is_ok({ home = home, env = env }, KEY)
  end)

  local BLANK = " has a blank at its beginning or end, which would be part of it"
  local ASCII = " must be a string of printable ASCII characters"
  for text, what in pairs {
    [""] = " must not be empty", ["\n"] = " must not be empty", ["\r\n"] = " must not be empty",
    ["in-a-file\n\n"] = BLANK, ["in-a-file\r"] = BLANK, [" in-a-file"] = BLANK,
    ["in-a-file \n"] = BLANK, ["\nin-a-file"] = BLANK,
    ["in-a-\nfile"] = ASCII, ["in-a-\0file"] = ASCII, ["in-a-file\0"] = ASCII,
    ["in-a-\27file"] = ASCII, ["\239\187\191in-a-file"] = ASCII, ["in-a-file\195\169"] = ASCII,
    ['"in-a-file"'] = " has quotes around it, which would be part of it",
    [("x"):rep(4097)] = " cannot be read: File too large",
    [("x"):rep(100000)] = " cannot be read: File too large",
  } do
    it(("that hold %q are refused"):format(text:sub(1, 20)), function()
      local home, env = files(text)
      is_refused({ home = home, env = env },
        "config credentials BITFRONT_API_KEY_FILE: HOME/key" .. what)
      home, env = files(nil, text)
      is_refused({ home = home, env = env },
        "config credentials BITFRONT_API_SECRET_FILE: HOME/secret" .. what)
    end)
  end

  it("may have 4096 bytes with the line end", function()
    local home, env = files(("k"):rep(4095) .. "\n")
    is_ok({ home = home, env = env }, ("k"):rep(4095))
  end)

  for name, row in pairs {
    ["that are not there"] = { "rm key", " does not exist" },
    ["in a folder that is a file"] = { "rm key; touch x; ln -s x/key key", " does not exist" },
    ["that are folders"] = { "rm key; mkdir key", " is not a regular file" },
    ["that are FIFOs without a writer"] = { "rm key; mkfifo key", " is not a regular file" },
    ["that are devices"] = { "rm key; ln -s /dev/zero key", " is not a regular file" },
    ["that are links to themselves"] = { "rm key; ln -s key key",
      " cannot be opened: Too many levels of symbolic links" },
  } do
    it(name .. " are refused", function()
      local home, env = files()
      support.must(row[1], { cwd = home })
      is_refused({ home = home, env = env },
        "config credentials BITFRONT_API_KEY_FILE: HOME/key" .. row[2])
    end)
  end

  it("that the user may not read are refused, with the system's reason", function()
    local home, env = files(nil, nil, "0")
    support.write(home .. "/program.lua",
      [[print(select(2, require "bitfront".new():balances()))]])
    for name, value in pairs(one_call.environment(home)) do env[name] = env[name] or value end
    local out, err = support.run(unprivileged(support.interpreter() .. " " .. home
      .. "/program.lua"), { env = env })
    assert.equal(("bitfront: config (credentials): BITFRONT_API_KEY_FILE: %s/key cannot be "
      .. "opened: Permission denied\n"):format(home), out, err)
  end)

  it("that are given beside the value are refused", function()
    local home, env = files()
    env.BITFRONT_API_SECRET = "secret"
    is_refused({ home = home, env = env }, "config credentials BITFRONT_API_SECRET and "
      .. "BITFRONT_API_SECRET_FILE are both set: unset one of them")
    env.BITFRONT_API_KEY = "key"
    is_refused({ home = home, env = env }, "config credentials BITFRONT_API_KEY and "
      .. "BITFRONT_API_KEY_FILE are both set: unset one of them")
  end)

  it("that lack one of the two are refused, whatever other sources have", function()
    local home, env = files()
    local profile = "[default]\napi_key = k\napi_secret = s\n"
    is_refused({ profile = profile, env = { BITFRONT_API_KEY_FILE = env.BITFRONT_API_KEY_FILE } },
      "config missing_credentials BITFRONT_API_KEY_FILE: " .. home .. "/key is set, but "
      .. "BITFRONT_API_SECRET is not, and neither is BITFRONT_API_SECRET_FILE")
    is_refused({ profile = profile,
      env = { BITFRONT_API_SECRET_FILE = env.BITFRONT_API_SECRET_FILE } },
      "config missing_credentials BITFRONT_API_SECRET_FILE: " .. home .. "/secret is set, but "
      .. "BITFRONT_API_KEY is not, and neither is BITFRONT_API_KEY_FILE")
  end)

  it("are not looked for where the variables are empty", function()
    local home = files()
    is_ok({ home = home, env = { BITFRONT_API_KEY_FILE = "", BITFRONT_API_SECRET_FILE = "",
      BITFRONT_API_KEY = "k", BITFRONT_API_SECRET = "s" } }, "k")
  end)

  it("are not needed where nothing is signed", function()
    local home, env = files("")
    local message, requests = result { home = home, env = env, method = "server_time" }
    assert.equal("ok", message)
    assert.is_nil(requests[1].headers["x-api-key"])
  end)

  it("are read with the first call that can be made, and not again", function()
    local home, env = files()
    for name, value in pairs(one_call.environment(home)) do env[name] = env[name] or value end
    env.BITFRONT_CA_FILE, env.BITFRONT_BASE_URL = faultd.ca_file, faultd:url_body(BODY)
    local out, err = support.lua(([[
      local home, client = %q, require "bitfront".new()
      local function write(text)
        local file = assert(io.open(home .. "/key", "w"))
        file:write(text)
        file:close()
      end
      write ""
      print(select(2, client:balances()).code)
      write "first-key"
      print(#client:balances())
      write "second-key"
      print(#client:balances())
      print(#require "bitfront".balances())
    ]]):format(home), { env = env })
    assert.equal("credentials\n1\n1\n1\n", out, err)
    local keys = {}
    for i, request in ipairs(faultd:requests()) do keys[i] = request.headers["x-api-key"] end
    assert.same({ "first-key", "first-key", "second-key" }, keys)
  end)
end)

describe("credentials that systemd mounts #apart", function()
  -- A folder with these files, and a call that is told of it.
  local function mounted(texts, mode)
    local home = one_call.home()
    support.must("mkdir mounted", { cwd = home })
    for name, text in pairs(texts) do
      support.write(home .. "/mounted/bitfront." .. name, text)
    end
    support.must("chmod " .. (mode or "400") .. " mounted/* || true", { cwd = home })
    return { home = home, env = { CREDENTIALS_DIRECTORY = home .. "/mounted" } }
  end

  local BOTH = { api_key = KEY .. "\n", api_secret = SECRET .. "\n" }

  it("are used, also with the mode that an access list gives", function()
    is_ok(mounted(BOTH), KEY)
    faultd:forget()
    is_ok(mounted(BOTH, "440"), KEY)
  end)

  it("come behind the variables and before the credentials file", function()
    local call = mounted(BOTH)
    support.must("mkdir -p .config/bitfront && printf '[default]\napi_key = k\napi_secret = s\n' "
      .. ">.config/bitfront/credentials && chmod 600 .config/bitfront/credentials",
      { cwd = call.home })
    is_ok(call, KEY)
    faultd:forget()
    call.env.BITFRONT_PROFILE = "default"
    is_ok(call, KEY)
    faultd:forget()
    call.options = "profile = 'default'"
    is_ok(call, "k")
    faultd:forget()
    call.options, call.env.BITFRONT_API_KEY, call.env.BITFRONT_API_SECRET = nil, "env-key", "s"
    is_ok(call, "env-key")
  end)

  it("are no source where they are another program's alone", function()
    local profile = "[default]\napi_key = file-key\napi_secret = s\n"
    for _, folder in ipairs { "/nonexistent", "/dev/null", support.tmpdir() } do
      is_ok({ profile = profile, env = { CREDENTIALS_DIRECTORY = folder } }, "file-key")
      faultd:forget()
    end
  end)

  it("are no source where the user may not look into the folder", function()
    local call = mounted(BOTH)
    support.must("chmod 0 mounted", { cwd = call.home })
    support.write(call.home .. "/program.lua",
      [[print(select(2, require "bitfront".new():balances()).code)]])
    local env = one_call.environment(call.home)
    env.CREDENTIALS_DIRECTORY = call.env.CREDENTIALS_DIRECTORY
    local out, err = support.run(unprivileged(support.interpreter() .. " " .. call.home
      .. "/program.lua"), { env = env })
    support.must("chmod 700 mounted", { cwd = call.home })
    assert.equal("missing_credentials\n", out, err)
  end)

  it("that lack one of the two are refused", function()
    is_refused(mounted { api_key = KEY }, "config missing_credentials HOME/mounted/"
      .. "bitfront.api_key exists, but HOME/mounted/bitfront.api_secret does not")
    is_refused(mounted { api_secret = SECRET }, "config missing_credentials HOME/mounted/"
      .. "bitfront.api_secret exists, but HOME/mounted/bitfront.api_key does not")
  end)

  it("that others can write are refused", function()
    is_refused(mounted(BOTH, "420"), "config permissions HOME/mounted/bitfront.api_key has mode "
      .. "0420, so others can write it: chmod go-w it")
  end)

  it("that are of no use are refused", function()
    is_refused(mounted { api_key = "", api_secret = SECRET },
      "config credentials HOME/mounted/bitfront.api_key must not be empty")
    is_refused(mounted { api_key = KEY, api_secret = SECRET .. "\n\n" },
      "config credentials HOME/mounted/bitfront.api_secret has a blank at its beginning or "
      .. "end, which would be part of it")
    local call = mounted { api_key = KEY }
    support.must("mkdir mounted/bitfront.api_secret", { cwd = call.home })
    is_refused(call, "config credentials HOME/mounted/bitfront.api_secret is not a regular file")
  end)
end)

describe("the doctor #apart", function()
  local function sources(call)
    local home = call.home or one_call.home(call.profile)
    local env = one_call.environment(home)
    env.BITFRONT_CA_FILE, env.BITFRONT_BASE_URL = faultd.ca_file, faultd:url_body(BODY)
    for name, value in pairs(call.env or {}) do env[name] = value end
    local out, err = support.lua(([[
      local client = require "bitfront".new { %s }
      print((require "bitfront.doctor".examine(client)))
    ]]):format(call.options or ""), { env = env })
    assert.equal("", err)
    assert.is_nil(out:find("in-a-file", 1, true))
    local lines = {}
    for line in out:gmatch "ok +sources +%d%. ([^\n]*)" do
      lines[#lines + 1] = line:match ": (.*)":gsub(home, "HOME")
    end
    return lines
  end

  local LATER = "not asked, since an earlier one is there"

  it("shows each source in its order, which one is used, and why others are not", function()
    local home, env = files()
    local profile = "[default]\napi_key = k\napi_secret = s\n"
    assert.same({ "used", LATER, LATER, LATER },
      sources { options = "api_key = 'k', api_secret = 's'" })
    assert.same({ "used", LATER, LATER, LATER },
      sources { options = "credentials = function() return 'k', 's' end" })
    assert.same({ "not given", "used", LATER, LATER }, sources { home = home, env = env })
    assert.same({ "not given", "not set", "not set", "used" }, sources { profile = profile })
    assert.same({ "not given", "not set",
      "neither bitfront.api_key nor bitfront.api_secret can be found in /nowhere", "used" },
      sources { profile = profile, env = { CREDENTIALS_DIRECTORY = "/nowhere" } })
    assert.same({ "not given", "not set", "not set",
      "there is no file HOME/.config/bitfront/credentials" }, sources {})
    assert.same({ "not given", "not set", "not set",
      "HOME/.config/bitfront/credentials has no section [default]" }, sources { profile = "" })
    assert.same({ "not given", "cannot be used", LATER, LATER },
      sources { profile = profile, env = { BITFRONT_API_KEY = "k" } })
    local NOT_ASKED = "not asked, since the option profile is given"
    assert.same({ "the profile is named", NOT_ASKED, NOT_ASKED, "used" },
      sources { profile = profile, env = env, options = "profile = 'default'" })
  end)
end)

describe("bitfront.profiles #apart", function()
  local function profiles(text, mode, env, arguments)
    local home = one_call.home(text, mode)
    local all = one_call.environment(home)
    for name, value in pairs(env or {}) do all[name] = value end
    local out, err = support.lua(([[
      local bitfront = require "bitfront"
      local done, names, err = pcall(%s)
      if not done then print(names) return end
      print(names and "<" .. table.concat(names, "|") .. ">"
        or assert(err.attempts == 0) and tostring(err))
    ]]):format(arguments or "bitfront.profiles"), { env = all })
    return (out .. err):gsub("\n$", ""):gsub(home, "HOME")
  end

  it("lists the sections in the file's order", function()
    assert.equal("<two|one|a b|한국>", (profiles("[two]\napi_key = k\napi_secret = s\n[one]\n"
      .. "credential_process = x\n[ a b ]\n[한국]\n")))
  end)

  it("lists none where there is no section or no file", function()
    assert.equal("<>", (profiles "# none\n"))
    assert.equal("<>", (profiles "\239\187\191"))
    assert.equal("<>", (profiles(("\n"):rep(65535))))
    assert.equal("<>", (profiles()))
  end)

  it("returns an error where the file cannot be used or found", function()
    assert.equal("bitfront: config (profile): HOME/.config/bitfront/credentials cannot be read: "
      .. "File too large", (profiles(("\n"):rep(65536))))
    assert.equal("bitfront: config (permissions): HOME/.config/bitfront/credentials has mode "
      .. "0644, so others can get at the secret: chmod 600 it", (profiles("[one]\n", "644")))
    assert.equal("bitfront: config (profile): HOME/.config/bitfront/credentials: line 2 is "
      .. "neither [section] nor name = value", (profiles "[one]\nnonsense\n"))
    assert.equal("bitfront: config (profile): HOME/.config/bitfront/credentials: line 4 begins "
      .. "a section again", (profiles "[one]\n[on]\n[one two]\n[one]\n"))
    assert.equal("bitfront: config (profile): there are no profiles: HOME is not set, and "
      .. "XDG_CONFIG_HOME is not set", (profiles(nil, nil, { HOME = false })))
  end)

  it("raises for arguments", function()
    assert.truthy(profiles("", nil, nil, "function() return bitfront.profiles({}) end")
      :find "bitfront%.profiles: too many arguments")
    assert.truthy(profiles("", nil, nil, "function() return bitfront:profiles() end")
      :find "call it with a dot: bitfront%.profiles")
  end)
end)

describe("the memory of a process whose credentials are in files #apart", function()
  it("holds neither of them once its client is closed #once", function()
    local NEEDLES = { "Kq7ZxPmW93LsTbVd", "sEcReT-oF-tHe-aCcOuNt-8817263544" }
    local home, env = files(NEEDLES[1] .. "\n", NEEDLES[2] .. "\n")
    for name, value in pairs(one_call.environment(home)) do env[name] = env[name] or value end
    for _, needle in ipairs(NEEDLES) do
      local counts = memory.count(needle, ([[
        local client = require "bitfront".new { base_url = %q, ca_file = %q }
        assert(client:balances())
        look()
        client:close()
        look()
      ]]):format(faultd:url_body(BODY), faultd.ca_file), { env = env })
      assert.is_true(counts[1] > 0)
      assert.equal(0, counts[2])
    end
  end)
end)

-- With variables and files that are not there.
describe("the sources of an account", function()
  local credentials = require "bitfront.credentials"
  local native = require "bitfront.native"

  -- Calls a function where the environment is this one.
  local function with(variables, call, ...)
    local getenv = os.getenv
    rawset(os, "getenv", function(name) return variables[name] end)
    local results = { pcall(call, ...) }
    rawset(os, "getenv", getenv)
    assert(results[1], results[2])
    return results[2], results[3], results[4], results[5]
  end

  it("have their file under the folder of settings, else under the home folder", function()
    local NO_FOLDER = "HOME %s, and XDG_CONFIG_HOME %s"
    for i, row in ipairs {
      { "/x", "/h", "/x/bitfront/credentials" }, { "/x", nil, "/x/bitfront/credentials" },
      { nil, "/h", "/h/.config/bitfront/credentials" },
      { "", "/h", "/h/.config/bitfront/credentials" },
      { "x/y", "/h", "/h/.config/bitfront/credentials" },
      { nil, nil, nil, NO_FOLDER:format("is not set", "is not set") },
      { "x/", "h", nil, NO_FOLDER:format("is no absolute path", "is no absolute path") },
    } do
      local path, message = with({ XDG_CONFIG_HOME = row[1], HOME = row[2] },
        credentials.profile_path)
      assert.same({ row[3], row[4] }, { path, message }, i)
    end
  end)

  it("are named where none has credentials", function()
    local NONE = "no credentials: set BITFRONT_API_KEY and BITFRONT_API_SECRET, or write api_key "
      .. "and api_secret into section [default] of "
    local err = with({ HOME = "/h" }, credentials.missing)
    assert.same({ kind = "config", code = "missing_credentials",
                  message = NONE .. "/h/.config/bitfront/credentials" }, err)
    err = with({}, credentials.missing)
    assert.equal(NONE .. "the credentials file (HOME is not set, and XDG_CONFIG_HOME is not set)",
      err.message)
  end)

  -- What each of the three finds, as a key of this; the option profile, whether the call is
  -- signed; the source that is used, whether there is an error, and how many were asked.
  local FOUND, ERR = {}, {}
  for i, row in ipairs {
    { "found", "found", "found", nil, true, FOUND, nil, "used" },
    { "none", "found", "found", nil, true, FOUND, nil, "why used" },
    { "none", "none", "found", nil, true, FOUND, nil, "why why used" },
    { "none", "none", "none", nil, true, nil, nil, "why why why" },
    { "none", "none", "none", nil, false, nil, nil, "why why why" },
    { "none", "wrong", "found", nil, true, nil, ERR, "why cannot be used" },
    { "none", "wrong", "found", nil, false, nil, nil, "why cannot be used" },
    { "none", "none", "wrong", nil, false, nil, ERR, "why why cannot be used" },
    { "found", "wrong", "found", "x", true, FOUND, nil,
      "not asked, since the option profile is given not asked, since the option profile is given "
        .. "used" },
  } do
    it("are asked in their order, row " .. i, function()
      local finds = {}
      for j, source in ipairs(credentials.SOURCES) do
        finds[j] = source.find
        source.find = function(profile)
          assert.equal(row[4], profile)
          if row[j] == "found" then return FOUND, nil, "why" end
          return nil, row[j] == "wrong" and ERR or nil, "why"
        end
      end
      local found, err, notes = credentials.find(row[4], row[5])
      for j, source in ipairs(credentials.SOURCES) do source.find = finds[j] end
      assert.equal(row[6], found)
      assert.equal(row[7], err)
      assert.equal(row[8], table.concat(notes, " "))
    end)
  end

  it("are named where they are found", function()
    local environment, secret_files, profile = native.environment, native.secret_files,
      native.profile
    finally(function()
      native.environment, native.secret_files, native.profile = environment, secret_files, profile
    end)
    local given
    native.environment = function(...) given = { ... } return FOUND end
    native.secret_files = function(...) given = { ... } return FOUND end
    native.profile = function(...) given = { ... } return FOUND, "url", "ca" end
    local by_environment, by_directory, by_file = credentials.SOURCES[1].find,
      credentials.SOURCES[2].find, credentials.SOURCES[3].find
    local OF_KEY, OF_SECRET = "BITFRONT_API_KEY", "BITFRONT_API_SECRET"
    for origin, variables in pairs {
      [OF_KEY .. " and " .. OF_SECRET] = {},
      [OF_KEY .. "_FILE and " .. OF_SECRET] = { BITFRONT_API_KEY_FILE = "/k" },
      [OF_KEY .. " and " .. OF_SECRET .. "_FILE"] = { BITFRONT_API_SECRET_FILE = "/s" },
    } do
      assert.same({ credentials = FOUND, origin = origin }, (with(variables, by_environment)))
      assert.same({ OF_KEY, OF_KEY .. "_FILE", OF_SECRET, OF_SECRET .. "_FILE" }, given)
    end
    assert.same({ credentials = FOUND,
                  origin = "/d/bitfront.api_key and /d/bitfront.api_secret" },
      (with({ CREDENTIALS_DIRECTORY = "/d" }, by_directory)))
    assert.same({ "/d/bitfront.api_key", "/d/bitfront.api_secret" }, given)
    local PATH = "/h/.config/bitfront/credentials"
    for name, row in pairs { default = {}, a = { nil, "a" }, b = { "b", "a" }, c = { "c" } } do
      local found = with({ HOME = "/h", BITFRONT_PROFILE = row[2] }, by_file, row[1])
      assert.same({ credentials = FOUND, base_url = "url", ca_file = "ca",
                    origin = ("section [%s] of %s"):format(name, PATH) }, found)
      assert.same({ PATH, name }, given)
    end
    native.profile = function() return FOUND, nil, nil, "command" end
    assert.same({ process = "command",
                  origin = "credential_process of section [default] of " .. PATH },
      (with({ HOME = "/h" }, by_file)))
  end)

  it("are told in words where the file has none", function()
    local profile, PATH = native.profile, "/h/.config/bitfront/credentials"
    finally(function() native.profile = profile end)
    for i, row in ipairs {
      { nil, "there is no file " .. PATH, false, "file" },
      { "x", "there is no file " .. PATH, false, "file" },
      { nil, PATH .. " has no section [default]", false },
      { "x", PATH .. " has no section [x]", false },
    } do
      native.profile = function() return row[3], row[4] end
      local found, err, why = with({ HOME = "/h" }, credentials.SOURCES[3].find, row[1])
      assert.is_nil(found)
      assert.equal(row[2], why, i)
      assert.same(row[1] and { kind = "config", code = "profile", message = why } or nil, err)
    end
    native.profile = function() return nil, ERR end
    assert.equal(ERR, select(2, with({ HOME = "/h" }, credentials.SOURCES[3].find)))
  end)

  it("list their sections", function()
    local profiles, PATH = native.profiles, "/h/.config/bitfront/credentials"
    finally(function() native.profiles = profiles end)
    for text, names in pairs { ["a\nb c\n"] = { "a", "b c" }, [""] = {}, none = {} } do
      native.profiles = function() return text ~= "none" and text or nil end
      local found, err, path = with({ HOME = "/h" }, credentials.profiles)
      assert.same({ names, PATH }, { found, path })
      assert.is_nil(err)
    end
    native.profiles = function() return nil, ERR end
    assert.equal(ERR, select(2, with({ HOME = "/h" }, credentials.profiles)))
    assert.equal("there are no profiles: HOME is not set, and XDG_CONFIG_HOME is not set",
      select(2, with({}, credentials.profiles)).message)
  end)

  it("may be a function that returns two strings", function()
    local given
    local handle = { set_credentials = function(_, ...)
      given = { ... }
      return given[1] == "right", ERR
    end, credentials = function() return FOUND end }
    local function ask(...)
      local results = { ... }
      return credentials.ask(handle, function() return results[1], results[2] end)
    end
    assert.equal(FOUND, (ask("right", "s")))
    assert.same({ "right", "s", "the key of the credentials function",
                  "the secret of the credentials function" }, given)
    assert.equal(ERR, select(2, ask("wrong", "s")))
    for types, row in pairs { ["nil and nil"] = {}, ["string and nil"] = { "k" },
                              ["number and string"] = { 1, "s" } } do
      local found, err = ask(row[1], row[2])
      assert.is_nil(found)
      assert.same({ "missing_credentials", "the credentials function returned " .. types
        .. ", not two strings" }, { err.code, err.message })
    end
  end)
end)
