import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ChurnError, type DatasetSpecification } from "@churn/contract";
import { openCustomers, UNKNOWN_LABEL } from "../src/data/reader.ts";
import { findData } from "../src/data/source.ts";
import { duckdb, fails, file, folder, GYM, HEADER, parquet, ROWS, read, row } from "./customer-files.ts";

describe("reading without labels", () => {
  test("takes nullable columns, the target and the key that are not there as missing", async () => {
    const { values, labels, keys } = await read(file("gym.csv", "visits,trainer\n1,true\n2,false\n"), GYM, false);

    assert.deepEqual(values, { visits: [1, 2], trainer: [1, 0], plan: [null, null] });
    assert.deepEqual([labels, keys], [[], []]);
  });

  test("takes a nullable number that is not there as missing", async () => {
    const dataset: DatasetSpecification = {
      ...GYM,
      columns: { visits: { type: "number", nullable: true }, plan: { type: "category" } },
    };

    assert.deepEqual((await read(file("gym.csv", "plan\nday\nfull\n"), dataset, false)).values, {
      visits: [Number.NaN, Number.NaN],
      plan: ["day", "full"],
    });
  });

  test("needs the columns that are not nullable", () =>
    fails(
      read(file("gym.csv", "id,visits\na,1\n"), GYM, false),
      "CHURN_ERR_DATA_INVALID",
      /expected a column "trainer", got "id", "visits"$/,
    ));
});

describe("reading labels of which some are not known yet", () => {
  test("tells them from the others, in CSV and Parquet", async () => {
    const csv = file("gym.csv", HEADER + row("yes") + row("") + row("no") + row("  "));
    const stored = await parquet("gym.parquet", `SELECT * FROM read_csv('${csv}', all_varchar = true)`);

    for (const path of [csv, stored]) {
      assert.deepEqual((await read(path, GYM, "partly")).labels, [1, UNKNOWN_LABEL, 0, UNKNOWN_LABEL]);
    }
  });

  test("needs the target, but not the columns that are nullable", async () => {
    await fails(
      read(file("gym.csv", "id,visits,trainer\na,1,true\n"), GYM, "partly"),
      "CHURN_ERR_DATA_INVALID",
      /expected a column "left", got "id", "visits", "trainer"$/,
    );
    const path = file("gym.csv", "visits,trainer,left\n1,true,yes\n1,true,no\n");
    assert.deepEqual((await read(path, GYM, "partly")).values.plan, [null, null]);
  });

  test("needs two classes among those that are known", () =>
    fails(
      read(file("gym.csv", HEADER + row("yes") + row("")), GYM, "partly"),
      "CHURN_ERR_DATA_INSUFFICIENT",
      /column "left": expected two classes, got only "yes"$/,
    ));
});

