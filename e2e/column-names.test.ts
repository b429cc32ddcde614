/**
 * A column is described once, as data. Whoever writes its name into the code has found a reader that is
 * missing; so no name of a column, of any data set, occurs in the code of the three packages.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Names that are words of the code, too; each with what it means there. */
const ALSO_WORDS_OF_THE_CODE: Readonly<Record<string, string>> = {
  churn: "what the project is about, and its command",
  Churn: "the same, at the head of a title",
  contract: "the package that both planes share",
  observed_at: "a column of the prediction store's own tables",
  name: "what anything is called: a column, a feature, an error",
};

/** The generator's world: the one place that speaks of its customers. */
const GENERATOR = /^training\/src\/customers\//;

/** Column and derived feature → the specifications that have it. */
function columnNames(): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const file of globSync("datasets/*/dataset.json", { cwd: ROOT })) {
    const { key, time, target, columns, features } = JSON.parse(readFileSync(join(ROOT, file), "utf8"));
    const all = [key, time, target.column, ...Object.keys(columns), ...Object.keys(features ?? {})];
    for (const name of new Set(all.filter((one) => one !== undefined))) {
      names.set(name, [...(names.get(name) ?? []), file]);
    }
  }
  return names;
}

/** File → the identifiers and words in it, comments and texts included. */
function wordsOfTheCode(): Map<string, Set<string>> {
  const files = globSync("{contract,training,serving}/src/**/*.{ts,js,html,css}", { cwd: ROOT });
  return new Map(
    files
      .filter((file) => !GENERATOR.test(file))
      .map((file) => [file, new Set(readFileSync(join(ROOT, file), "utf8").match(/[\p{L}\p{N}_$]+/gu))]),
  );
}

test("no column name of any data set occurs in the code", () => {
  const names = columnNames();
  const code = wordsOfTheCode();

  assert(names.size > 40 && code.size > 40, "expected data sets and code");
  for (const [name, specifications] of names) {
    if (Object.hasOwn(ALSO_WORDS_OF_THE_CODE, name)) continue;
    const places = [...code].filter(([, words]) => words.has(name)).map(([file]) => file);
    assert.deepEqual(places, [], `"${name}" is a column of ${specifications}: read it from the specification`);
  }
});

test("every exception is a column name that the code does use as a word of its own", () => {
  const names = columnNames();
  const words = new Set([...wordsOfTheCode().values()].flatMap((set) => [...set]));

  for (const name of Object.keys(ALSO_WORDS_OF_THE_CODE)) {
    assert(names.has(name) && words.has(name), `"${name}" is no exception any more: remove it`);
  }
});
