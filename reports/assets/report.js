// Filters, folds, copies, and lets the reader choose the theme. Everything can be read without it.
"use strict";
(() => {
  const make = (name, text, properties = {}) =>
    Object.assign(document.createElement(name), { textContent: text, ...properties });

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

  for (const command of document.querySelectorAll(".command")) {
    if (!navigator.clipboard) break;
    const button = make("button", "Copy", { type: "button" });
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(command.querySelector("code").textContent).then(
        () => { button.textContent = "Copied"; },
        () => { button.textContent = "Not allowed"; },
      );
    });
    command.append(button);
  }

  const table = document.querySelector(".cases");
  let show = () => {};
  if (table) {
    const bodies = [...table.tBodies].map((body) => ({
      body,
      head: body.querySelector(".scenario")?.textContent.toLowerCase() ?? "",
      rows: [...body.querySelectorAll("tr:not(.scenario)")].map((row) => ({ row, text: row.textContent.toLowerCase() })),
    }));
    const kinds = new Map();
    for (const { rows } of bodies) {
      for (const { row } of rows) kinds.set(row.dataset.is, (kinds.get(row.dataset.is) ?? 0) + 1);
    }
    const input = make("input", "", { type: "search", placeholder: "Filter cases: words of the id or the reason" });
    input.setAttribute("aria-label", "Filter cases");
    const select = make("select", "");
    select.setAttribute("aria-label", "Verdict");
    select.append(make("option", "every verdict", { value: "" }));
    for (const [kind, n] of kinds) select.append(make("option", `${kind} (${n})`, { value: kind }));
    const said = make("output", "");
    said.setAttribute("aria-live", "polite");
    const filter = make("div", "", { className: "filter" });
    filter.append(input, select, said);
    table.parentElement.before(filter);

    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const { body, head, rows } of bodies) {
        let some = false;
        for (const { row, text } of rows) {
          const whole = head + text;
          row.hidden = !(words.every((word) => whole.includes(word)) && (!select.value || row.dataset.is === select.value));
          if (!row.hidden) { some = true; n += 1; }
        }
        body.hidden = !some;
      }
      said.textContent = words.length || select.value ? `${n} shown` : "";
    };
    input.addEventListener("input", apply);
    select.addEventListener("change", apply);
    show = (row) => {
      if (row.hidden || row.closest("tbody[hidden]")) {
        input.value = "";
        select.value = "";
        apply();
      }
    };
  }

  const reach = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* Not encoded: taken as it is. */ }
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    show(target);
    target.scrollIntoView();
  };
  addEventListener("hashchange", reach);
  reach();

  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
})();
