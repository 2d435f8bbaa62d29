-- Only what every Lua from 5.1 to 5.5 and LuaJIT has.
std = "min"
max_line_length = 100
max_comment_line_length = false -- annotations have no way to wrap
max_cyclomatic_complexity = 12

files["lua/bitfront/sandbox"] = { std = "ngx_lua" }
files["lua/bitfront/nginx.lua"] = { std = "ngx_lua" }
files["lua/bitfront/nginx"] = { std = "ngx_lua" }
files["lua/bitfront/limiter/shared_dict.lua"] = { std = "ngx_lua" }
files["lua/bitfront/many.lua"] = { std = "ngx_lua" }
files["lua/bitfront/wait/nginx.lua"] = { std = "ngx_lua" }
files["spec/bench/cosocket.lua"] = { std = "ngx_lua" }
files["spec"] = { std = "min+busted" }
files[".luacheckrc"] = { std = "luacheckrc" }
