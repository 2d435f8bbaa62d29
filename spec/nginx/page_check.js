// usage: node page_check.js TOOLS SITE SCREENSHOTS
//
// The page in Chromium: nothing for axe to find in either colour scheme and at
// either width, nothing on the console, what is hostile stays text, the keyboard
// sorts. TOOLS is where npm installed playwright-core and axe-core. Called by
// spec/nginx/page.lua; prints a line for each check, and fails if one does.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const [tools, site, screenshots] = process.argv.slice(2);
const [url, hostileUrl, emptyUrl, onlyUrl, accountsUrl] =
  ["balances", "hostile", "empty", "only", "accounts"].map((name) => `${site}/${name}`);
const { chromium } = require(path.join(tools, "node_modules/playwright-core"));
const axe = path.join(tools, "node_modules/axe-core/axe.min.js");

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update",
  "--disable-sync",
];
const SCHEMES = ["light", "dark"];
const WIDTHS = [360, 700, 1440];
const CARD_WIDTHS = [500, 700, 900, 999];

let failed = 0;
const check = async (name, run) => {
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack || error}`);
  }
};

// A page whose console is read: whatever a browser complains about, fails.
const open = async (browser, address, options = {}) => {
  const { scheme = "light", width = 1440, ...others } = options;
  const context = await browser.newContext({
    viewport: { width, height: 900 }, colorScheme: scheme, ...others,
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    page.complaints.push("dialog: " + dialog.message());
    dialog.dismiss();
  });
  await page.goto(address, { waitUntil: "load" });
  return page;
};

// axe is no script of the page's: it goes in by the debugger, past the policy.
const runAxe = async (page) => {
  await page.evaluate(require("node:fs").readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((each) =>
    `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`), []);
};

// The page's script has fetched the page again, and taken over what it got.
const updated = async (page) => {
  await page.waitForResponse((reply) => reply.request().resourceType() === "fetch");
  await page.waitForTimeout(100);
};
const currencies = (page) => page.locator("tbody th").allTextContents();
const has_no_complaint = (page) => assert.deepEqual(page.complaints, []);

const checkLayout = async (browser, address, name) => {
  for (const scheme of SCHEMES) {
    for (const width of WIDTHS) {
      await check(`${name}, ${scheme}, ${width} px`, async () => {
        const page = await open(browser, address, { scheme, width });
        await updated(page);
        await page.waitForTimeout(200);
        await page.screenshot({ fullPage: true,
          path: path.join(screenshots, `${name}-${scheme}-${width}.png`) });
        await runAxe(page);
        const wider = await page.evaluate(() =>
          document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(wider, 0, "it scrolls sideways");
        has_no_complaint(page);
        await page.context().close();
      });
    }
  }
};

// The x of the decimal point of each amount that a selector finds, as it is drawn.
const points = (page, selector) => page.evaluate((amounts) =>
  [...document.querySelectorAll(amounts)].map((amount) => {
    const walker = document.createTreeWalker(amount, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = node.data.indexOf(".");
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const { left, width } = range.getBoundingClientRect();
      if (width > 0) return Math.round(left);
    }
    return null;
  }).filter((x) => x !== null), selector);

const areOneBelowTheOther = (xs, where) => {
  assert.ok(xs.length > 2, `${where}: ${xs}`);
  assert.ok(Math.max(...xs) - Math.min(...xs) <= 1, `${where}: ${xs}`);
};

const checkTable = async (browser) => {
  await check("amounts of a column are aligned on the decimal point", async () => {
    for (const width of [360, 1440]) {
      const page = await open(browser, url, { width });
      for (const column of ["balance", "availableBalance", "locked"]) {
        areOneBelowTheOther(await points(page, `td.${column} .amount`), `${column}, ${width} px`);
      }
      await page.context().close();
    }
  });
  await check("amounts of a card are aligned on the decimal point", async () => {
    for (const scheme of SCHEMES) {
      for (const width of CARD_WIDTHS) {
        const page = await open(browser, url, { scheme, width });
        for (let row = 1; row <= 5; row += 1) {
          areOneBelowTheOther(await points(page, `tbody tr:nth-child(${row}) .amount`),
            `row ${row}, ${scheme}, ${width} px`);
        }
        await page.screenshot({ fullPage: true,
          path: path.join(screenshots, `cards-${scheme}-${width}.png`) });
        await page.context().close();
      }
    }
  });
  await check("an update leaves the page as the server renders it", async () => {
    for (const address of [url, accountsUrl]) {
      const page = await open(browser, address);
      await updated(page);
      const html = await (await page.request.get(address, { headers: { Accept: "text/html" } })).text();
      const [shown, rendered] = await page.evaluate((source) =>
        [document, new DOMParser().parseFromString(source, "text/html")].map((each) =>
          ["header", "#state", "#sections"].map((part) =>
            each.querySelector(part).outerHTML.replace(/<time.*?<\/time>/g, ""))), html);
      assert.deepEqual(shown, rendered);
      await page.context().close();
    }
  });
  await check("a screen reader finds a table with headers", async () => {
    const page = await open(browser, url);
    const tree = await page.locator("table").ariaSnapshot();
    for (const word of ['columnheader "Balance"', 'rowheader "BTC"', "99.9 % available"]) {
      assert.ok(tree.replace(/\u00a0/g, " ").includes(word), `${word} is not in\n${tree}`);
    }
    await page.context().close();
  });
};

const checkSorting = async (browser) => {
  await check("the keyboard sorts, and stays where it is", async () => {
    const page = await open(browser, url);
    const button = page.locator('th[data-key="balance"] button');
    const isSorted = (direction) =>
      page.waitForSelector(`th[data-key="balance"][aria-sort="${direction}"]`);
    await button.focus();
    await page.keyboard.press("Enter");
    await isSorted("descending");
    assert.deepEqual(await currencies(page), ["BTC", "ETH", "XRP", "BCH", "USDT"]);
    await page.keyboard.press("Space");
    await isSorted("ascending");
    assert.deepEqual((await currencies(page))[4], "BTC");
    assert.match(page.url(), /sort=balance/);
    await updated(page);
    assert.deepEqual((await currencies(page))[4], "BTC");
    assert.equal(await button.evaluate((node) => node === document.activeElement), true);
    await page.reload();
    assert.deepEqual((await currencies(page))[4], "BTC");
    assert.equal(await page.locator("[aria-sort]").count(), 1);
    has_no_complaint(page);
    await page.context().close();
  });
  await check("a click sorts while updates are paused, and starts none", async () => {
    const page = await open(browser, url);
    await page.locator("#pause").click();
    await page.locator('th[data-key="currency"] button').click();
    await page.waitForSelector('[aria-sort="ascending"]');
    let asked = 0;
    page.on("request", () => { asked += 1; });
    await page.waitForTimeout(2500);
    assert.equal(asked, 0);
    assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
    await page.context().close();
  });
  await check("Tab comes to every control, and it shows", async () => {
    const page = await open(browser, url);
    const seen = [];
    for (let i = 0; i < 7; i += 1) {
      await page.keyboard.press("Tab");
      seen.push(await page.evaluate(() => {
        const at = document.activeElement;
        return at.textContent.trim() + " " + getComputedStyle(at).outlineStyle;
      }));
    }
    assert.deepEqual(seen.slice(0, 6), ["Pause updates solid", "Currency solid",
      "Balance solid", "Available solid", "Locked solid", "Value solid"]);
    await page.context().close();
  });
  await check("without the script the headers sort too", async () => {
    const page = await open(browser, `${url}?nonzero=1`, { javaScriptEnabled: false });
    await page.locator('th[data-key="currency"] button').click();
    await page.waitForURL(/nonzero=1&sort=currency|sort=currency/);
    assert.match(page.url(), /nonzero=1/);
    assert.deepEqual(await currencies(page), ["BCH", "BTC", "ETH", "USDT", "XRP"]);
    await page.context().close();
  });
};

const HOSTILE = "<img src=x onerror=alert(1)>";

const checkHostile = async (browser) => {
  await check("a hostile currency stays text", async () => {
    for (const javaScriptEnabled of [false, true]) {
      const page = await open(browser, hostileUrl, { javaScriptEnabled });
      if (javaScriptEnabled) await updated(page);
      await page.waitForTimeout(200);
      const names = await currencies(page);
      assert.equal(names[0], HOSTILE);
      assert.equal(names[1], "\\u{202E}CTB\\x07");
      assert.equal(await page.locator("img").count(), 0);
      has_no_complaint(page);
      await page.context().close();
    }
  });
};

// Replies that a test makes up, in the place of the site's.
const answerWith = (page, change) => page.route("**/*", async (route) => {
  if (route.request().resourceType() !== "fetch") return route.continue();
  const reply = await route.fetch();
  return route.fulfill({ status: 200, headers: reply.headers(), body: change(await reply.text()) });
});
const ROW = /<tr role="row" data-coin="BCH">.*?<\/tr>/;
const BALANCE = /(data-coin="BCH".*?<td role="cell" class="balance">.*?<span class="amount">)1/;

const checkUpdates = async (browser) => {
  await check("what changes is drawn, in the rows that are there", async () => {
    const page = await open(browser, url);
    await page.evaluate(() => {
      for (const row of document.querySelectorAll("tbody tr")) row.dataset.kept = row.dataset.coin;
      globalThis.rows = [...document.querySelectorAll("tbody tr")];
    });
    await answerWith(page, (html) => html.replace(BALANCE, "$112345678901234567890.00000001")
      .replace(ROW, (row) => row + row.replaceAll("BCH", "NEW"))
      .replace(/<tr role="row" data-coin="USDT">.*?<\/tr>/, ""));
    await page.waitForFunction(() => document.querySelector('[data-coin="NEW"]'));
    assert.deepEqual(await currencies(page), ["BCH", "NEW", "XRP", "ETH", "BTC"]);
    assert.match(await page.locator('[data-coin="BCH"] td.balance').textContent(),
      /12345678901234567890\.00000001/);
    assert.deepEqual(await page.locator("tr.changed").evaluateAll((rows) =>
      rows.map((row) => row.dataset.coin)), ["BCH", "NEW"]);
    assert.deepEqual(await page.locator("tbody tr").evaluateAll((rows) =>
      rows.map((row) => globalThis.rows.includes(row))), [true, false, true, true, true]);
    await updated(page);
    assert.equal(await page.locator("tr.changed").count(), 0);
    has_no_complaint(page);
    await page.context().close();
  });
  await check("a row that changes again while it is marked is marked anew", async () => {
    const page = await open(browser, url);
    let last = 1;
    await answerWith(page, (html) => html.replace(BALANCE, `$1${last += 1}`));
    await updated(page);
    for (let i = 0; i < 2; i += 1) {
      await updated(page);
      const times = await page.evaluate(() => document.getAnimations().map((each) => each.currentTime));
      assert.equal(times.length, 1);
      assert.ok(times[0] < 900, `it runs for ${times[0]} ms`);
    }
    await page.context().close();
  });
  await check("two rows of one coin stay two", async () => {
    const page = await open(browser, url);
    let order = ["7", "8"];
    await answerWith(page, (html) => html.replace(ROW, (row) =>
      order.map((digit) => row.replace(BALANCE, `$1${digit}`)).join("")));
    await updated(page);
    assert.deepEqual(await currencies(page), ["BCH", "BCH", "XRP", "ETH", "BTC", "USDT"]);
    order = ["7"];
    await updated(page);
    assert.deepEqual(await currencies(page), ["BCH", "XRP", "ETH", "BTC", "USDT"]);
    await page.context().close();
  });
  await check("an update leaves scroll, selection and hover alone", async () => {
    const page = await open(browser, url, { width: 360 });
    await page.evaluate(() => {
      const name = document.querySelector('[data-coin="ETH"] th');
      scrollTo(0, 300);
      getSelection().selectAllChildren(name);
    });
    await page.locator('[data-coin="ETH"] th').hover();
    const place = () => page.evaluate(() => [scrollY, String(getSelection()),
      document.querySelector("tr:hover")?.dataset.coin]);
    const before = await place();
    assert.deepEqual(before.slice(1), ["ETH", "ETH"]);
    await answerWith(page, (html) => html.replace(BALANCE, "$12"));
    await page.waitForSelector("tr.changed", { state: "attached" });
    assert.deepEqual(await place(), before);
    await page.context().close();
  });
  await check("nothing moves where less motion is wanted", async () => {
    const page = await open(browser, url, { reducedMotion: "reduce" });
    await answerWith(page, (html) => html.replace(BALANCE, "$12"));
    await page.waitForSelector("tr.changed", { state: "attached" });
    assert.equal(await page.locator("tr.changed").evaluate((row) =>
      getComputedStyle(row).animationName), "none");
    await page.context().close();
  });
  await check("it says once that balances are stale, and takes it back", async () => {
    const page = await open(browser, url);
    await page.evaluate(() => {
      globalThis.said = [];
      new MutationObserver(() => globalThis.said.push(document.getElementById("state").textContent))
        .observe(document.getElementById("state"), { childList: true, characterData: true,
          subtree: true });
    });
    let stale = true;
    await answerWith(page, (html) => stale
      ? html.replace('role="status">', 'role="status">The exchange cannot be reached.') : html);
    await updated(page);
    await updated(page);
    await page.screenshot({ fullPage: true, path: path.join(screenshots, "stale-light-1440.png") });
    await runAxe(page);
    stale = false;
    await page.waitForFunction(() => globalThis.said.length > 1);
    assert.deepEqual(await page.evaluate(() => globalThis.said),
      ["The exchange cannot be reached.", ""]);
    await page.context().close();
  });
  await check("it says that there is no answer, and keeps what it has", async () => {
    for (const answer of [(route) => route.abort(), (route) => route.fulfill({ status: 502 }),
      (route) => route.fulfill({ contentType: "text/html",
        body: "<header>Log in</header><p id=state>Please</p>" })]) {
      const page = await open(browser, url);
      await page.route("**/*", answer);
      await page.waitForFunction(() => document.getElementById("state").textContent !== "");
      assert.match(await page.locator("#state").textContent(), /^There is no answer/);
      assert.equal((await currencies(page)).length, 5);
      assert.equal(await page.locator("h1").textContent(), "Balances");
      await page.unroute("**/*");
      await page.waitForFunction(() => document.getElementById("state").textContent === "");
      await page.context().close();
    }
  });
  await check("it asks less often while there is no answer", async () => {
    const page = await open(browser, url);
    const times = [];
    await page.route("**/*", (route) => {
      times.push(Date.now());
      return route.abort();
    });
    await page.waitForTimeout(8000);
    const pauses = times.slice(1).map((time, i) => Math.round((time - times[i]) / 1000));
    assert.deepEqual(pauses, [2, 4]);
    await page.context().close();
  });
  await check("it is kept fresh where HTML is all there is, and amounts are numbers", async () => {
    const page = await open(browser, onlyUrl);
    await updated(page);
    await updated(page);
    assert.equal(await page.locator("#state").textContent(), "");
    assert.equal((await currencies(page)).length, 5);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
  await check("it pauses when told to", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.waitForTimeout(100);
    let asked = 0;
    page.on("request", () => { asked += 1; });
    await page.getByRole("button", { name: "Pause updates" }).press("Enter");
    await page.waitForTimeout(2500);
    assert.equal(asked, 0);
    await page.getByRole("button", { name: "Pause updates", pressed: true }).click();
    await updated(page);
    await page.context().close();
  });
  await check("what was asked for before a pause is not shown in it", async () => {
    const page = await open(browser, url);
    let answer;
    const paused = new Promise((resolve) => { answer = resolve; });
    await page.route("**/*", async (route) => {
      const reply = await route.fetch();
      await paused;
      await route.fulfill({ response: reply, body: (await reply.text()).replaceAll("BCH", "NEW") });
    });
    await page.waitForRequest((request) => request.resourceType() === "fetch");
    await page.locator("#pause").click();
    answer();
    await updated(page);
    assert.equal(await page.locator('[data-coin="NEW"]').count(), 0);
    await page.locator("#pause").click();
    await page.waitForSelector('[data-coin="NEW"]');
    await page.context().close();
  });
  await check("it pauses while nobody sees it", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.waitForTimeout(100);
    let asked = 0;
    page.on("request", () => { asked += 1; });
    const hide = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await hide(true);
    await page.waitForTimeout(2500);
    assert.equal(asked, 0);
    await Promise.all([updated(page), hide(false)]);
    await page.context().close();
  });
  await check("an inline script that is not ours does not run", async () => {
    const page = await open(browser, url);
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.broken = true";
      document.body.append(script);
    });
    assert.equal(await page.evaluate(() => globalThis.broken), undefined);
    assert.match(page.complaints.join(), /Content Security Policy/);
    await page.context().close();
  });
};

// What a reader sees of each section: its heading, its message, its coins.
const sectionsOf = (page) => page.locator("section").evaluateAll((sections) =>
  sections.map((section) => [section.querySelector("h2").textContent,
    section.querySelector(".message").textContent,
    [...section.querySelectorAll("tbody th")].map((cell) => cell.textContent).join(" ")]));
const shows = (page, headings) => page.waitForFunction((expected) => expected ===
  [...document.querySelectorAll("h2")].map((heading) => heading.textContent).join("\n"),
headings.join("\n"));
const section = (page, account) => page.locator(`section[data-account="${account}"]`);
const HOSTILE_ACCOUNT = "<script>alert(1)</script>\\u{202E}\"'&";
const HOT = /<section data-account="hot">.*?<\/section>/s;
const HOT_BALANCE = /(data-account="hot".*?class="balance">.*?<span class="amount">)0/s;

const checkAccounts = async (browser) => {
  await check("each account has its section", async () => {
    const page = await open(browser, accountsUrl);
    await updated(page);
    assert.deepEqual(await sectionsOf(page), [
      ["All accounts", `Without ${HOSTILE_ACCOUNT}.`, "BTC ETH USDT"],
      ["hot", "", "BTC USDT"],
      ["cold", "The exchange cannot be reached. These are the last balances that came.", "BTC ETH"],
      ["empty", "", ""],
      [HOSTILE_ACCOUNT, "The exchange does not know the key.", ""]]);
    assert.equal(await page.locator("#state").textContent(), "2 of 4 accounts are not up to date.");
    assert.equal(await section(page, "empty").getByText("There are no balances to show.").isVisible(), true);
    assert.equal(await page.locator("table:visible").count(), 3);
    const times = await page.locator("time").allTextContents();
    assert.match(times[0], /^\d+\/\d+\/\d+, /, "the day, of yesterday's");
    assert.match(times[1], /^\d+:/);
    has_no_complaint(page);
    await page.context().close();
  });
  await check("the headers of each table sort all of them", async () => {
    const page = await open(browser, accountsUrl);
    const button = section(page, "cold").locator('th[data-key="balance"] button');
    await button.click();
    await page.waitForSelector('[data-account="cold"] [aria-sort="descending"]');
    assert.deepEqual((await sectionsOf(page)).map((each) => each[2]),
      ["BTC ETH USDT", "USDT BTC", "BTC ETH", "", ""]);
    assert.equal(await page.locator('[data-key="balance"][aria-sort="descending"]').count(), 4);
    assert.equal(await button.evaluate((node) => node === document.activeElement), true);
    await page.context().close();
  });
  await check("a row is found in its own section", async () => {
    const page = await open(browser, accountsUrl);
    await page.evaluate(() => {
      globalThis.rows = [...document.querySelectorAll("tbody tr")];
      getSelection().selectAllChildren(document.querySelector('[data-account="cold"] tbody th'));
    });
    await answerWith(page, (html) => html.replace(HOT_BALANCE, "$117"));
    await page.waitForSelector("tr.changed");
    assert.deepEqual(await page.locator("tr.changed").evaluateAll((rows) =>
      rows.map((row) => [row.closest("section").dataset.account, row.dataset.coin])), [["hot", "BTC"]]);
    assert.equal(await page.locator("tbody tr").evaluateAll((rows) =>
      rows.every((row, i) => row === globalThis.rows[i])), true);
    assert.equal(await page.evaluate(() => String(getSelection())), "BTC");
    await updated(page);
    assert.equal(await page.locator("tr.changed").count(), 0);
    await page.context().close();
  });
  await check("a section whose text is as before is left alone", async () => {
    const page = await open(browser, accountsUrl);
    let digit = 1;
    await answerWith(page, (html) => html.replace(HOT_BALANCE, `$1${digit += 1}`)
      .replace(/<time.*?<\/time>/g, "<time datetime=\"2026-01-02T03:04:05Z\">then</time>"));
    await updated(page);
    await page.locator("th[scope=row]").evaluateAll((cells) =>
      cells.forEach((cell) => { cell.textContent = "kept"; }));
    await updated(page);
    assert.deepEqual((await sectionsOf(page)).map((each) => each[2]),
      ["kept kept kept", "BTC USDT", "kept kept", "", ""]);
    assert.deepEqual(await page.locator("time").evaluateAll((times) =>
      [...new Set(times.map((time) => /1.2.26/.test(time.textContent)))]), [true]);
    await page.context().close();
  });
  await check("a section comes, goes, and loses its table", async () => {
    const page = await open(browser, accountsUrl);
    const button = section(page, "cold").locator('th[data-key="balance"] button');
    let change = (html) => html.replace(HOT, "");
    await answerWith(page, (html) => change(html));
    await button.focus();
    await shows(page, ["All accounts", "cold", "empty", HOSTILE_ACCOUNT]);
    change = (html) => html.replace(HOT, (hot) => hot + hot.replaceAll("hot", "warm"));
    await shows(page, ["All accounts", "hot", "warm", "cold", "empty", HOSTILE_ACCOUNT]);
    change = (html) => html.replace(HOT, (hot) => hot.replace(/<p class="made".*<\/p>/, "")
      .replace(/"message">.*(?=<\/section>)/s, '"message">The exchange cannot be reached.</p>\n'));
    await shows(page, ["All accounts", "hot", "cold", "empty", HOSTILE_ACCOUNT]);
    assert.deepEqual((await sectionsOf(page))[1], ["hot", "The exchange cannot be reached.", ""]);
    assert.equal(await section(page, "hot").locator("table, .worth, time").count(), 0);
    await runAxe(page);
    change = (html) => html;
    await section(page, "hot").locator("table").waitFor();
    assert.deepEqual((await sectionsOf(page))[1], ["hot", "", "BTC USDT"]);
    assert.equal(await button.evaluate((node) => node === document.activeElement), true);
    await section(page, "hot").locator('th[data-key="currency"] button').click();
    await page.waitForSelector('[data-account="hot"] [aria-sort="ascending"]');
    has_no_complaint(page);
    await page.context().close();
  });
  await check("accounts become one, and several again", async () => {
    const page = await open(browser, accountsUrl);
    const alone = await (await page.request.get(url, { headers: { Accept: "text/html" } })).text();
    let change = () => alone;
    await answerWith(page, (html) => change(html));
    await shows(page, []);
    assert.deepEqual(await currencies(page), ["BCH", "XRP", "ETH", "BTC", "USDT"]);
    change = (html) => html;
    await shows(page, ["All accounts", "hot", "cold", "empty", HOSTILE_ACCOUNT]);
    has_no_complaint(page);
    await page.context().close();
  });
};

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGUMENTS,
  });
  await checkLayout(browser, url, "page");
  await checkLayout(browser, hostileUrl, "hostile");
  await checkLayout(browser, emptyUrl, "empty");
  await checkLayout(browser, accountsUrl, "accounts");
  await checkTable(browser);
  await checkSorting(browser);
  await checkHostile(browser);
  await checkUpdates(browser);
  await checkAccounts(browser);
  await browser.close();
  process.exit(failed ? 1 : 0);
})();
