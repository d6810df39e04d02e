// One Chromium for all tests, and pages in it that are watched.
//
// Not responsible for what a page should look like. Invariant: whatever a page says on its console,
// fetches, tries to fetch, or pops up is remembered, and `visit` fails with it.

import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "./packages.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The browser: `CHROMIUM`, or the first on the PATH. */
function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not here.
      }
    }
  }
  throw new Error("no Chromium on the PATH: install one, or name it in CHROMIUM");
}

let running;

/** The browser, started when first asked for, with an empty profile folder that it removes itself. */
export function browser() {
  running ??= chromium.launch({
    executablePath: executable(),
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return running;
}

export async function closeBrowser() {
  await (await running)?.close();
}

/** Remembers everything that a report must never do. */
function watch(page) {
  const faults = [];
  page.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  page.on("crash", () => faults.push("the page crashed"));
  page.on("popup", (popup) => faults.push(`a window opened: ${popup.url()}`));
  page.on("download", (download) => faults.push(`a download began: ${download.url()}`));
  page.on("dialog", async (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    const self = request.isNavigationRequest() && url.startsWith("file://");
    if (!self && !url.startsWith("data:")) faults.push(`a request: ${url}`);
  });
  return faults;
}

/**
 * Opens a report and hands its page on. Fails when the page was not quiet meanwhile.
 *
 * `hash` is appended as it is. `settings` are those of a browser context: `viewport`, `colorScheme`,
 * `javaScriptEnabled`.
 */
export async function visit(report, { hash = "", ...settings }, use) {
  const context = await (await browser()).newContext({
    viewport: { width: 1280, height: 900 },
    ...settings,
  });
  // A test that waits this long has failed. The machine may be slow, so it is generous.
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const faults = watch(page);
  // The policy forbids what it refuses silently, too.
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  try {
    await page.goto(report.url + hash);
    const result = await use(page);
    // What was said last is on its way until the page answers again.
    await page.evaluate(() => document.readyState);
    assert.deepEqual(faults, [], `${report.name} is quiet`);
    return result;
  } finally {
    await context.close();
  }
}
