// Where the packages of the browser tests are: in `target/browser`, so that nothing is installed into
// the source tree. `.ci/test` puts them there. Not responsible for installing them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../target/browser/", import.meta.url));

export const { chromium } = require("playwright-core");

/** The source of axe-core, to be evaluated in a page. */
export const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
