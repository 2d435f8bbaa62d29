-- The proxy of other specs: late, in order, and otherwise as if it were not there.

local support = require "spec.support"

-- A server on the port $1, and $3 clients of the port $2. The server answers a
-- client that has half-closed with what came from it, backwards. It says what
-- else came, and how that ended. Each client sends $4 bytes and more, and does
-- to its connection what $5 says.
local CROWD = [=[
  use strict; use warnings; use IO::Socket::INET; use Socket;
  my ($port, $proxy, $count, $size, $what) = @ARGV;
  my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
    LocalPort => $port, Listen => 1024, ReuseAddr => 1) or die "listen: $!";
  my $pid = fork() // die;
  if (!$pid) {
    $SIG{PIPE} = "IGNORE";
    for (1 .. $count) {
      my ($client, $got) = (scalar $server->accept, "");
      my $n;
      1 while $n = sysread($client, $got, 65536, length $got);
      printf "%d %s\n", length $got, defined $n ? "end" : "reset" if $what ne "read";
      syswrite($client, scalar reverse $got);
    }
    exit 0;
  }
  my @clients = map {
    IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $proxy) // die "connect: $!"
  } 1 .. $count;
  my @sent = map { join "", map { chr int rand 256 } 1 .. $size + $_ } 1 .. $count;
  print { $clients[$_] } $sent[$_] and $clients[$_]->flush for 0 .. $count - 1;
  if ($what eq "read") {
    shutdown($_, 1) for @clients;
    my $right = 0;
    for (0 .. $count - 1) {
      local $/;
      $right++ if readline($clients[$_]) eq scalar reverse $sent[$_];
    }
    print "$right right\n";
  } else {
    setsockopt($_, SOL_SOCKET, SO_LINGER, pack "ii", 1, 0) for $what eq "reset" ? @clients : ();
    close $_ for @clients;
  }
  waitpid $pid, 0;
]=]

local function crowd(max_ms, count, size, what)
  local port = support.free_port()
  local proxy = support.jitterd(port, max_ms)
  local out = support.must(("timeout 60 perl -e %s %d %d %d %d %s")
    :format(support.quote(CROWD), port, proxy.port, count, size, what))
  proxy:stop()
  return out
end

local function sizes_from(first, count)
  local sizes = {}
  for i = 1, count do sizes[i] = first + i - 1 end
  return sizes
end

