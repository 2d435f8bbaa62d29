--- The page's script: it fetches the page's HTML again and shows what has changed.
-- The page's policy allows the text by its hash, which a spec checks.

return { hash = "sha256-msF/dQdgrXzM+AgX30n7TyY1zNbAPljEw/3tSTfv+Lg=", text = [==[

(() => {
  "use strict";
  const UPDATED = ["header", "#made", "#state", "#sections"];
  const SLOWEST = 60; // seconds between two attempts
  const FAILED = "There is no answer. These are the last balances that came.";
  const ROWS = "tbody tr";
  const SECTIONS = /<section[ >].*?<\/section>/gs;
  const find = (selector) => document.querySelector(selector);
  const interval = Math.max(1, Number(document.documentElement.dataset.interval));
  let pause = interval, timer, paused = false, asked = 0;
  let sections = new Set(), changed = new Set(); // of the last update: texts, rows

  // ---- sections whose text is as before: there may be hundreds, which take long to parse ----

  const withoutShown = (html) => html.replace(SECTIONS, (text) =>
    sections.has(text) ? text.slice(0, text.indexOf(">") + 1) + "</section>" : text);
  const isShown = (fresh) => fresh.nodeName === "SECTION" && !fresh.hasChildNodes();

  // ---- one node made equal to another ----

  // Without the zeros that align: other rows change those.
  const contentOf = (row) => row.innerHTML.replace(/<span class="pad[^>]*>[.0]*<\/span>/g, "");

  // Sections are found by their account and rows by their coin; of nodes with equal keys,
  // the first is taken.
  const keyOf = ({ nodeName, dataset: { account, coin } = {} }) =>
    nodeName + " " + (account ?? coin ?? "");
  const childrenByKey = (node) => {
    const lists = {};
    for (const child of node.childNodes) (lists[keyOf(child)] ??= []).push(child);
    return lists;
  };
  // Nodes are kept, since the focus, selections and a screen reader's place are in them.
  const updateChildren = (node, fresh) => {
    const known = childrenByKey(node);
    const children = [...fresh.childNodes].map((child) => {
      const kept = known[keyOf(child)]?.shift();
      if (kept) update(kept, child);
      else if (child.matches?.(ROWS)) changed.add(child);
      return kept ?? child;
    });
    for (const gone of Object.values(known).flat()) gone.remove();
    children.forEach((child, i) => {
      const present = node.childNodes[i] ?? null;
      if (child !== present) node.insertBefore(child, present);
    });
  };
  const update = (node, fresh) => {
    if (isShown(fresh) || node.isEqualNode(fresh)) return;
    if (node.nodeType === Node.TEXT_NODE) {
      node.data = fresh.data;
    } else {
      if (node.matches(ROWS) && contentOf(node) !== contentOf(fresh)) changed.add(node);
      for (const { name } of [...node.attributes]) {
        if (!fresh.hasAttribute(name)) node.removeAttribute(name);
      }
      for (const { name, value } of fresh.attributes) node.setAttribute(name, value);
      updateChildren(node, fresh);
    }
  };

  // ---- the page ----

  // With the day, where it is not today.
  const showLocalTimes = () => {
    const today = new Date().toDateString();
    for (const time of document.querySelectorAll("time")) {
      const made = new Date(time.dateTime);
      const text = made.toDateString() === today ? made.toLocaleTimeString()
        : made.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
      if (time.textContent !== text) time.textContent = text;
    }
  };
  // Returns whether the text was this page's.
  const show = (html) => {
    const fresh = new DOMParser().parseFromString(withoutShown(html), "text/html");
    const parts = UPDATED.map((part) => fresh.querySelector(part));
    if (parts.includes(null)) return false;
    for (const row of changed) row.removeAttribute("class");
    changed = new Set();
    UPDATED.forEach((part, i) => update(find(part), parts[i]));
    sections = new Set(html.match(SECTIONS));
    void document.body.offsetWidth; // draws without the class, so that its animation restarts
    for (const row of changed) row.classList.add("changed");
    showLocalTimes();
    return true;
  };

  // ---- asking again ----

  const fetchPage = async () => {
    const reply = await fetch(location.href, { cache: "no-cache", credentials: "same-origin",
      headers: { Accept: "text/html" }, signal: AbortSignal.timeout(20000) });
    return reply.ok ? reply.text() : "";
  };
  const ask = async (isForced = false) => {
    const number = asked += 1;
    clearTimeout(timer);
    const html = await fetchPage().catch(() => "");
    if (number !== asked || (paused && !isForced)) return; // of two, the later one is shown
    const shown = show(html);
    if (!shown && find("#state").textContent !== FAILED) find("#state").textContent = FAILED;
    pause = shown ? interval : Math.min(SLOWEST, pause * 2);
    timer = setTimeout(askUnlessPaused, pause * 1000);
  };
  const askUnlessPaused = () => {
    clearTimeout(timer);
    if (!paused && !document.hidden) ask();
  };

  // The address has the order, for a reload and for a bookmark.
  find("#sections").addEventListener("click", (event) => {
    const button = event.target.closest("thead button");
    if (!button) return;
    event.preventDefault();
    const url = new URL(location.href);
    url.searchParams.delete("desc");
    url.searchParams.set("sort", button.value);
    history.replaceState(null, "", url);
    ask(true); // also while updates are paused
  });
  find("#pause").hidden = false;
  find("#pause").addEventListener("click", () => {
    paused = !paused;
    find("#pause").setAttribute("aria-pressed", String(paused));
    askUnlessPaused();
  });
  document.addEventListener("visibilitychange", askUnlessPaused);
  showLocalTimes();
  timer = setTimeout(askUnlessPaused, interval * 1000);
})();
]==] }
