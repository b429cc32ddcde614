import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ChurnError } from "@churn/contract";
import { defaultDataPath, findData, hashData } from "../src/data/source.ts";
import { file, folder, HEADER, ROWS, read } from "./customer-files.ts";

describe("finding data", () => {
  for (const [name, path] of [
    ["a missing file", "none.csv"],
    ["a glob that matches nothing", "*.csv"],
    ["an empty folder", "."],
  ] as const) {
    test(`refuses ${name}, and says what would do`, () => {
      assert.throws(
        () => findData(join(folder, path)),
        (error) => {
          assert(error instanceof ChurnError);
          assert.equal(error.code, "CHURN_ERR_FILE_MISSING");
          assert.match(error.message, /: found nothing: expected a CSV or Parquet file, a folder or a glob of them/);
          return true;
        },
      );
    });
  }

  test("refuses a file of another kind", () => {
    assert.throws(() => findData(file("gym.xlsx", "x")), /gym\.xlsx: expected files that end in \.csv or in \.parquet/);
  });

  test("knows a format in any case", () => {
    assert.equal(findData(file("GYM.CSV", HEADER)).format, "csv");
    assert.equal(findData(folder).format, "csv");
  });

  test("takes a name that begins like a home as it is", async () => {
    const cwd = process.cwd();
    process.chdir(folder);
    try {
      file("~gym.csv", HEADER + ROWS);
      assert.equal((await read("~gym.csv")).rows, 3);
    } finally {
      process.chdir(cwd);
    }
  });

  test("asks which of several files beside a specification is meant", () => {
    const dataset = file("dataset.json", "{}");
    assert.equal(defaultDataPath(dataset, "gym"), join("data", "raw", "gym.parquet"));
    const [first, second] = ["gym.csv", "scores.CSV"].map((name) => file(name, HEADER));
    assert.throws(
      () => defaultDataPath(dataset, "gym"),
      /expected one data file beside it, got gym\.csv, scores\.CSV: name one/,
    );
    rmSync(first);
    assert.equal(defaultDataPath(dataset, "gym"), second);
  });

  test("refuses a link to nothing", () => {
    symlinkSync(join(folder, "gone.csv"), join(folder, "link.csv"));

    for (const path of [folder, join(folder, "*.csv")]) {
      assert.throws(() => findData(path), /link\.csv: expected a file or folder that can be read: ENOENT/);
    }
  });

  test("refuses a pipe, whose bytes are there only once", () => {
    const pipe = join(folder, "pipe.csv");
    execFileSync("mkfifo", [pipe]);

    assert.throws(() => findData(pipe), /pipe\.csv: expected a regular file, got a pipe or a device/);
  });

  test("says which file cannot be read for its hash", async () => {
    const source = findData(file("gone.csv", HEADER));
    rmSync(source.files[0]);

    await assert.rejects(hashData(source), /gone\.csv: cannot be read: ENOENT/);
  });

  test("gives the same hash for the same bytes, and another for others", async () => {
    const first = await hashData(findData(file("1.csv", HEADER)));

    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await hashData(findData(file("2.csv", HEADER))), first);
    assert.notEqual(await hashData(findData(join(folder, "*.csv"))), first);
    assert.notEqual(await hashData(findData(file("3.csv", ROWS))), first);
  });
});
