"use strict";
// Search, filters and the details of a case. Whatever an endpoint said enters the page as text, never as markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const cases = [...document.querySelectorAll("#list .case")];
  const groups = [...document.querySelectorAll("#list .req")];
  const boxes = [...document.querySelectorAll("#tools input[type=checkbox]")];
  let parsed = null;
  const data = () => (parsed ??= JSON.parse($("data").textContent));

  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // JSON in lines; every token stays as it was written.
  const indented = (text) => {
    try {
      if (typeof JSON.parse(text) !== "object") return text;
    } catch {
      return text;
    }
    let depth = 0;
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    const line = () => "\n" + "  ".repeat(depth);
    return tokens.map((token, at) => {
      if (token === "{" || token === "[") {
        depth += 1;
        return "}]".includes(tokens[at + 1]) ? token : token + line();
      }
      if (token === "}" || token === "]") {
        depth -= 1;
        return "{[".includes(tokens[at - 1]) ? token : line() + token;
      }
      return token === "," ? token + line() : token === ":" ? ": " : token;
    }).join("");
  };

  const copyable = (box) => {
    const button = element("button", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(box.querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(box.querySelector("pre"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  };

  const block = (title, text, kind) => {
    const pre = element("pre", text, kind);
    pre.tabIndex = 0;
    pre.setAttribute("role", "group");
    pre.setAttribute("aria-label", title);
    return pre;
  };

  const exchange = ([name, first, sent, body, received, answer, status, moment, milliseconds]) => {
    const made = element("div");
    const pair = element("div", undefined, "exchange");
    for (const [title, head, headers, text] of [["Request", first, sent, body], ["Answer", String(status), received, answer]]) {
      const message = element("div", undefined, "message");
      const heading = element("h3", title + " ");
      heading.append(element("code", head));
      message.append(heading);
      if (headers) message.append(block(title + ": headers", headers, "headers"));
      if (text) message.append(block(title + ": body", indented(text), "body"));
      pair.append(message);
    }
    made.append(pair, element("p", `${name}, sent ${moment}, answered after ${milliseconds} ms`, "note"));
    return made;
  };

  const change = (rows, of) => {
    const table = element("table", undefined, "diff");
    table.append(element("caption", "The one change" + (of ? `, in the ${of}` : "")));
    for (const [path, old, now] of rows) {
      const body = table.createTBody();
      const head = element("th");
      head.colSpan = 2;
      head.append(element("code", path));
      body.insertRow().append(head);
      for (const [sign, kind, value] of [["−", "old", old], ["+", "new", now || "left out"]]) {
        if (!value) continue;
        const row = body.insertRow();
        row.className = kind;
        const mark = row.insertCell();
        mark.append(sign, element("span", kind === "old" ? " in the accepted twin" : " in this request", "sr"));
        row.insertCell().append(element("code", value));
      }
    }
    return table;
  };

  const fill = (box) => {
    if (box.querySelector(".detail")) return;
    const all = data();
    const about = all.cases[cases.indexOf(box)];
    const made = element("div", undefined, "detail");
    for (const key of ["why", "reason"]) if (about[key]) made.append(element("p", about[key]));
    if (about.twin) made.append(element("p", about.twin === "control" ? "Its accepted twin is the plain valid batch." : `Its accepted twin: ${about.twin}`, "note"));
    if (about.change) made.append(change(about.change, about.of));
    for (const [where, expected, got] of about.findings ?? []) {
      const list = element("dl", undefined, "finding");
      for (const [term, text] of [["At", where], ["Expected", expected], ["Got", got]]) list.append(element("dt", term), element("dd", text));
      made.append(list);
    }
    if (about.order) made.append(element("h3", "The order of this case, out of its batch"), block("Order", indented(about.order), "body"));
    for (const index of about.exchanges ?? []) made.append(exchange(all.exchanges[index]));
    if (!about.exchanges) made.append(element("p", "This case sent nothing of its own.", "note"));
    box.append(made);
  };

  // The state of the filters is the address, so that a view can be sent to somebody.
  const state = () => {
    const wanted = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    return { q: wanted.get("q") ?? "", verdict: wanted.getAll("verdict"), level: wanted.getAll("level"), cell: wanted.get("cell") ?? "" };
  };
  const remember = (wanted) => {
    const found = new URLSearchParams();
    if (wanted.q) found.set("q", wanted.q);
    for (const each of wanted.verdict) found.append("verdict", each);
    for (const each of wanted.level) found.append("level", each);
    if (wanted.cell) found.set("cell", wanted.cell);
    history.replaceState(null, "", found.size ? "#" + found : "#everything");
    show(wanted);
  };
  const chosen = () => ({
    q: $("query").value.trim(),
    verdict: boxes.filter((each) => each.name === "verdict" && each.checked).map((each) => each.value),
    level: boxes.filter((each) => each.name === "level" && each.checked).map((each) => each.value),
    cell: state().cell,
  });

  let texts = null;
  const show = (wanted) => {
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) texts ??= cases.map((each) => {
      const cell = each.dataset.c === undefined ? "" : data().cells[each.dataset.c];
      return `${each.id.slice(5)} ${each.closest(".req").querySelector(".t").textContent} ${cell}`.toLowerCase();
    });
    const cell = wanted.cell ? String(data().cells.indexOf(wanted.cell)) : "";
    const filtered = Boolean(words.length || wanted.verdict.length || wanted.level.length || wanted.cell);
    const shown = new Map();
    let count = 0;
    cases.forEach((each, at) => {
      const group = each.parentElement;
      const fits = (!wanted.verdict.length || wanted.verdict.includes(each.dataset.v))
        && (!wanted.level.length || wanted.level.includes(group.dataset.level))
        && (!cell || each.dataset.c === cell)
        && words.every((word) => texts[at].includes(word));
      each.hidden = !fits;
      if (fits) {
        count += 1;
        shown.set(group, (shown.get(group) ?? 0) + 1);
      }
    });
    for (const group of groups) {
      group.hidden = filtered && !shown.has(group);
      group.open = filtered && count <= 40 && shown.has(group);
    }
    // Who is typing keeps the space after a word.
    if ($("query").value.trim() !== wanted.q) $("query").value = wanted.q;
    for (const box of boxes) box.checked = wanted[box.name].includes(box.value);
    $("count").textContent = `${count.toLocaleString("en")} of ${cases.length.toLocaleString("en")} cases`;
    $("chosen").hidden = !wanted.cell;
    $("chosen").textContent = wanted.cell;
    $("clear").hidden = !filtered;
  };

  // A link to one case or requirement opens it, whatever the filters hide.
  const go = () => {
    if (location.hash.includes("=") && !location.hash.startsWith("#case-") && !location.hash.startsWith("#req-")) {
      show(state());
      return $("everything").scrollIntoView();
    }
    let target = null;
    try {
      target = $(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return; // somebody's own idea of an address
    }
    if (!target?.matches(".case, .req")) return;
    show({ q: "", verdict: [], level: [], cell: "" });
    target.closest(".req").open = true;
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  };

  const nothing = () => remember({ q: "", verdict: [], level: [], cell: "" });
  const theme = () => {
    const names = ["system", "light", "dark"];
    const label = $("theme").querySelector("span");
    const next = names[(names.indexOf(label.textContent) + 1) % names.length];
    label.textContent = next;
    document.documentElement.dataset.theme = next;
  };

  $("tools").hidden = false;
  $("theme").hidden = false;
  $("theme").addEventListener("click", theme);
  $("tools").addEventListener("submit", (event) => event.preventDefault());
  $("tools").addEventListener("input", () => remember(chosen()));
  $("clear").addEventListener("click", () => { nothing(); $("query").focus(); });
  $("list").addEventListener("toggle", (event) => { if (event.target.matches(".case") && event.target.open) fill(event.target); }, true);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-cell]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    history.pushState(null, "", location.pathname + location.search + location.hash);
    remember({ q: "", verdict: [], level: [], cell: data().cells[link.dataset.cell] });
    $("everything").scrollIntoView();
    document.querySelector("#list .case:not([hidden]) summary")?.focus({ preventScroll: true });
  });
  addEventListener("hashchange", go);
  for (const box of document.querySelectorAll(".command")) copyable(box);
  show(state());
  if (location.hash) go();
})();
