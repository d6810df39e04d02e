// A report without JavaScript: everything can be read, and nothing is shown that would not work.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./browser.mjs";
import { REPEATED, addresses, dangling, unseen } from "./probes.mjs";
import { anchor, found, ran, reports } from "./records.mjs";

const still = { javaScriptEnabled: false };

for (const [name, report] of reports) {
  test(`${name}: without scripts everything can be read`, async () => {
    await visit(report(), still, async (page) => {
      assert.deepEqual(await page.evaluate(unseen, { folded: true, except: REPEATED }), []);
      assert.deepEqual(await page.evaluate(addresses), [], "nothing leads out");
      assert.deepEqual(await page.evaluate(dangling), [], "every link leads somewhere");

      const dead = page.locator(
        "button, input, select, textarea, output, form, [role=button], [role=tab], [contenteditable]",
      );
      assert.equal(await dead.filter({ visible: true }).count(), 0, "nothing to press that does nothing");

      const sections = page.locator("main > section");
      assert.ok((await sections.count()) >= 5, "the page has its sections");
      for (const section of await sections.all()) {
        const heading = section.getByRole("heading", { level: 2 });
        assert.ok(await heading.first().isVisible(), await section.getAttribute("id"));
      }

      const ids = await page.evaluate(() => [...document.querySelectorAll("[id]")].map((at) => at.id));
      assert.equal(new Set(ids).size, ids.length, "no anchor twice");
      const missing = ran(report().record).map(anchor).filter((id) => !ids.includes(id));
      assert.deepEqual(missing, [], "every case has its anchor");
    });
  });
}

test("without scripts a finding has its requirement, what was expected and observed, and its command", async () => {
  const { record } = found();
  const worst = record.cases.flatMap((one) => one.findings).filter((one) => !one.consequent);
  const broken = [...new Set(worst.map((one) => one.requirement))];
  assert.ok(broken.length >= 3, "the run breaks several requirements");
  await visit(found(), still, async (page) => {
    const texts = await page.locator('[id^="finding-"]:not([id$="-title"])').allTextContents();
    for (const requirement of broken) {
      const { text } = record.profiles[0].requirements.find((one) => one.id === requirement);
      const told = worst
        .filter((one) => one.requirement === requirement)
        .map(({ expected, observed }) => [text, expected, observed, "stateline run '", "--seed 0"])
        .some((parts) => texts.some((text) => parts.every((part) => text.includes(part))));
      assert.ok(told, `${requirement} is told in full`);
    }
  });
});

test("without scripts a fold can be opened", async () => {
  await visit(found(), still, async (page) => {
    const fold = page.locator("details:not([open])").first();
    const content = fold.locator(":scope > :not(summary)").first();
    assert.equal(await content.isVisible(), false);
    await fold.evaluate((at) => at.setAttribute("data-first", ""));
    await page.locator("[data-first] > summary").click();
    assert.equal(await page.locator("[data-first] > :not(summary)").first().isVisible(), true);
  });
});
