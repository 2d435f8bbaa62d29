--- What the page does by itself: it asks for the balances again, and sorts. All
-- that comes from outside goes into the page as text, and amounts stay the
-- digits that came. Its hash is what the page's policy lets in: whoever changes
-- the text changes the hash, which the specs work out.

return { hash = "sha256-QSTlVhHnsD0VC/15Qu5rvNHvxchibNrDsvTkb28qYz8=", text = [==[

(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const SLOWEST = 60;
  const find = (id) => document.getElementById(id);
  const page = document.documentElement;
  const tbody = document.querySelector("tbody");
  const headers = [...document.querySelectorAll("thead th[data-key]")];
  const columns = headers.map((header) => header.dataset.key).slice(1);
  const labels = Object.fromEntries(headers.map((header) =>
    [header.dataset.key, header.textContent.trim()]));
  const interval = Math.max(1, Number(page.dataset.interval));
  let pause = interval, timer, paused = false, running = false, last = null;

  // ---- amounts: strings of digits, never numbers ----

  const parts = (amount) => {
    const minus = amount.startsWith("-");
    const [whole, fraction = ""] = (minus ? amount.slice(1) : amount).split(".");
    return { minus, whole, fraction };
  };
  const compareAmounts = (a, b) => {
    const x = parts(a), y = parts(b);
    if (x.minus !== y.minus) return x.minus ? -1 : 1;
    const left = Math.max(x.whole.length, y.whole.length);
    const right = Math.max(x.fraction.length, y.fraction.length);
    const digits = (of) => of.whole.padStart(left, "0") + of.fraction.padEnd(right, "0");
    const p = digits(x), q = digits(y);
    if (p === q) return 0;
    return (p < q) === x.minus ? 1 : -1;
  };
  const compareTexts = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  // ---- making rows ----

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const visible = (text) => text.replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => {
      const code = char.charCodeAt(0);
      return code < 256 ? "\\x" + code.toString(16).toUpperCase().padStart(2, "0")
        : "\\u{" + code.toString(16).toUpperCase().padStart(4, "0") + "}";
    });
  const amountElement = (amount, places) => {
    const { minus, whole, fraction } = parts(amount);
    const made = element("span", { class: "amount" });
    const first = (whole.length - 1) % 3 + 1;
    made.append((minus ? "-" : "") + whole.slice(0, first));
    for (let at = first; at < whole.length; at += 3) {
      made.append(element("span", { class: "group" }, whole.slice(at, at + 3)));
    }
    if (fraction) made.append(element("span", { class: "fraction" }, "." + fraction));
    if (places > fraction.length) {
      made.append(element("span", { class: "pad", "aria-hidden": "true" },
        (fraction ? "" : ".") + "0".repeat(places - fraction.length)));
    }
    return made;
  };
  const rectangle = (name, x, width) => {
    const made = document.createElementNS(SVG, "rect");
    made.setAttribute("class", name);
    made.setAttribute("x", x);
    made.setAttribute("width", width);
    made.setAttribute("height", "10");
    return made;
  };
  // What there is a little of is to be seen: at least 4 % of the bar.
  const drawn = (percent) =>
    percent <= 0 || percent >= 100 ? percent * 10 : Math.min(960, Math.max(40, percent * 10));
  const bar = (percent) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 1000 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    if (percent === null) {
      svg.append(rectangle("empty", 0, 1000));
    } else {
      const width = drawn(percent);
      svg.append(rectangle("free", 0, width), rectangle("locked", width, 1000 - width));
    }
    return svg;
  };
  const share = (percent) => element("div", { class: "share" }, bar(percent),
    percent === null ? element("span", { class: "none" }, "\u2013",
      element("span", { class: "unseen" }, " nothing"))
    : element("span", {}, percent.toFixed(1) + "\u00a0%",
      element("span", { class: "unseen" }, " available")));
  const cell = (record, key, places) => {
    const amount = record[key];
    return element("td", { role: "cell", class: key },
      element("span", { class: "label", "aria-hidden": "true" }, labels[key]),
      amount === undefined ? element("span", { class: "none" }, "\u2013")
        : amountElement(amount, places[key]));
  };
  const fill = (row, record, places) => {
    const title = element("th", { role: "rowheader", scope: "row" },
      visible(record.currency));
    row.replaceChildren(title, ...columns.map((key) => cell(record, key, places)),
      element("td", { role: "cell", class: "bar" }, share(record.available_percent)));
  };

  // ---- the table ----

  const placesOf = (records) => Object.fromEntries(columns.map((key) =>
    [key, Math.max(0, ...records.map((record) => parts(record[key] || "").fraction.length))]));
  const sorting = () => {
    const header = headers.find((each) => each.hasAttribute("aria-sort"));
    return header && { key: header.dataset.key,
      down: header.getAttribute("aria-sort") === "descending" };
  };
  const sorted = (records) => {
    const by = sorting();
    if (!by) return records;
    const compare = by.key === "currency" ? compareTexts : compareAmounts;
    return records.slice().sort((a, b) => {
      const x = a[by.key], y = b[by.key];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return by.down ? compare(y, x) : compare(x, y);
    });
  };
  // Rows stay the elements they are, so that nobody who reads them loses the place.
  let rows = new Map();
  const draw = (records, first) => {
    const places = placesOf(records), kept = new Map(), seen = {};
    let at = null;
    for (const record of sorted(records)) {
      const nth = seen[" " + record.currency] = (seen[" " + record.currency] || 0) + 1;
      const id = nth + " " + record.currency;
      const known = rows.get(id);
      const row = known ? known.row : element("tr", { role: "row" });
      const text = JSON.stringify([record, places]);
      const content = JSON.stringify(record);
      if (!known || known.text !== text) fill(row, record, places);
      row.classList.toggle("changed", !first && (!known || known.content !== content));
      const next = at ? at.nextElementSibling : tbody.firstElementChild;
      if (row !== next) tbody.insertBefore(row, next);
      kept.set(id, { row, text, content });
      at = row;
    }
    while (at ? at.nextElementSibling : tbody.firstElementChild) {
      (at ? at.nextElementSibling : tbody.firstElementChild).remove();
    }
    rows = kept;
    find("nothing").hidden = records.length > 0;
    document.querySelector("table").hidden = records.length === 0;
  };
  const drawWorth = (reply) => {
    if (reply.total === undefined || !find("total")) return;
    find("total").replaceChildren(amountElement(reply.total, 0));
    const missing = reply.missing.map(visible).join(", ");
    find("missing").textContent = missing ? "No price is known for " + missing + "." : "";
  };

  // ---- sorting by the headers ----

  // Addresses keep the order, for a reload and for a bookmark.
  const noteInAddress = (by) => {
    const url = new URL(location.href);
    url.searchParams.delete("desc");
    url.searchParams.set("sort", (by.down ? "-" : "") + by.key);
    history.replaceState(null, "", url);
  };
  const sortBy = (header) => {
    const before = header.getAttribute("aria-sort");
    const down = before ? before === "ascending" : header.dataset.key !== "currency";
    for (const each of headers) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    noteInAddress({ key: header.dataset.key, down });
    if (last) draw(last.balances, true);
  };
  for (const header of headers) {
    header.querySelector("button").addEventListener("click", (event) => {
      if (!last) return;
      event.preventDefault();
      sortBy(header);
    });
  }

  // ---- asking again ----

  const address = () => {
    const url = new URL(location.href);
    for (const name of ["sort", "desc"]) url.searchParams.delete(name);
    url.searchParams.set("format", "json");
    url.searchParams.set("for", "page");
    url.hash = "";
    return url;
  };
  // Written only where it changes, so that it is read out once.
  const say = (text) => {
    if (find("state").textContent !== text) find("state").textContent = text;
  };
  const WHY = {
    timeout: "The exchange does not answer in time.",
    rate_limit: "The exchange has been asked as often as it allows.",
    network: "The exchange cannot be reached.",
  };
  const freshness = (reply) => {
    const told = reply.headers.get("Bitfront-Freshness") || "fresh";
    const kind = /error=(\w+)/.exec(told);
    return kind ? (WHY[kind[1]] || "The exchange does not answer as it should.")
      + " These are the last balances it gave." : "";
  };
  const noteTime = (reply) => {
    const age = Number(reply.headers.get("Age") || 0);
    const time = find("time"), made = new Date(Date.now() - age * 1000);
    time.dateTime = made.toISOString();
    time.textContent = made.toLocaleTimeString();
  };
  const ask = async () => {
    const reply = await fetch(address(), { cache: "no-cache", credentials: "same-origin",
      headers: { Accept: "application/json" }, signal: AbortSignal.timeout(20000) });
    if (!reply.ok) throw new Error("status " + reply.status);
    const text = await reply.text();
    if (!last || last.text !== text) {
      const first = !last;
      last = Object.assign(JSON.parse(text), { text });
      draw(last.balances, first);
      drawWorth(last);
    }
    noteTime(reply);
    say(freshness(reply));
  };
  const FAILED = "There is no answer. These are the last balances that came.";
  const turn = async () => {
    clearTimeout(timer);
    if (running || paused || document.hidden) return;
    running = true;
    try {
      await ask();
      pause = interval;
    } catch {
      say(FAILED);
      pause = Math.min(SLOWEST, pause * 2);
    }
    running = false;
    timer = setTimeout(turn, pause * 1000);
  };
  find("pause").hidden = false;
  find("pause").addEventListener("click", () => {
    paused = !paused;
    find("pause").setAttribute("aria-pressed", String(paused));
    turn();
  });
  document.addEventListener("visibilitychange", turn);
  turn();
})();
]==] }
