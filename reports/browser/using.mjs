// A report in use: its filter, links into it, and the keyboard.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./browser.mjs";
import { lightness } from "./probes.mjs";
import { anchor, mixed, ran, whole } from "./records.mjs";

const BRACKETS = "agora-rtm-1x/network-drop/around-presence[kind=reset,served-again=before]";

/** The filter of the cases; a report has others. */
const filter = (page) => page.getByRole("search", { name: /cases/i });
const filterBox = (page) => filter(page).getByRole("searchbox");

/** The cases that the page shows, by their anchors. */
const shown = (page, { record }) =>
  page.evaluate(
    (anchors) => anchors.filter((id) => document.getElementById(id).checkVisibility()),
    ran(record).map(anchor),
  );

/** The anchors of the cases that are to be shown. */
const expected = ({ record }, which) => ran(record).filter(which).map(anchor);

/** The button that asks for the cases of one verdict. */
const verdictButton = (page, verdict) =>
  filter(page).getByRole("button", { name: new RegExp(`\\b${verdict}\\b`) });

test("the filter leaves the cases that match, and says how many", async () => {
  const report = whole();
  await visit(report, {}, async (page) => {
    const box = filterBox(page);
    const all = await shown(page, report);
    assert.equal(all.length, report.record.cases.length);
    const cases = [
      ["flapping", (one) => one.id.includes("flapping")],
      ["NETWORK-drop short kind=BLIP", (one) => /network-drop\/short.*kind=blip/.test(one.id)],
      [BRACKETS, (one) => one.id === BRACKETS],
      ["no such case", () => false],
    ];
    for (const [words, which] of cases) {
      await box.fill(words);
      const left = expected(report, which);
      assert.deepEqual(await shown(page, report), left, words);
      const said = await filter(page).getByRole("status").textContent();
      assert.match(said, new RegExp(`\\b${left.length}\\b`), words);
    }
    await box.blur();
    await box.scrollIntoViewIfNeeded();
    await page.keyboard.press("/");
    assert.ok(await box.evaluate((at) => at === document.activeElement), "/ leads to it");
    await page.keyboard.press("Escape");
    assert.equal(await box.inputValue(), "", "Escape clears it");
    assert.deepEqual(await shown(page, report), all);
  });
});

test("verdicts can be chosen, by the keyboard as well, together with words", async () => {
  const report = mixed();
  const verdicts = [...new Set(ran(report.record).map((one) => one.verdict))];
  assert.equal(verdicts.length, 4, "the record has every verdict");
  await visit(report, {}, async (page) => {
    const all = await shown(page, report);
    for (const verdict of verdicts) {
      const button = verdictButton(page, verdict);
      await button.focus();
      await page.keyboard.press("Space");
      assert.equal(await button.getAttribute("aria-pressed"), "true");
      const left = expected(report, (one) => one.verdict === verdict);
      assert.deepEqual(await shown(page, report), left, verdict);
      await page.keyboard.press("Enter");
      assert.equal(await button.getAttribute("aria-pressed"), "false");
      assert.deepEqual(await shown(page, report), all, `not only ${verdict}`);
    }
    await verdictButton(page, "FAIL").click();
    await filterBox(page).fill("kind=reset");
    const left = expected(report, (one) => one.verdict === "FAIL" && one.id.includes("kind=reset"));
    assert.ok(left.length > 0);
    assert.deepEqual(await shown(page, report), left, "words and a verdict");
  });
});

test("the address keeps the filter, and leads back to it", async () => {
  const report = mixed();
  const words = "around-presence[kind=reset,";
  const address = await visit(report, {}, async (page) => {
    await filterBox(page).fill(words);
    await verdictButton(page, "FAIL").click();
    return page.url();
  });
  assert.notEqual(address, report.url, "the address tells of the filter");
  await visit({ ...report, url: address }, {}, async (page) => {
    assert.equal(await filterBox(page).inputValue(), words);
    const left = expected(report, (one) => one.verdict === "FAIL" && one.id.includes(words));
    assert.deepEqual(await shown(page, report), left);
  });
});

/** Where an element is: in sight, uncovered, and what sets it off. */
const standing = (page, id) =>
  page.evaluate((id) => {
    const at = document.getElementById(id);
    const box = at.getBoundingClientRect();
    const [x, y] = [Math.max(box.left, 0) + 4, box.top + Math.min(box.height, 40) / 2];
    const { outlineStyle, outlineColor, backgroundColor, boxShadow } = getComputedStyle(at);
    return {
      seen: at.checkVisibility() && at.contains(document.elementFromPoint(x, y)),
      look: [outlineStyle, outlineColor, backgroundColor, boxShadow].join(),
    };
  }, id);

test("a link to a case leads to it and marks it, whatever is in its id", async () => {
  const report = mixed();
  const id = ran(report.record).map(anchor).find((id) => /\[.*=.*,.*=.*\]/.test(id));
  const plain = await visit(report, {}, (page) => standing(page, id));
  assert.equal(plain.seen, false, "it is further down");
  const spellings = [`#${id}`, `#${encodeURIComponent(id)}`];
  for (const hash of spellings) {
    await visit(report, { hash }, async (page) => {
      const { seen, look } = await standing(page, id);
      assert.ok(seen, `${hash} is in sight`);
      assert.notEqual(look, plain.look, `${hash} is marked`);
    });
  }
  await visit(report, { hash: `#${id}`, javaScriptEnabled: false }, async (page) => {
    assert.ok((await standing(page, id)).seen, "the browser alone finds it, too");
  });
});

