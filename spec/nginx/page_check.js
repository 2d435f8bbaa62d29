// usage: node page_check.js TOOLS URL HOSTILE_URL EMPTY_URL ONLY_URL SCREENSHOTS
//
// The page in Chromium: nothing for axe to find in either colour scheme and at
// either width, nothing on the console, what is hostile stays text, the keyboard
// sorts. TOOLS is where npm installed playwright-core and axe-core. Called by
// spec/nginx/page.lua; prints a line for each check, and fails if one does.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const [tools, url, hostileUrl, emptyUrl, onlyUrl, screenshots] = process.argv.slice(2);
const { chromium } = require(path.join(tools, "node_modules/playwright-core"));
const axe = path.join(tools, "node_modules/axe-core/axe.min.js");

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update",
  "--disable-sync",
];
const SCHEMES = ["light", "dark"];
const WIDTHS = [360, 1440];

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
const look = async (page) => {
  await page.evaluate(require("node:fs").readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((each) =>
    `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`), []);
};

const updated = (page) => page.waitForResponse((reply) =>
  reply.url().includes("format=json"));
const currencies = (page) => page.locator("tbody th").allTextContents();
const quiet = (page) => assert.deepEqual(page.complaints, []);

const checkLooks = async (browser, address, name) => {
  for (const scheme of SCHEMES) {
    for (const width of WIDTHS) {
      await check(`${name}, ${scheme}, ${width} px`, async () => {
        const page = await open(browser, address, { scheme, width });
        await updated(page);
        await page.waitForTimeout(200);
        await page.screenshot({ fullPage: true,
          path: path.join(screenshots, `${name}-${scheme}-${width}.png`) });
        await look(page);
        const wider = await page.evaluate(() =>
          document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(wider, 0, "it scrolls sideways");
        quiet(page);
        await page.context().close();
      });
    }
  }
};

// The x of the decimal point of each amount of a column, as it is drawn.
const points = (page, column) => page.evaluate((name) =>
  [...document.querySelectorAll(`td.${name} .amount`)].map((amount) => {
    const walker = document.createTreeWalker(amount, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = node.data.indexOf(".");
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      return Math.round(range.getBoundingClientRect().left);
    }
    return null;
  }).filter((x) => x !== null), column);

const checkTable = async (browser) => {
  await check("amounts are aligned on the decimal point", async () => {
    for (const width of WIDTHS) {
      const page = await open(browser, url, { width });
      for (const column of ["balance", "availableBalance", "locked"]) {
        const xs = await points(page, column);
        assert.ok(xs.length > 2);
        assert.ok(Math.max(...xs) - Math.min(...xs) <= 1, `${column}: ${xs}`);
      }
      await page.context().close();
    }
  });
  await check("the script draws what the server draws", async () => {
    const plain = await open(browser, url, { javaScriptEnabled: false });
    const live = await open(browser, url);
    await updated(live);
    await live.waitForTimeout(200);
    const texts = (page) => page.locator("tbody tr").evaluateAll((rows) =>
      rows.map((row) => row.innerHTML.replace(/\s+/g, " ")));
    // Without the script nothing can be evaluated in the page either.
    const html = await (await plain.request.get(url, { headers: { Accept: "text/html" } })).text();
    const drawn = await live.evaluate((source) => [...new DOMParser()
      .parseFromString(source, "text/html").querySelectorAll("tbody tr")]
      .map((row) => row.innerHTML.replace(/\s+/g, " ")), html);
    assert.deepEqual(await texts(live), drawn);
    await plain.context().close();
    await live.context().close();
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
  await check("the keyboard sorts", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.locator('th[data-key="balance"] button').focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator('th[data-key="balance"]').getAttribute("aria-sort"), "descending");
    assert.deepEqual(await currencies(page), ["BTC", "ETH", "XRP", "BCH", "USDT"]);
    await page.keyboard.press("Space");
    assert.equal(await page.locator('th[data-key="balance"]').getAttribute("aria-sort"), "ascending");
    assert.deepEqual((await currencies(page))[4], "BTC");
    assert.match(page.url(), /sort=balance/);
    await updated(page);
    assert.deepEqual((await currencies(page))[4], "BTC");
    await page.reload();
    assert.deepEqual((await currencies(page))[4], "BTC");
    assert.equal(await page.locator("[aria-sort]").count(), 1);
    quiet(page);
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
      quiet(page);
      await page.context().close();
    }
  });
};

// Replies that a test makes up, in the place of the site's.
const answerWith = (page, change) => page.route(/format=json/, async (route) => {
  const reply = await route.fetch();
  const json = await reply.json();
  const headers = { ...reply.headers(), ...change(json) };
  await route.fulfill({ status: 200, headers, body: JSON.stringify(json) });
});

const checkUpdates = async (browser) => {
  await check("what changes is drawn, in the rows that are there", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.waitForTimeout(100);
    await page.evaluate(() => { document.querySelector("tbody tr").dataset.mark = "same"; });
    await answerWith(page, (json) => {
      json.balances[0].balance = "123456789012345678901234567890.00000001";
      json.balances.push({ ...json.balances[1], currency: "NEW" });
    });
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 6);
    const first = page.locator("tbody tr").first();
    assert.equal(await first.getAttribute("data-mark"), "same");
    assert.equal(await first.locator("td.balance .amount").textContent(),
      "123456789012345678901234567890.00000001");
    assert.equal(await page.locator("tr.changed").count(), 2);
    quiet(page);
    await page.context().close();
  });
  await check("nothing moves where less motion is wanted", async () => {
    const page = await open(browser, url, { reducedMotion: "reduce" });
    await updated(page);
    await page.waitForTimeout(100);
    await answerWith(page, (json) => { json.balances[0].balance = "1"; });
    await page.waitForSelector("tr.changed", { state: "attached" });
    assert.equal(await page.locator("tr.changed").evaluate((row) =>
      getComputedStyle(row).animationName), "none");
    await page.context().close();
  });
  await check("it says once that balances are stale, and takes it back", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.evaluate(() => {
      globalThis.said = [];
      new MutationObserver(() => globalThis.said.push(document.getElementById("state").textContent))
        .observe(document.getElementById("state"), { childList: true });
    });
    let stale = true;
    await answerWith(page, () => stale ? { "bitfront-freshness": "stale; error=network" } : {});
    await updated(page);
    await updated(page);
    await page.waitForTimeout(100);
    await page.screenshot({ fullPage: true, path: path.join(screenshots, "stale-light-1440.png") });
    await look(page);
    stale = false;
    await page.waitForFunction(() => globalThis.said.length > 1);
    assert.deepEqual(await page.evaluate(() => globalThis.said),
      ["The exchange cannot be reached. These are the last balances it gave.", ""]);
    await page.context().close();
  });
  await check("it says that there is no answer, and keeps what it has", async () => {
    const page = await open(browser, url);
    await updated(page);
    await page.route(/format=json/, (route) => route.abort());
    await page.waitForFunction(() => document.getElementById("state").textContent !== "");
    assert.match(await page.locator("#state").textContent(), /^There is no answer/);
    assert.equal((await currencies(page)).length, 5);
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

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGUMENTS,
  });
  await checkLooks(browser, url, "page");
  await checkLooks(browser, hostileUrl, "hostile");
  await checkLooks(browser, emptyUrl, "empty");
  await checkTable(browser);
  await checkSorting(browser);
  await checkHostile(browser);
  await checkUpdates(browser);
  await browser.close();
  process.exit(failed ? 1 : 0);
})();
