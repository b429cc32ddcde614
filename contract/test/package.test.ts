/** The restraint, as an assertion: what both planes carry stays small and pure. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOM = new URL("../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", ROOM), "utf8"));

const DEPENDENCIES = ["acorn", "ajv"];
const BUILT_INS = ["node:crypto", "node:fs", "node:path"];

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;

/** Every module that a source file names → the files that name it. */
function importedModules(): Map<string, string[]> {
  const imports = new Map<string, string[]>();
  for (const file of globSync("src/**/*.ts", { cwd: fileURLToPath(ROOM) })) {
    for (const [, name] of readFileSync(new URL(file, ROOM), "utf8").matchAll(IMPORT)) {
      imports.set(name, [...(imports.get(name) ?? []), file]);
    }
  }
  return imports;
}

test("the contract depends on exactly these packages, in exact versions", () => {
  assert.deepEqual(Object.keys(manifest.dependencies).sort(), DEPENDENCIES);
  for (const version of Object.values(manifest.dependencies)) assert.match(version as string, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(
    [manifest.peerDependencies, manifest.optionalDependencies, manifest.scripts],
    Array(3).fill(undefined),
  );
});

test("the contract's source imports its own files, its dependencies, and built-ins that are pure or read files", () => {
  const allowed = new Set([...DEPENDENCIES, ...BUILT_INS]);

  const imports = importedModules();

  assert(imports.size > 10, "expected to find imports");
  for (const [name, files] of imports) {
    const isOwn = /^\.\/[a-z-]+\.ts$/.test(name) || name === "../dataset.schema.json";
    assert(isOwn || allowed.has(name), `${files}: imports "${name}"`);
  }
});

test("every dependency is used, and in one file", () => {
  const imports = importedModules();

  assert.deepEqual(imports.get("acorn"), ["src/syntax.ts"]);
  assert.deepEqual(imports.get("ajv")?.sort(), ["src/dataset.ts", "src/schema-issues.ts"]);
});

test("nothing in the contract reads the clock, the environment or chance, or logs", () => {
  for (const file of globSync("src/**/*.ts", { cwd: fileURLToPath(ROOM) })) {
    const source = readFileSync(new URL(file, ROOM), "utf8");
    assert.doesNotMatch(source, /Math\.random|Date\.now|new Date\(|process\.env|process\.argv|console\./, file);
  }
});