-- How much came of each client whose connection ended so.
local function arrived(ending, out)
  local sizes = {}
  for size in out:gmatch("(%d+) " .. ending .. "\n") do
    sizes[#sizes + 1] = tonumber(size)
  end
  table.sort(sizes)
  return sizes
end

describe("jitterd #once #apart", function()
  local faultd, proxies

  lazy_setup(function() faultd = support.faultd() end)
  lazy_teardown(function() faultd:stop() end)

  before_each(function()
    faultd:forget()
    proxies = {}
  end)
  after_each(function()
    for _, proxy in ipairs(proxies) do proxy:stop() end
  end)

  local function proxy_before(listener, max_ms)
    local proxy = support.jitterd(faultd.ports[listener], max_ms)
    proxies[#proxies + 1] = proxy
    return proxy
  end

  -- What curl gets of a reply by way of a proxy.
  local function fetch(plan, max_ms, words)
    plan.listener = plan.listener or "plain"
    local proxy = proxy_before(plan.listener, max_ms)
    local url = faultd:url(plan):gsub(":%d+/", (":%d/"):format(proxy.port))
    return support.run(("curl -sS --noproxy '*' %s %s"):format(words or "",
      support.quote(url)))
  end

  it("changes no byte of a large reply that comes in pieces", function()
    local bytes = support.must("head -c 300000 /dev/urandom")
    local out = fetch({ reply = support.reply(bytes), chunk = 5000, gap = 1 }, 20)
    assert.equal(bytes, out)
  end)

  it("changes no byte of what hundreds send and get, and passes half-closes on", function()
    assert.equal("300 right\n", crowd(200, 300, 5000, "read"))
  end)

  it("brings more than it keeps at a time", function()
    assert.equal("3 right\n", crowd(3, 3, 2000000, "read"))
  end)

  it("delays by chance, up to what it was told", function()
    local proxy = proxy_before("plain", 300)
    local url = faultd:url({ reply = support.reply "x", listener = "plain" })
      :gsub(":%d+/", (":%d/"):format(proxy.port))
    local out = support.must(("for i in $(seq 20); do curl -sS -o /dev/null -w '%%{time_total}\\n'"
      .. " --noproxy '*' %s & done; wait"):format(support.quote(url)), { env = { LC_ALL = "C" } })
    local shortest, longest, count = 1e6, 0, 0
    for whole, ms in out:gmatch("(%d+)%.(%d%d%d)") do
      local took = whole * 1000 + ms
      shortest, longest = math.min(shortest, took), math.max(longest, took)
      count = count + 1
    end
    assert.equal(20, count)
    assert.is_true(longest - shortest > 50, out) -- two delays of up to 300 ms each
    assert.is_true(longest > 150, out)
  end)

  it("delays nothing when told 0", function()
    local out = fetch({ reply = support.reply "whole" }, 0)
    assert.equal("whole", out)
  end)

  it("brings what a client sent that has left since", function()
    fetch({ reply = support.reply "x", delay = 2000 }, 400, "--max-time 0.1")
    for _ = 1, 40 do
      if support.read(faultd.dir .. "/requests") ~= "" then break end
      support.sleep(0.05)
    end
    assert.equal(1, #faultd:requests())
    assert.same(sizes_from(5001, 100), arrived("end", crowd(200, 100, 5000, "close")))
  end)

  it("passes a client's reset on, after what was sent before it", function()
    assert.same(sizes_from(5001, 100), arrived("reset", crowd(50, 100, 5000, "reset")))
  end)

  it("passes a server's reset and refusal on", function()
    for _, listener in ipairs { "reset", "closed" } do
      local out, err, code = fetch({ listener = listener, scheme = "http" }, 20)
      assert.equal("", out)
      -- A reset at once is to curl a failure to connect.
      assert.is_true(code == 56 and err:find("reset by peer") ~= nil or code == 7, err)
    end
  end)

  it("passes the end of a reply on, after all of it", function()
    local out = fetch({ reply = "HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(9999), close = "fin",
                        chunk = 1000 }, 30)
    assert.equal(("x"):rep(9999), out)
  end)

  it("says how to call it", function()
    for _, words in ipairs { "", "80", "x 1", "80 -1", "70000 1", "80 1 1" } do
      local _, err, code = support.run(".build/test/jitterd " .. words)
      assert.matches("^usage: jitterd TARGET_PORT MAX_MS\n$", err)
      assert.equal(2, code)
    end
  end)

  it("ends when its input does", function()
    local out, _, code = support.run(".build/test/jitterd 1 1")
    assert.matches("^port %d+\n$", out)
    assert.equal(0, code)
  end)
end)

describe("faultd #once #apart", function()
  local HELD = [=[
    set -e
    mkfifo stdin ports
    printf "HTTP/1.1 204 No Content\r\n\r\n" >reply
    exec 3<>stdin
    (ulimit -v 3000000; exec "$1" . plain:plain <stdin >ports 3>&-) &
    read -r name port <ports
    perl -MIO::Socket::INET -e '
      my @held;
      for (1 .. 400) {
        my $held = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) or last;
        syswrite $held, "GET /f=reply;close=keep/ HTTP/1.1\r\n\r\n";
        sysread $held, my $reply, 64 or last;
        push @held, $held;
      }
      print scalar @held, " held\n"' "$port"
    echo >&3
    wait
  ]=]

  it("holds 400 connections in the addresses of a 32-bit process", function()
    local faultd = support.must("pwd"):sub(1, -2) .. "/.build/test/faultd"
    assert.equal("400 held\n", support.must(
      ("timeout 60 sh -c %s sh %s"):format(support.quote(HELD), support.quote(faultd)),
      { cwd = support.tmpdir() }))
  end)
end)
