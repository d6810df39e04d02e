// Records full of hostile text: whatever a client, its stderr or somebody's profile says stays text.
//
// A hostile record is compared with a tame one, so that any element or attribute that a text has made
// shows as a difference.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { visit } from "./browser.mjs";
import { addresses, clipped, shape, sideways } from "./probes.mjs";
import { found, mixed, render } from "./records.mjs";

const NARROW = { viewport: { width: 400, height: 800 } };
const PWN = "window.pwned=true";
const MARKUP = [
  `</script></style></title></textarea></svg></table></details><script>${PWN}</script>`,
  `<img src=x onerror=${PWN}><svg onload=${PWN}><iframe srcdoc="<script>parent.${PWN}</script>">`,
  `<a href="javascript:${PWN}">x</a><base href="https://example.invalid/"><meta http-equiv=refresh content="0;url=/">`,
  `javascript:${PWN}`,
  `" onmouseover="${PWN}" autofocus onfocus="${PWN}" x="`,
  `' onmouseover='${PWN}' style='display:none' x='`,
  "]]>--><!--<![CDATA[ &lt;b&gt; &#60;b&#62; {{ 7*7 }} {% raw %} ${7*7} `x`",
].join(" ");
const RTL = "اختبار שלום";
const UNSEEN = "\u202egnitcennocer\u202c \u2066\u2069\u200e\u200f\u061c \u0000\u001b[2J\u0007\u2028\ufeff";
const REORDERS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/;

/** As many characters, without those that have a meaning in markup. */
const tame = (text) => text.replace(/[<>&"'`]/g, "x");

/** Keys of what a client says, and of what is said about it in its words. */
const SAID = new Set([
  ...["name", "version", "spec", "lacks", "notes", "stderr", "reason", "not_applicable"],
  ...["expected", "observed", "choice", "data"],
]);

/** Keys of names and texts that come from a profile. */
const AUTHORED = new Set([
  ...["id", "title", "text", "section", "product", "platform", "updated", "variant", "untestable"],
  ...["profile", "requirement", "requirements", "row", "rows", "state", "states", "stimulus"],
  ...["client", "cases", "filters"],
]);

/** Words of the format that have the name of a text elsewhere. */
const WORDS = new Set(["kind"]);

/** A copy with `change` applied to the texts under `keys`, but for the words of the format. */
function changed(value, keys, change, key = "", picked = false) {
  const here = picked || keys.has(key);
  if (typeof value === "string") return here && !WORDS.has(key) ? change(value) : value;
  if (Array.isArray(value)) return value.map((one) => changed(one, keys, change, key, here));
  if (value === null || typeof value !== "object") return value;
  // What stands under a picked name is picked one by one, unless it is what a client said.
  const within = key === "data" || key === "untestable";
  return Object.fromEntries(
    Object.entries(value).map(([key, value]) => [key, changed(value, keys, change, key, within)]),
  );
}

/** What a client can bring into a record: its contract stays as it is. */
const said = ({ profiles, coverage, ...record }, change) => ({
  ...changed(record, SAID, change),
  profiles,
  coverage,
});

const everything = (record, change) => changed(record, new Set([...SAID, ...AUTHORED]), change);

/** Opens a report and looks for what got out of its text; returns the page's shape. */
async function survive(report) {
  return visit(report, NARROW, async (page) => {
    // What waits for the mouse or the keyboard is woken up.
    await page.evaluate(() => {
      for (const at of document.querySelectorAll("main *")) {
        at.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
        at.dispatchEvent(new FocusEvent("focus"));
      }
    });
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.deepEqual(await page.evaluate(addresses), []);
    return page.evaluate(shape);
  });
}

for (const [name, report, put] of [
  ["every verdict: markup in what a client says", mixed, said],
  ["every verdict: markup in any text", mixed, everything],
  ["with findings: markup in what a client says", found, said],
]) {
  test(`${name} stays text`, async () => {
    const hostile = put(report().record, (text) => text + MARKUP);
    const plain = put(report().record, (text) => text + tame(MARKUP));
    assert.ok(JSON.stringify(hostile).length > JSON.stringify(report().record).length + 10_000);
    assert.deepEqual(await survive(render("hostile", hostile)), await survive(render("plain", plain)));
  });
}

for (const [name, report] of [["every verdict", mixed], ["with findings", found]]) {
  test(`${name}: long words and unseen characters of a client change nothing around them`, async () => {
    const change = (text) => `${RTL} ${text}${"W".repeat(500)}${UNSEEN} ${RTL}`;
    await visit(render("long", said(report().record, change)), NARROW, async (page) => {
      assert.doesNotMatch(await page.content(), REORDERS);
      assert.deepEqual(await page.evaluate(sideways), { extra: 0, out: [] });
      assert.deepEqual(await page.evaluate(clipped, { scrolled: false }), []);
    });
  });
}

/** Puts a text into one place of each kind that a client can reach. */
function flood(record, text) {
  const one = structuredClone(record);
  const { client, wall } = one.run;
  const failed = one.cases.find((one) => one.findings.length > 0 && one.trace.length > 0);
  const [finding] = failed.findings;
  const places = [
    [client, "name"],
    [client, "version"],
    [wall.notes, 0],
    [one.cases.find((one) => one.verdict === "ERROR"), "reason"],
    [one.cases.find((one) => one.not_applicable !== null), "not_applicable"],
    [one.cases.find((one) => one.wall.stderr !== "").wall, "stderr"],
    [finding, "expected"],
    [finding, "observed"],
    [one.cases.find((one) => one.warnings.length > 0).warnings[0], "observed"],
    [one.cases.find((one) => one.choices.length > 0).choices[0], "choice"],
    [failed.trace.find((event) => event.n === finding.trace[0]).data, "raw"],
  ];
  for (const [at, key] of places) at[key] = `${at[key] ?? ""} ${text}`;
  return one;
}

test("a megabyte in each place is cut short, and stays text", async () => {
  const { record, path } = mixed();
  const megabyte = MARKUP + "<b>W</b>".repeat(131_072);
  const report = render("flood", flood(record, megabyte));
  const grown = statSync(report.path).size - statSync(path).size;
  assert.ok(grown < 200_000, `the page grew by ${grown} bytes`);
  const shapes = [await survive(report), await survive(render("short", flood(record, tame(megabyte))))];
  assert.deepEqual(...shapes);
});
