// Filters, opens, copies, and lets the reader choose the theme. Everything can be read without it.
"use strict";
(() => {
  const make = (name, text, properties = {}) =>
    Object.assign(document.createElement(name), { textContent: text, ...properties });
  const byId = (id) => document.getElementById(id);
  const ORDER = ["FAIL", "known", "ERROR", "INCONCLUSIVE", "PASS", "not run"];

  // The theme: a file opened from disk may have no storage, so nothing is remembered.
  const list = document.querySelector("nav ul");
  if (list) {
    const names = ["auto", "light", "dark"];
    let at = 0;
    const button = make("button", "Theme: auto", { type: "button" });
    button.addEventListener("click", () => {
      at = (at + 1) % names.length;
      if (at === 0) delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = names[at];
      button.textContent = `Theme: ${names[at]}`;
    });
    const item = make("li", "", { className: "theme" });
    item.append(button);
    list.append(item);
  }

  // Commands are copied by one listener, however many there are.
  if (navigator.clipboard) {
    for (const command of document.querySelectorAll(".command")) {
      command.append(make("button", "Copy", { type: "button" }));
    }
    document.addEventListener("click", ({ target }) => {
      const command = target.closest?.(".command > button")?.parentElement;
      if (!command) return;
      navigator.clipboard.writeText(command.querySelector("code").textContent).then(
        () => { target.textContent = "Copied"; },
        () => { target.textContent = "Not allowed"; },
      );
    });
  }

  // A bar of words and toggles. `apply` shows what fits and tells how much of how much that is.
  const filterBar = ({ before, label, kinds, apply }) => {
    const input = make("input", "", { type: "search", placeholder: `${label} ( / )` });
    input.setAttribute("aria-label", label);
    const chips = [...kinds].map(([kind, { n, glyph }]) => {
      const chip = make("button", `${glyph} ${kind} ${n}`, { type: "button" });
      chip.dataset.kind = kind;
      chip.setAttribute("aria-pressed", "false");
      return chip;
    });
    const clear = make("button", "Clear", { type: "button", hidden: true });
    const said = make("output", "");
    said.setAttribute("aria-live", "polite");
    const bar = make("div", "", { className: "filter" });
    bar.setAttribute("role", "search");
    bar.setAttribute("aria-label", label);
    bar.append(input, ...chips, clear, said);
    before.before(bar);
    const self = {
      bar,
      input,
      words: () => input.value.toLowerCase().split(/\s+/).filter(Boolean),
      chosen: () => chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.kind),
      set(words, chosen) {
        input.value = words;
        for (const chip of chips) chip.ariaPressed = String(chosen.includes(chip.dataset.kind));
      },
      refresh() {
        const { shown, all, noun, filtered } = apply(self);
        clear.hidden = !filtered;
        said.textContent = filtered ? `${shown} of ${all} ${noun}` : `${all} ${noun}`;
      },
      reset() {
        self.set("", []);
        self.cleared?.();
        self.changed();
      },
      changed() {
        self.refresh();
        self.remember?.();
      },
    };
    bar.addEventListener("input", self.changed);
    bar.addEventListener("click", ({ target }) => {
      if (target === clear) {
        self.reset();
        input.focus();
      } else if (target.closest("button[data-kind]")) {
        const chip = target.closest("button");
        chip.ariaPressed = String(chip.ariaPressed !== "true");
        self.changed();
      }
    });
    bar.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      self.reset();
    });
    return self;
  };

  // How many there are of each kind, with its glyph, the worst first.
  const kindsOf = (items, more = () => []) => {
    const kinds = new Map();
    const add = (kind, glyph) => kinds.set(kind, { n: (kinds.get(kind)?.n ?? 0) + 1, glyph });
    for (const item of items) {
      add(item.dataset.is, item.querySelector(".mark i")?.textContent ?? "");
      for (const [kind, glyph] of more(item)) add(kind, glyph);
    }
    const rank = (kind) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
    return [...kinds].sort(([a], [b]) => rank(a) - rank(b));
  };

  // A set of small numbers in hexadecimal, its last digit first.
  const holds = (set, n) => {
    const digit = set.charAt(set.length - 1 - (n >> 2));
    return digit !== "" && ((parseInt(digit, 16) >> (n & 3)) & 1) === 1;
  };

  for (const table of document.querySelectorAll("table.coverage")) {
    const rows = [...table.tBodies[0].rows];
    filterBar({
      before: table,
      label: "Filter requirements",
      kinds: kindsOf(rows),
      apply: ({ words, chosen }) => {
        const [asked, kinds] = [words(), chosen()];
        let shown = 0;
        for (const row of rows) {
          const text = asked.length ? row.textContent.toLowerCase() : "";
          const fits = asked.every((word) => text.includes(word)) && (!kinds.length || kinds.includes(row.dataset.is));
          row.hidden = !fits;
          if (fits) shown += 1;
        }
        const filtered = asked.length + kinds.length > 0;
        return { shown, all: rows.length, noun: "requirements", filtered };
      },
    }).refresh();
  }

  const section = byId("cases");
  let cases;
  if (section?.querySelector(".scenario")) {
    const lines = [...section.querySelectorAll("ul.cases > li")];
    const scenarios = [...section.querySelectorAll(".scenario")];
    const names = new Map();
    const nameOf = (line) => {
      if (!names.has(line)) {
        names.set(line, `${line.id} ${line.querySelector(".why")?.textContent ?? ""}`.toLowerCase());
      }
      return names.get(line);
    };
    // What a filter link stands for: a requirement that was decided, or a cell that was exercised.
    const places = { req: null, cell: null };
    const placeOf = (kind, name) => {
      const aim = name && byId(`cases?${kind}=${name}`);
      return aim ? { kind, name, p: aim.dataset.p, at: Number(aim.dataset.at) } : null;
    };
    const isAt = (line, place, set) => (line.dataset.p ?? "0") === place.p && holds(set, place.at);

    cases = filterBar({
      before: scenarios[0],
      label: "Filter cases",
      kinds: kindsOf(lines, (line) => ("known" in line.dataset ? [["known", "≈"]] : [])),
      apply: ({ words, chosen }) => {
        const [asked, kinds] = [words(), chosen()];
        let shown = 0;
        for (const line of lines) {
          const { is, known, r, c } = line.dataset;
          const fits =
            (!kinds.length || kinds.includes(is) || (known !== undefined && kinds.includes("known"))) &&
            (!places.req || isAt(line, places.req, r)) &&
            (!places.cell || isAt(line, places.cell, c)) &&
            (!asked.length || asked.every((word) => nameOf(line).includes(word)));
          if (line.hidden === fits) line.hidden = !fits;
          if (fits) shown += 1;
        }
        for (const scenario of scenarios) scenario.hidden = !scenario.querySelector("ul.cases > li:not([hidden])");
        const filtered = asked.length + kinds.length > 0 || places.req !== null || places.cell !== null;
        return { shown, all: lines.length, noun: "cases", filtered };
      },
    });

    const select = make("select", "");
    select.setAttribute("aria-label", "Requirement that the cases decide");
    select.append(make("option", "any requirement", { value: "" }));
    for (const aim of section.querySelectorAll('.aims > [id^="cases?req="]')) {
      const name = aim.id.slice("cases?req=".length);
      select.append(make("option", name, { value: name }));
    }
    const cell = make("button", "", { type: "button", hidden: true });
    cases.input.after(select, cell);
    const show = () => {
      select.value = places.req?.name ?? "";
      cell.hidden = !places.cell;
      cell.textContent = places.cell ? `cell ${places.cell.name} ×` : "";
      cases.refresh();
    };
    cases.cleared = () => {
      places.req = places.cell = null;
      show();
    };
    select.addEventListener("change", () => {
      places.req = placeOf("req", select.value);
      cases.changed();
    });
    cell.addEventListener("click", () => {
      places.cell = null;
      show();
      cases.changed();
    });
    // The address holds the filter, so that it can be passed on.
    cases.remember = () => {
      const asked = new URLSearchParams();
      if (cases.input.value) asked.set("q", cases.input.value);
      if (cases.chosen().length) asked.set("is", cases.chosen().join(","));
      if (places.req) asked.set("req", places.req.name);
      if (places.cell) asked.set("cell", places.cell.name);
      const hash = asked.size ? `#cases?${asked}` : "#cases";
      try { history.replaceState(null, "", hash); } catch { /* Some viewers forbid it. */ }
    };
    cases.ask = (asked) => {
      cases.set(asked.get("q") ?? "", (asked.get("is") ?? "").split(","));
      places.req = placeOf("req", asked.get("req"));
      places.cell = placeOf("cell", asked.get("cell"));
      show();
    };
    cases.refresh();
  }

  // Where a mark stands in the matrix of scenarios, its cases are.
  document.addEventListener("click", ({ target }) => {
    const mark = target.closest?.("table.by-scenario tbody td");
    if (!mark?.textContent) return;
    const head = mark.closest("table").tHead.rows[0].cells[mark.cellIndex].querySelector("a");
    const scenario = decodeURIComponent(head.hash).replace("#scenario-", "");
    const asked = new URLSearchParams({ q: scenario, req: mark.parentElement.dataset.req });
    location.hash = `cases?${asked}`;
  });

  const reach = () => {
    const hash = location.hash.slice(1);
    if (cases && hash.startsWith("cases?")) {
      cases.ask(new URLSearchParams(hash.slice("cases?".length)));
      section.scrollIntoView();
      return;
    }
    let id = hash;
    try { id = decodeURIComponent(hash); } catch { /* Not encoded: taken as it is. */ }
    const target = id && byId(id);
    if (!target) return;
    if (target.closest("[hidden]")) cases?.ask(new URLSearchParams());
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reach);
  reach();

  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    // The filter of the section that is looked at, else that of the cases.
    const middle = innerHeight / 2;
    const near = [...document.querySelectorAll(".filter input")].find((input) => {
      const box = input.closest("section").getBoundingClientRect();
      return box.top <= middle && box.bottom >= middle;
    });
    const input = near ?? cases?.input;
    if (!input) return;
    event.preventDefault();
    input.focus();
  });

  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
