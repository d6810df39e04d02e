// The reports that the tests open: made by the programs of this repository, in a folder that is gone
// when the tests are.
//
// Not responsible for building the programs. Invariant: every report comes out of the real renderer.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const built = join(resolve(root, process.env.CARGO_TARGET_DIR ?? "target"), "debug");
const STATELINE = process.env.STATELINE ?? join(built, "stateline");
const folder = mkdtempSync(join(tmpdir(), "stateline-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function start(program, args, { input, exit = 0 } = {}) {
  const done = spawnSync(program, args, { cwd: root, input, maxBuffer: 1 << 28 });
  if (done.status === null) {
    throw new Error(`${program} cannot be started; \`cargo test --workspace\` builds it`, {
      cause: done.error,
    });
  }
  assert.equal(done.status, exit, `${program} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

function report(name, html, record) {
  const path = join(folder, `${name}.html`);
  writeFileSync(path, html);
  return { name, path, url: pathToFileURL(path).href, record };
}

/** A report of a real run. */
function run(name, args, exit) {
  const out = join(folder, name);
  mkdirSync(out);
  start(STATELINE, ["run", "--quiet", "--out", out, ...args], { exit });
  const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
  return report(name, readFileSync(join(out, "report.html")), record);
}

const example = (name) => join(built, "examples", name);

/** A report over any record. */
export const render = (name, record) =>
  report(name, start(example("render"), [], { input: JSON.stringify(record) }), record);

const once = (make) => {
  let made;
  return () => (made ??= make());
};

/** All cases, and all went well. */
export const whole = once(() => run("whole", [], 0));

/** The same with fewer cases. */
export const green = once(() => run("green", ["login/refused*", "logout/connected"], 0));

/** Findings of several kinds, warnings, and choices. */
export const found = once(() =>
  run(
    "found",
    [
      "--client",
      "builtin:early-reconnecting,refusal-wrong-reason,abort-wrong-reason,swapped-codes",
      "login/refused[code=invalid-token]",
      "network-drop/reported[kind=reset*",
      "network-drop/short-cut[kind=reset*",
      "remote-login/connected",
      "remote-login/reconnecting",
    ],
    1,
  ),
);

/** A record with every verdict, made up. */
export const mixed = once(() =>
  render("mixed", JSON.parse(start(example("sample"), ["json"]).toString())),
);

/** The kinds of reports. */
export const reports = [
  ["all green", green],
  ["with findings", found],
  ["every verdict", mixed],
];

/** The cases that ran: those that a report lists. */
export const ran = (record) => record.cases.filter((one) => one.not_applicable === null);

/** The anchor of a case, which is a promise. */
export const anchor = (one) =>
  `case-${one.id}${one.repeat === 0 ? "" : `~${one.repeat + 1}`}`;
