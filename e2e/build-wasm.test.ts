/** The promise of the committed binaries: each is what its source compiles to. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const COMPILER = join(ROOT, "node_modules/assemblyscript/bin/asc.js");

const folder = mkdtempSync(join(tmpdir(), "churn-wasm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
for (const command of (scripts["build:wasm"] as string).split(" && ")) {
  const [compiler, source, option, config] = command.split(" ");
  test(`${source} compiles to the committed binary`, () => {
    assert.deepEqual([compiler, option], ["asc", "--config"]);
    const { outFile } = JSON.parse(readFileSync(join(ROOT, config), "utf8")).options;
    const out = join(folder, "module.wasm");

    const args = [COMPILER, source, option, config, "--outFile", out];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT });

    assert.equal(status, 0, String(stderr));
    const committed = readFileSync(resolve(ROOT, config, "..", outFile));
    assert(readFileSync(out).equals(committed), "run npm run build:wasm, and commit what it writes");
  });
}
