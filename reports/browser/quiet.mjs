// A report is quiet: nothing on the console, nothing fetched, and its policy would not let it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, visit } from "./browser.mjs";
import { addresses, dangling } from "./probes.mjs";
import { mixed, whole } from "./records.mjs";

test("with its scripts, a report of all cases leads nowhere but into itself", async () => {
  await visit(whole(), {}, async (page) => {
    assert.deepEqual(await page.evaluate(addresses), []);
    assert.deepEqual(await page.evaluate(dangling), []);
    assert.match(await page.title(), /\S/);
  });
});

test("the policy refuses a picture, a request, a script and a style that somebody got in", async () => {
  const context = await (await browser()).newContext();
  const page = await context.newPage();
  await page.goto(mixed().url);
  // The browser tells of a request before the policy stops it, and then why it failed.
  const ends = [];
  page.on("requestfinished", (request) => ends.push(`${request.url()} was fetched`));
  page.on("requestfailed", (request) => ends.push(request.failure().errorText));
  const refused = await page.evaluate(async () => {
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      refused.push(event.effectiveDirective),
    );
    const answered = (element) =>
      new Promise((done) => {
        element.onerror = element.onload = done;
        document.body.append(element);
      });
    await answered(Object.assign(new Image(), { src: "https://example.invalid/x.png" }));
    await fetch("https://example.invalid/").catch(() => {});
    const script = document.createElement("script");
    script.textContent = "window.pwned = true";
    document.body.append(script);
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(style);
    document.body.setAttribute("onclick", "window.pwned = true");
    document.body.click();
    // Violations are told in a task of their own.
    await new Promise((done) => setTimeout(done));
    return { refused, pwned: window.pwned, shown: getComputedStyle(document.body).display };
  });
  assert.equal(refused.pwned, undefined);
  assert.equal(refused.shown, "block");
  for (const directive of ["img-src", "connect-src", "script-src-elem", "style-src-elem", "script-src-attr"]) {
    assert.ok(refused.refused.includes(directive), `${directive}: ${refused.refused}`);
  }
  assert.deepEqual([...new Set(ends)], ["csp"]);
  await context.close();
});
