// Tests of the HTML report in a browser: `node --test reports/browser/report.test.mjs`.
//
// They are one program, so that one browser serves them all: starting it costs more than most tests.
// They ask for what a reader needs (roles, names, anchors, what can be seen), not for a layout.

import { after } from "node:test";
import { closeBrowser } from "./browser.mjs";
// Not one after the other with `await`: whenever all known tests are done, `after` has its turn.
import "./quiet.mjs";
import "./looks.mjs";
import "./reading.mjs";
import "./using.mjs";
import "./hostile.mjs";

after(closeBrowser);