describe("reading Parquet", () => {
  const TYPES: readonly (readonly [string, string, string])[] = [
    ["integers", "i::TINYINT", "i = 1"],
    ["decimals", "i::DECIMAL(8, 2)", "i = 1"],
    ["float32 numbers", "i::FLOAT", "(i = 1)::INTEGER"],
    ["64-bit integers", "i::BIGINT", "(i = 1)::VARCHAR"],
    ["texts", "i::VARCHAR", "(i = 1)::VARCHAR"],
  ];
  for (const [name, visits, trainer] of TYPES) {
    test(`gives the same from ${name}`, async () => {
      const path = await parquet(
        "gym.parquet",
        `SELECT i AS id, ${visits} AS visits, ${trainer} AS trainer,
           CAST(['day', 'full'][i % 2 + 1] AS ENUM ('full', 'day')) AS plan, CASE i WHEN 1 THEN 'yes' ELSE 'no' END AS left
         FROM range(3) t(i)`,
      );

      const { values, labels, keys } = await read(path);

      assert.deepEqual(values, { visits: [0, 1, 2], trainer: [0, 1, 0], plan: ["day", "full", "day"] });
      assert.deepEqual(
        [labels, keys],
        [
          [0, 1, 0],
          ["0", "1", "2"],
        ],
      );
    });
  }

  test("gives whole-number keys the same text from doubles as from integers", async () => {
    const keysOf = async (sql: string) => {
      const columns = "i AS visits, true AS trainer, 'day' AS plan, CASE i WHEN 1 THEN 'yes' ELSE 'no' END AS left";
      return (await read(await parquet("gym.parquet", `SELECT ${sql} AS id, ${columns} FROM range(3) t(i)`))).keys;
    };

    for (const type of ["DOUBLE", "FLOAT", "DECIMAL(12, 2)", "HUGEINT", "UINTEGER"]) {
      assert.deepEqual(await keysOf(`(i + 1000000)::${type}`), ["1000000", "1000001", "1000002"], type);
    }
    assert.deepEqual(await keysOf("[-7::DOUBLE, 1.5, NULL][i + 1]"), ["-7", "1.5", null]);
  });

  test("keeps every bit of a double", async () => {
    const path = await parquet(
      "gym.parquet",
      `SELECT random() * 10 ** (i % 40 - 20) AS visits, true AS trainer, 'day' AS plan,
         CASE i WHEN 1 THEN 'yes' ELSE 'no' END AS left FROM range(500) t(i)`,
    );
    const expected = await duckdb.runAndReadAll(`SELECT visits FROM '${path}'`);

    assert.deepEqual((await read(path)).values.visits, expected.getRows().flat());
  });

  test("finds a boolean label, and takes NULL and NaN as missing", async () => {
    const path = await parquet(
      "gym.parquet",
      "SELECT ['NaN'::DOUBLE, NULL, 3][i + 1] AS visits, NULL::BOOLEAN AS trainer, NULL AS plan, i = 1 AS left FROM range(3) t(i)",
    );

    const { values, labels } = await read(path, { ...GYM, target: { column: "left", positive: true } });

    assert.deepEqual(values, {
      visits: [Number.NaN, Number.NaN, 3],
      trainer: [Number.NaN, Number.NaN, Number.NaN],
      plan: [null, null, null],
    });
    assert.deepEqual(labels, [0, 1, 0]);
  });

  test("refuses a list for a number", async () => {
    const path = await parquet("gym.parquet", "SELECT [1] AS visits, true AS trainer, 'day' AS plan, 'no' AS left");

    await fails(read(path), "CHURN_ERR_DATA_INVALID", /column "visits", row 1: expected a number, got "\[1\]"$/);
  });

  test("refuses a file without rows", async () => {
    const path = await parquet("gym.parquet", "SELECT 1 AS visits, true AS trainer, 'x' AS plan, 'no' AS left LIMIT 0");

    await fails(read(path), "CHURN_ERR_DATA_INSUFFICIENT", /gym\.parquet: expected customers, got no rows$/);
  });

  for (const content of ["", "PAR1", HEADER + ROWS.repeat(20)]) {
    test(`refuses a file of ${content.length} bytes that is something else inside`, () =>
      fails(
        read(file("gym.parquet", content)),
        "CHURN_ERR_FILE_UNREADABLE",
        /gym\.parquet: not readable as parquet: Invalid Input Error: /,
      ));
  }
});

