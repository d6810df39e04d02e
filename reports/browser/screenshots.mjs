// Takes pictures of a report, to look at: `node reports/browser/screenshots.mjs REPORT.html FOLDER`.
//
// Light and dark, 400, 1280 and 2560 wide; the whole page, and each section alone. Not responsible for
// judging them.

import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { closeBrowser, visit } from "./browser.mjs";

const [path, folder] = process.argv.slice(2);
if (!path || !folder) {
  console.error("usage: node screenshots.mjs REPORT.html FOLDER");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

// No picture can be higher than this.
const HIGHEST = 16_000;
const report = { name: basename(path), url: pathToFileURL(resolve(path)).href };

for (const colorScheme of ["light", "dark"]) {
  for (const width of [400, 1280, 2560]) {
    const viewport = { width, height: 1000 };
    await visit(report, { viewport, colorScheme }, async (page) => {
      const take = async (name, box) => {
        const clip = { ...box, height: Math.min(box.height, HIGHEST) };
        const cut = clip.height < box.height ? `, cut at ${HIGHEST} px` : "";
        const file = `${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: join(folder, file), clip, fullPage: true });
        console.log(`${file}${cut}`);
      };
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await take("page", { x: 0, y: 0, width, height });
      for (const section of await page.locator("main > section").all()) {
        const box = await section.boundingBox();
        if (box?.height > 0) await take(await section.getAttribute("id"), { ...box, x: 0, width });
      }
    });
  }
}
await closeBrowser();
