-- busted by way of its module: its command is a Lua script on some systems and
-- a shell script on others.
require "busted.runner"({ standalone = false })
