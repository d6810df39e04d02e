// How a report looks: accessible, dark when asked, as wide as its window, whole on paper.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./browser.mjs";
import { AXE } from "./packages.mjs";
import { REPEATED, clipped, lightness, openAll, sideways, unseen } from "./probes.mjs";
import { mixed, reports } from "./records.mjs";

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 800 };

/** What is of use on a screen only. */
const CONTROLS = "nav, form, search, [role=search], .filter, .skip, button, input, select, output";

const COLOURS = ["color-contrast", "link-in-text-block"];

/**
 * What axe-core finds wrong with a page. In a real run, rows of a table from the sixth on are left
 * out: they are like those before, and the record with every verdict is looked at as a whole.
 */
async function violations(page, report, options) {
  const exclude = report === mixed() ? [] : [["tbody > tr:nth-child(n + 6)"]];
  const found = await page.evaluate(
    async ([exclude, options]) => {
      const settings = { resultTypes: ["violations"], preload: false, ...options };
      return (await axe.run({ include: [["html"]], exclude }, settings)).violations;
    },
    [exclude, options],
  );
  return found.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((node) => node.html.slice(0, 120)) }));
}

for (const [name, make] of reports) {
  for (const viewport of [WIDE, NARROW]) {
    test(`${name}: axe finds nothing, ${viewport.width} wide`, async () => {
      const report = make();
      await visit(report, { viewport }, async (page) => {
        await page.evaluate(AXE);
        await page.evaluate(openAll, true);
        // Colours take most of the time, and depend on the width only where something hides.
        const colours = viewport === WIDE || report === mixed();
        const rules = { "color-contrast": { enabled: colours } };
        assert.deepEqual(await violations(page, report, { rules }), [], "light");
        if (!colours) return;
        // Nothing else depends on the scheme.
        await page.emulateMedia({ colorScheme: "dark" });
        assert.deepEqual(await violations(page, report, { runOnly: COLOURS }), [], "dark");
      });
    });
  }

  test(`${name}: nothing sticks out, from 320 to 3840 wide`, async () => {
    await visit(make(), {}, async (page) => {
      for (const width of [320, 400, 768, 1280, 3840]) {
        await page.setViewportSize({ width, height: 900 });
        for (const open of [false, true]) {
          await page.evaluate(openAll, open);
          const at = `${width} wide, folds ${open ? "open" : "closed"}`;
          assert.deepEqual(await page.evaluate(sideways), { extra: 0, out: [] }, at);
          assert.deepEqual(await page.evaluate(clipped, { scrolled: false }), [], at);
        }
      }
    });
  });

  test(`${name}: paper shows everything`, async () => {
    // A4 less its margins, in the pixels of print.
    const paper = { width: 718, height: 1000 };
    await visit(make(), { viewport: paper }, async (page) => {
      await page.emulateMedia({ media: "print" });
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      assert.equal(await page.locator("details:not([open])").count(), 0, "every fold is open");
      assert.deepEqual(await page.evaluate(clipped, { scrolled: true }), []);
      const except = `${CONTROLS}, ${REPEATED}`;
      const hidden = await page.evaluate(unseen, { folded: false, except });
      assert.deepEqual(hidden, [], "everything is on it");
      const controls = page.locator(CONTROLS).filter({ visible: true });
      assert.equal(await controls.count(), 0, "what nobody can use on paper is not on it");
      // Content up to twice as wide as the paper is made smaller; beyond, it would be cut off.
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 2 * paper.width, `${wide} px wide`);
    });
  });
}

test("a report is dark where its reader wants that, and light where not", async () => {
  await visit(mixed(), {}, async (page) => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const { ground, text } = await page.evaluate(lightness);
      const [low, high] = colorScheme === "dark" ? [ground, text] : [text, ground];
      assert.ok(low < 0.2 && high > 0.8, `${colorScheme}: ground ${ground}, text ${text}`);
    }
  });
});

test("printed, a report has all its pages", async () => {
  await visit(mixed(), {}, async (page) => {
    const pdf = await page.pdf({ format: "A4" });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    assert.equal(await page.locator("details:not([open])").count(), 0, "every fold was opened");
  });
});
