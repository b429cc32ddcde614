import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { SCHEMA_VERSION } from "@churn/contract";
import { openStore } from "../src/store/prediction-store.ts";
import { prediction, testStore } from "./store-conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "churn-store-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const newPath = (): string => join(folder, `${count++}`, "live", "predictions.db");

testStore("SQLite", () => `sqlite:${newPath()}`);

test("a URL that names no store is refused, and not repeated", async () => {
  const password = "s3cret";
  const cases: Readonly<Record<string, RegExp>> = {
    "": /got no scheme/,
    "data/predictions.db": /got no scheme/,
    [`mysql://user:${password}@host/db`]: /got the scheme "mysql"/,
    "sqlite:": /the path of a file/,
    "sqlite::memory:": /the path of a file/,
    "sqlite:data/": /the path of a file/,
    "sqlite:///data.db": /no \/\/ after sqlite:/,
    [`postgres://user:${password}@host:port/db`]: /no URL/,
    [`postgres://user:${password}%zz@host/db`]: /followed by two hexadecimal digits/,
    [`postgresql://user:${password}@host/db?sslmode=maybe`]: /sslmode to be one of disable.*got "maybe"/,
  };
  for (const [url, message] of Object.entries(cases)) {
    await assert.rejects(openStore(url), (error: Error & { code: string }) => {
      assert.equal(error.code, "CHURN_ERR_OPTION_INVALID", url);
      assert.match(error.message, /^PREDICTION_STORE_URL: /);
      assert.match(error.message, message);
      assert(!error.message.includes(password), error.message);
      return true;
    });
  }
});

test("opening a store touches nothing; the first call makes the file and its folders", async () => {
  const path = newPath();
  const store = await openStore(`SQLite:${path}`);
  assert(!existsSync(path));

  await store.migrate();

  assert(existsSync(path));
  await store.close();
});

test("a SQLite store of a later version is refused in one sentence, and is not changed", async () => {
  const path = newPath();
  const store = await openStore(`sqlite:${path}`);
  await store.migrate();
  const database = new DatabaseSync(path);
  database.prepare("INSERT INTO migrations VALUES (?, 'of tomorrow', 0)").run(SCHEMA_VERSION + 1);
  database.close();

  await assert.rejects(store.migrate(), {
    code: "CHURN_ERR_STORE_VERSION",
    message: new RegExp(`expected schema version ${SCHEMA_VERSION} or earlier, got ${SCHEMA_VERSION + 1}`),
  });
  await store.close();
});

test("a place that cannot be written to rejects, and works once it can", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "this is no database, and long enough to be sure of it".repeat(100));
  const store = await openStore(`sqlite:${path}`);
  await assert.rejects(store.migrate(), { code: "CHURN_ERR_STORE_FAILED", message: /not a database/ });
  await assert.rejects(store.append([prediction(1)]), { code: "CHURN_ERR_STORE_FAILED" });

  rmSync(path);
  await store.migrate();
  await store.append([prediction(1)]);

  assert.equal((await store.recent(9)).length, 1);
  await store.close();
});

test("a writer waits for another one's transaction, but not for ever, and works again after it", async () => {
  const path = newPath();
  const store = await openStore(`sqlite:${path}`);
  await store.migrate();
  const database = new DatabaseSync(path);
  database.exec("BEGIN IMMEDIATE");

  const start = performance.now();
  await assert.rejects(store.append([prediction(1)]), {
    code: "CHURN_ERR_STORE_FAILED",
    message: /database is locked/,
  });
  assert(performance.now() - start > 4_000);
  database.exec("COMMIT");
  await store.append([prediction(1)]);

  assert.equal((await store.recent(9)).length, 1);
  database.close();
  await store.close();
});

test("a process that is killed has what it was told is written", { skip: process.platform === "win32" }, async () => {
  const path = newPath();
  const { spawnSync } = await import("node:child_process");
  const code = `
    import { openStore } from ${JSON.stringify(new URL("../src/store/prediction-store.ts", import.meta.url).href)};
    const store = await openStore("sqlite:" + process.argv[1]);
    await store.migrate();
    await store.append([${JSON.stringify(prediction(1))}]);
    process.kill(process.pid, "SIGKILL");`;

  const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code, path]);

  assert.equal(signal, "SIGKILL", String(stderr));
  const store = await openStore(`sqlite:${path}`);
  assert.equal((await store.recent(9)).length, 1);
  await store.close();
});
