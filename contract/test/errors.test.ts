import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_CODES } from "../src/index.ts";

test("docs/errors.md explains each code, in the words of the source, and no other", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

  const rows = [...page.matchAll(/^\| `(CHURN_ERR_\w+)` \| (.+?) \|/gm)].map(([, code, meaning]) => [code, meaning]);

  assert.deepEqual(Object.fromEntries(rows), ERROR_CODES);
  assert.equal(rows.length, Object.keys(ERROR_CODES).length);
});
