--- bitfront(1), from the tables of the commands, in the macros of man(7).

local credentials = require "bitfront.credentials"
local exit_status = require "bitfront.cli.exit_status"
local version = require "bitfront.version"

local ABOUT = "Shows the balances of an account at the BITFRONT exchange, with every digit of "
  .. "the reply. It only reads: nothing in it can place an order. Data goes to standard output, "
  .. "messages to standard error. No option takes the secret."

local ACCOUNT = "Without --profile the account is that of BITFRONT_API_KEY and "
  .. "BITFRONT_API_SECRET or of the files that BITFRONT_API_KEY_FILE and BITFRONT_API_SECRET_FILE "
  .. "name, else that of CREDENTIALS_DIRECTORY, else that of section [default], or of the section "
  .. "that BITFRONT_PROFILE names, of the credentials file."

local STATUSES = {}
for i, row in ipairs(exit_status) do
  local kinds = row.kinds and " Kinds of errors: " .. table.concat(row.kinds, ", ") .. "." or ""
  STATUSES[i] = { tostring(row.status), row.about .. kinds }
end

local ENVIRONMENT = {
  { credentials.KEY_VARIABLE, "The API key, together with the next." },
  { credentials.SECRET_VARIABLE, "Its secret." },
  { credentials.KEY_FILE_VARIABLE, "Instead, the file that the API key is in." },
  { credentials.SECRET_FILE_VARIABLE, "Instead, the file that the secret is in." },
  { credentials.DIRECTORY_VARIABLE, "Set by systemd: the folder of bitfront.api_key and "
    .. "bitfront.api_secret." },
  { credentials.PROFILE_VARIABLE, "The section of the credentials file, where none of these is "
    .. "set." },
  { "BITFRONT_BASE_URL", "Where the exchange is." },
  { "BITFRONT_CA_FILE", "PEM file of the certificates to trust." },
  { "BITFRONT_SANDBOX_DIR", "The folder of the sandbox; else a folder in XDG_RUNTIME_DIR, "
    .. "in XDG_STATE_HOME or in TMPDIR." },
  { "HOME", "Where .config and .local/state are." },
  { "TERM", "dumb: no colours, no progress, and watch draws no screen." },
  { "NO_COLOR", "Set: no colours." },
  { "OPENSSL_CONF", "OpenSSL's own: its configuration file." },
  { "OPENSSL_MODULES", "OpenSSL's own: the folder of its modules." },
  { "SOURCE_DATE_EPOCH", "The date of this page, in seconds since 1970; else it is today." },
}

local FILES = {
  { "${XDG_CONFIG_HOME:-~/.config}/bitfront/credentials", "The accounts: a section [name] "
    .. "for each, with lines api_key = KEY and api_secret = SECRET, or credential_process = "
    .. "COMMAND, a program that prints them, and where its exchange "
    .. "is not the default one base_url = URL and ca_file = FILE. Nobody but its owner may "
    .. "read it (chmod 600)." },
}

local EXAMPLES = {
  { 'eval "$(bitfront sandbox --background)"', "Start an exchange to try it with, and name it "
    .. "in this shell's environment." },
  { "bitfront balances --nonzero --sort balance --desc", "What there is, the most first." },
  { "bitfront balances --all-profiles --total --format csv", "The sums of all accounts." },
  { "bitfront check --below BTC=0.5 --warn-below BTC=1 --stale 60", "Whether there is enough, for "
    .. "a monitoring system." },
}

-- ---- roff ----

local MOST_BYTES = 80 -- of a line; roff itself fills the lines that are shown

-- What can be typed is in ASCII when it is copied from a terminal.
local ESCAPED = { ["\\"] = "\\e", ["-"] = "\\-", ["'"] = "\\(aq", ["`"] = "\\(ga",
                  ["^"] = "\\(ha", ["~"] = "\\(ti" }

-- Nothing in the text is an instruction or an escape.
local function escape(text)
  return (text:gsub("[\\%-'`^~]", ESCAPED):gsub("^%.", "\\&."))
end

local function paragraph(text)
  local lines = {}
  for word in text:gmatch "%S+" do
    local longer = lines[1] and lines[#lines] .. " " .. escape(word)
    if longer and #longer <= MOST_BYTES then
      lines[#lines] = longer
    else
      lines[#lines + 1] = escape(word)
    end
  end
  return table.concat(lines, "\n")
end

local function bold(text) return "\\fB" .. escape(text) .. "\\fR" end

local function italic(text) return "\\fI" .. escape(text) .. "\\fR" end

-- Adds a term and what is said about it.
local function add_term(lines, term, text)
  lines[#lines + 1] = (".TP\n%s\n%s"):format(term, paragraph(text))
end

local function add_section(lines, heading, terms)
  lines[#lines + 1] = ".SH " .. heading
  for _, term in ipairs(terms) do add_term(lines, bold(term[1]), term[2]) end
end

-- An option with its value, or an argument.
local function term_of(option)
  if option.kind == "argument" then return italic(option.name) end
  local value = option.argname and option.argname:match "<(.*)>"
  return bold(option.name) .. (value and " " .. italic(value) or "")
end

local function add_command(lines, command)
  lines[#lines + 1] = ".SS " .. escape(command.name)
  local words = { bold("bitfront " .. command.name) }
  for _, option in ipairs(command.options) do
    local term = term_of(option)
    words[#words + 1] = option.kind == "argument" and term or "[" .. term .. "]"
  end
  lines[#lines + 1] = table.concat(words, "\n") .. "\n.PP\n" .. paragraph(command.description)
  for _, option in ipairs(command.options) do
    add_term(lines, term_of(option), option.description
      .. (option.default and (" Default: %s."):format(option.default) or ""))
  end
end

-- Packages that are built twice have to be alike, whatever day it is.
local function date()
  return os.date("!%Y-%m-%d", tonumber(os.getenv "SOURCE_DATE_EPOCH"))
end

---@param commands bitfront.cli.Command[]
---@return string page
return function(commands)
  local lines = {
    ('.TH BITFRONT 1 %s "bitfront %s" "User Commands"'):format(date(), version),
    ".SH NAME\nbitfront \\- show the balances of a BITFRONT account",
    ".SH SYNOPSIS\n" .. bold "bitfront" .. "\n" .. italic "command" .. "\n[" .. italic "options"
      .. "]\n.br\n" .. bold "bitfront" .. "\n[" .. italic "command" .. "]\n" .. bold "--help"
      .. "\n.br\n" .. bold "bitfront --version",
    ".SH DESCRIPTION\n" .. paragraph(ABOUT) .. "\n.PP\n" .. paragraph(ACCOUNT),
    ".SH COMMANDS",
  }
  for _, command in ipairs(commands) do add_command(lines, command) end
  add_section(lines, "EXIT STATUS", STATUSES)
  add_section(lines, "ENVIRONMENT", ENVIRONMENT)
  add_section(lines, "FILES", FILES)
  add_section(lines, "EXAMPLES", EXAMPLES)
  return table.concat(lines, "\n") .. "\n"
end