test("a link to what is folded away or filtered out brings it back", async () => {
  const report = mixed();
  const inside = await visit(report, {}, (page) =>
    page.evaluate(() => {
      const folded = document.querySelectorAll("details:not([open]) [id]");
      return [...folded].map((at) => at.id);
    }),
  );
  assert.ok(inside.length > 0, "something with an anchor is folded away");
  const id = inside[0];
  await visit(report, { hash: `#${encodeURIComponent(id)}` }, async (page) => {
    assert.ok((await standing(page, id)).seen, `${id}, when the page is opened`);
  });
  await visit(report, {}, async (page) => {
    await filterBox(page).fill("no such case");
    for (const to of [inside.at(-1), anchor(ran(report.record)[0])]) {
      await page.evaluate((to) => {
        location.hash = `#${encodeURIComponent(to)}`;
      }, to);
      await page.waitForFunction((to) => document.getElementById(to).checkVisibility(), to);
      assert.ok((await standing(page, to)).seen, `${to}, when the address changes`);
    }
  });
});

/** Goes through the page with Tab, and tells what had the focus. */
async function tabThrough(page) {
  const handle = await page.evaluateHandle(() => {
    window.reached = [];
    return window.reached;
  });
  const most = await page.evaluate(() => document.querySelectorAll("*").length);
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press("Tab");
    const over = await page.evaluate((reached) => {
      const at = document.activeElement;
      if (at === document.body || reached.some((one) => one.at === at)) return true;
      const style = getComputedStyle(at);
      const boxes = [...at.getClientRects()].filter((box) => box.width > 0);
      // In sight is what can be hit somewhere.
      const isHit = (box) => {
        const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
        const x = Math.min(Math.max(box.left, 0) + 2, innerWidth - 1);
        return [0.1, 0.3, 0.5, 0.7, 0.9].some((part) => {
          const hit = document.elementFromPoint(x, top + part * (bottom - top));
          return hit && (at.contains(hit) || at.parentElement === hit);
        });
      };
      reached.push({
        at,
        name: `${at.localName} ${(at.getAttribute("aria-label") ?? at.textContent).trim().slice(0, 40)}`,
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
        inSight: boxes.some(isHit),
      });
      return false;
    }, handle);
    if (over) break;
  }
  return handle;
}

test("Tab reaches everything that can be used, in order, in sight, and outlined", async () => {
  for (const width of [1280, 400]) {
    await visit(mixed(), { viewport: { width, height: 800 } }, async (page) => {
      const handle = await tabThrough(page);
      const seen = await page.evaluate((reached) => {
        // 4 says that a node follows.
        const usable = 'a[href], button, input, select, summary, [tabindex="0"]';
        return {
          names: reached.map((one) => one.name),
          missed: [...document.querySelectorAll(usable)]
            .filter((at) => at.checkVisibility() && !reached.some((one) => one.at === at))
            .map((at) => at.outerHTML.slice(0, 80)),
          scrollers: [...document.querySelectorAll("main *")]
            .filter((at) => /auto|scroll/.test(getComputedStyle(at).overflowX) && at.checkVisibility())
            .filter((at) => at.scrollWidth > at.clientWidth)
            .filter((at) => !reached.some((one) => at.contains(one.at)))
            .map((at) => at.outerHTML.slice(0, 80)),
          disorder: reached
            .slice(1)
            .filter((one, n) => !(reached[n].at.compareDocumentPosition(one.at) & 4))
            .map((one) => one.name),
          plain: reached.filter((one) => !one.outlined).map((one) => one.name),
          hidden: reached.filter((one) => !one.inSight).map((one) => one.name),
        };
      }, handle);
      assert.match(seen.names[0], /skip/i, "the skip link comes first");
      assert.deepEqual({ ...seen, names: [] }, {
        names: [], missed: [], scrollers: [], disorder: [], plain: [], hidden: [],
      }, `${width} wide, ${seen.names.length} stops`);
      assert.ok(seen.names.some((name) => /filter/i.test(name)), "the filter is among them");
    });
  }
});

test("the skip link leads past the head of the page", async () => {
  await visit(mixed(), {}, async (page) => {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest("main") !== null));
  });
});

test("Enter and Space fold and unfold", async () => {
  await visit(mixed(), {}, async (page) => {
    const summary = page.locator("summary").first();
    const isOpen = () => summary.evaluate((at) => at.parentElement.open);
    const before = await isOpen();
    await summary.focus();
    await page.keyboard.press("Enter");
    assert.equal(await isOpen(), !before, "Enter");
    await page.keyboard.press("Space");
    assert.equal(await isOpen(), before, "Space");
  });
});

test("the theme can be chosen with the keyboard, against the system's", async () => {
  await visit(mixed(), {}, async (page) => {
    const isDark = async () => (await page.evaluate(lightness)).ground < 0.5;
    await page.getByRole("button", { name: /theme/i }).focus();
    for (const [key, colorScheme] of [["Enter", "light"], ["Space", "dark"]]) {
      await page.emulateMedia({ colorScheme });
      const before = await isDark();
      assert.equal(before, colorScheme === "dark", "as the system has it");
      const seen = new Set();
      for (let n = 0; n < 3; n += 1) {
        await page.keyboard.press(key);
        seen.add(await isDark());
      }
      assert.ok(seen.has(!before), `${key}: the other theme`);
      assert.equal(await isDark(), before, `${key}: and back`);
    }
  });
});