describe("several files", () => {
  const second = "left,plan,id,visits,trainer\nno,guest,z,9,true\n";

  for (const [name, pattern] of [
    ["a folder", "."],
    ["a glob", "*.csv"],
    ["a glob of folders", "**/*.csv"],
  ] as const) {
    test(`${name} of them is read in the order of names, columns in any order`, async () => {
      file("2.csv", second);
      file("1.csv", HEADER + ROWS);

      const customers = await read(join(folder, pattern));

      assert.deepEqual(customers.keys, ["a", "b", "c", "z"]);
      assert.deepEqual(customers.values.plan, ["day", "full", null, "guest"]);
      assert.deepEqual(customers.labels, [1, 0, 0, 0]);
    });
  }

  test("may each have a delimiter and extra columns of their own", async () => {
    file("1.csv", HEADER + ROWS);
    file("2.csv", second.replaceAll(",", ";").replace("trainer", "trainer;colour").replace("true", "true;red"));

    const { rows, extraColumns } = await read(folder);

    assert.deepEqual([rows, extraColumns], [4, ["colour"]]);
  });

  for (const format of ["csv", "parquet"] as const) {
    test(`of ${format} keep their own cells in folders that are called like columns`, async () => {
      const path = join(folder, "visits=5", "id=x", `gym.${format}`);
      file(`visits=5/id=x/gym.csv`, HEADER + ROWS);
      if (format === "parquet") {
        await parquet(
          "visits=5/id=x/gym.parquet",
          `SELECT * FROM read_csv('${path.replace("parquet", "csv")}', hive_partitioning = false, all_varchar = true)`,
        );
      }

      const { keys, values } = await read(path);

      assert.deepEqual(
        [keys, values.visits],
        [
          ["a", "b", "c"],
          [1, 2.5, Number.NaN],
        ],
      );
    });
  }

  test("name the file and its row of a value that is no number", async () => {
    file("1.csv", HEADER + ROWS);
    file("2.csv", `${HEADER}z,9,true,day,no\ny,nine,true,day,no\nx,ten,true,day,no\n`);

    await fails(
      read(folder),
      "CHURN_ERR_DATA_INVALID",
      /2\.csv: column "visits", row 2: expected a number, got "nine" \(and 1 more\)$/,
    );
  });

  test("give a customer the same key, whatever type each stores it in", async () => {
    const columns = "1 AS visits, true AS trainer, 'day' AS plan";
    await parquet("1.parquet", `SELECT 7::DOUBLE AS id, ${columns}, 'yes' AS left`);
    await parquet("2.parquet", `SELECT '7' AS id, ${columns}, 'no' AS left`);

    assert.deepEqual((await read(folder)).keys, ["7", "7"]);
  });

  test("tell which columns one of them lacks", async () => {
    file("1.csv", HEADER + ROWS);
    file("2.csv", "left,id,visits,trainer\nno,z,9,true\n");

    const reader = await openCustomers(findData(folder), GYM, { labelled: false });
    reader.close();

    assert.deepEqual(reader.missingColumns, ["plan"]);
  });

  test("are each counted once when a folder is called like a file", async () => {
    file("part.csv/1.csv", HEADER + ROWS);

    assert.equal((await read(folder)).rows, 3);
  });

  test("of Parquet are read together, whatever their types", async () => {
    await parquet("1.parquet", "SELECT 1 AS id, 1.5 AS visits, true AS trainer, 'day' AS plan, 'yes' AS left");
    await parquet("2.parquet", "SELECT 'no' AS left, NULL AS plan, 1 AS trainer, 2 AS visits, 'b' AS id");

    const { keys, values, labels } = await read(folder);

    assert.deepEqual(
      [keys, values.visits, labels],
      [
        ["1", "b"],
        [1.5, 2],
        [1, 0],
      ],
    );
  });

  const SECONDS: readonly (readonly [string, string, RegExp])[] = [
    ["lacks a column", "id,visits,plan,left\nz,9,day,no\n", /2\.csv: expected a column "trainer", got "id", "visits"/],
    [
      "spells a column in another case",
      `${HEADER.replace("visits", "Visits")}${row("no")}`,
      /2\.csv: expected the column "visits" as in another file, got "Visits"/,
    ],
    ["has a column twice", `visits,${HEADER}1,${row("no")}`, /2\.csv: expected each column once/],
    ["is empty", "", /2\.csv: expected a header line, got an empty file/],
    ["has a row cut short", `${HEADER}z,9\n`, /2\.csv: line 2: expected 5 cells, as in the header, got 2/],
  ];
  for (const [name, content, message] of SECONDS) {
    test(`are refused when the second one ${name}, naming it`, async () => {
      file("1.csv", HEADER + ROWS);
      file("2.csv", content);

      await assert.rejects(read(folder), (error) => error instanceof ChurnError && message.test(error.message));
    });
  }

  test("of both formats are refused", () => {
    file("1.csv", HEADER);
    file("2.parquet", "");

    assert.throws(
      () => findData(folder),
      /expected files that end in \.csv or in \.parquet, of one kind, got \.csv, \.parquet/,
    );
  });
});
