import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ChurnError, type DatasetSpecification, type ErrorCode } from "@churn/contract";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { countFindings } from "../src/data/findings.ts";
import { openCustomers } from "../src/data/reader.ts";
import { defaultDataPath, findData, hashData } from "../src/data/source.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "number" },
    trainer: { type: "boolean" },
    plan: { type: "category", nullable: true },
    left: { type: "category" },
  },
};

const HEADER = "id,visits,trainer,plan,left\n";
const ROWS = "a,1,true,day,yes\nb,2.5,false,full,no\nc,,,,no\n";

let folder: string;
let duckdb: DuckDBConnection;
before(async () => {
  duckdb = await (await DuckDBInstance.create()).connect();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-reader-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
after(() => duckdb.closeSync());

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function parquet(name: string, sql: string): Promise<string> {
  const path = join(folder, name);
  await duckdb.run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
  return path;
}

/** Everything a reader gives, with levels for codes. */
interface Customers {
  readonly columns: readonly string[];
  readonly extraColumns: readonly string[];
  readonly rows: number;
  readonly labels: number[];
  readonly keys: (string | null)[];
  readonly truth: number[];
  readonly values: Record<string, (number | string | null)[]>;
  readonly levels: Record<string, readonly string[]>;
  readonly findings: Record<string, number>;
}

async function read(path: string, dataset: DatasetSpecification = GYM, labelled = true): Promise<Customers> {
  const reader = await openCustomers(findData(path), dataset, { labelled });
  try {
    const { columns, extraColumns, rows } = reader;
    const found: Customers = {
      ...{ columns, extraColumns, rows, labels: [], keys: [], truth: [], values: {}, levels: {} },
      findings: {},
    };
    const findings = new Map<string, number>();
    for await (const table of reader.tables()) {
      countFindings(dataset, table, findings);
      found.labels.push(...(table.labels ?? []));
      found.keys.push(...(table.keys ?? []));
      found.truth.push(...(table.truth ?? []));
      for (const [name, column] of table.columns) {
        const isNumeric = column instanceof Float64Array;
        const values = isNumeric ? [...column] : Array.from(column.codes, (code) => column.levels[code] ?? null);
        found.values[name] = [...(found.values[name] ?? []), ...values];
        if (!isNumeric) found.levels[name] = column.levels;
      }
    }
    return { ...found, findings: Object.fromEntries(findings) };
  } finally {
    reader.close();
  }
}

async function fails(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert(error instanceof ChurnError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    assert(!error.message.includes("\n"), "expected one line");
    return true;
  });
}

describe("reading a CSV file", () => {
  test("gives typed columns, labels and keys, in the order of the rows", async () => {
    const customers = await read(file("gym.csv", HEADER + ROWS));

    assert.deepEqual(customers, {
      columns: ["id", "visits", "trainer", "plan", "left"],
      extraColumns: [],
      rows: 3,
      labels: [1, 0, 0],
      keys: ["a", "b", "c"],
      truth: [],
      values: { visits: [1, 2.5, Number.NaN], trainer: [1, 0, Number.NaN], plan: ["day", "full", null] },
      levels: { plan: ["day", "full"] },
      findings: { visits: 1, trainer: 1 },
    });
  });

  const SAME: readonly (readonly [string, string | Uint8Array])[] = [
    ["semicolons", (HEADER + ROWS).replaceAll(",", ";")],
    ["tabs", (HEADER + ROWS).replaceAll(",", "\t")],
    ["bars", (HEADER + ROWS).replaceAll(",", "|")],
    ["Windows line ends", (HEADER + ROWS).replaceAll("\n", "\r\n")],
    ["a byte order mark", `\ufeff${HEADER}${ROWS}`],
    ["a byte order mark before a quote", `\ufeff"id"${HEADER.slice(2)}${ROWS}`],
    ["quotes around every cell", (HEADER + ROWS).replaceAll(/[^,\n]+/g, '"$&"')],
    ["no line end at its end", (HEADER + ROWS).trimEnd()],
    ["blank lines", `${HEADER}\n${ROWS}\n`],
    ["spaces around values", `${HEADER} a , 1, true ,day ,yes\nb,2.5,false,\u00a0full\u3000,no\nc, ,  ,   ,no\n`],
  ];
  for (const [name, content] of SAME) {
    test(`gives the same with ${name}`, async () => {
      assert.deepEqual(await read(file("other.csv", content)), await read(file("gym.csv", HEADER + ROWS)));
    });
  }

  test("reads delimiters, quotes and line ends inside quotes as part of a value", async () => {
    const rows = 'a,1,true,"day, or two",yes\nb,2,true,"the ""full""",no\n"c,\n",3,true,"two\nlines",no\n';

    const { values, keys } = await read(file("gym.csv", HEADER + rows));

    assert.deepEqual(values.plan, ["day, or two", 'the "full"', "two\nlines"]);
    assert.deepEqual(keys, ["a", "b", "c,\n"]);
  });

  test("reads a quoted value that comes late, and a # as any letter", async () => {
    const rows = Array.from({ length: 25_000 }, (_, i) => `#${i},1,true,day,${i % 2 ? "yes" : "no"}`);
    rows[24_000] = '24000,1,true,"late, quoted",yes';

    const customers = await read(file("gym.csv", HEADER + rows.join("\n")));

    assert.equal(customers.rows, 25_000);
    assert.equal(customers.values.plan[24_000], "late, quoted");
    assert.deepEqual(customers.keys.slice(0, 2), ["#0", "#1"]);
  });

  test("takes names and levels with quotes and SQL in them as they are", async () => {
    const name = `a"b'; DROP TABLE customers; --`;
    const dataset = { ...GYM, columns: { [name]: { type: "category" }, left: { type: "category" } } } as const;
    const rows = `k,"x'); --",yes\nl,"say ""hi""",no\nm,constructor,no\n`;

    const { values } = await read(file("it's.csv", `id,"${name.replaceAll('"', '""')}",left\n${rows}`), dataset);

    assert.deepEqual(values[name], [`x'); --`, 'say "hi"', "constructor"]);
  });

  test("takes a name with glob characters as it is", async () => {
    file("gym1.csv", HEADER + ROWS);

    const path = file("gym[1].csv", HEADER + ROWS.replace("a,1", "a,7"));

    assert.equal((await read(path)).values.visits[0], 7);
  });

  for (const [spelling, expected] of [
    ["true,false", [1, 0]],
    ["True,FALSE", [1, 0]],
    ["1,0", [1, 0]],
    ["yes,no", [1, 0]],
  ] as const) {
    test(`reads ${spelling} as booleans`, async () => {
      const [yes, no] = spelling.split(",");

      const { values } = await read(file("gym.csv", `${HEADER}a,1,${yes},day,yes\nb,1,${no},day,no\n`));

      assert.deepEqual(values.trainer, expected);
    });
  }

  for (const [positive, labels] of [
    [1, "1,0,0"],
    [1, "1.0,0,0"],
    [1, "1,left,left"],
    [true, "true,False,False"],
    [true, "1,0,0"],
    ["1", "1,0,0"],
  ] as const) {
    test(`finds the positive label ${JSON.stringify(positive)} among ${labels}`, async () => {
      const rows = labels.split(",").map((label, i) => `${i},1,true,day,${label}\n`);
      const dataset = { ...GYM, target: { column: "left", positive } };

      assert.deepEqual((await read(file("gym.csv", HEADER + rows.join("")), dataset)).labels, [1, 0, 0]);
    });
  }

  for (const [name, header] of [
    ["semicolons in a quoted name", 'id,visits,trainer,plan,"a;b;c;d;e;f;g",left'],
    ["bars in a quoted name that comes first", '"a|b|c|d|e|f|g",id,visits,trainer,plan,left'],
  ] as const) {
    test(`is not misled by ${name}`, async () => {
      const names = header.replaceAll('"', "").split(",");
      const row = names.map(
        (column) => ({ id: "a", visits: "1", trainer: "true", plan: "day", left: "yes" })[column] ?? "-",
      );
      const rows = `${row}\n${row}\n`.replace(/yes\n$/, "no\n");

      const { rows: count, extraColumns } = await read(file("gym.csv", `${header}\n${rows}`));

      assert.deepEqual([count, extraColumns], [2, [names.find((column) => column.startsWith("a"))]]);
    });
  }

  test("reads a line end inside a cell of the header, of another kind than those of the rows", async () => {
    const content = `${HEADER}${ROWS}`.replaceAll("\n", "\r\n").replace("left", '"the\nrest",left');
    const withRest = content.replaceAll(/,(yes|no)\r/g, ",x,$1\r");

    const { rows, extraColumns } = await read(file("gym.csv", withRest));

    assert.deepEqual([rows, extraColumns], [3, ["the\nrest"]]);
  });

  test("gives a column without any value no level", async () => {
    const { values, levels } = await read(file("gym.csv", `${HEADER}a,1,true,,yes\nb,2,true, ,no\n`));

    assert.deepEqual([values.plan, levels.plan], [[null, null], []]);
  });

  test("reports extra columns, also those without a name, and reads true probabilities", async () => {
    const rows = "a,1,true,day,yes,red,,0.25,\nb,2,true,day,no,blue,,,\n";

    const customers = await read(file("gym.csv", `${HEADER.trimEnd()},colour,,churn_truth,\n${rows}`));

    assert.deepEqual(customers.extraColumns, ["colour", ""]);
    assert.deepEqual(customers.truth, [0.25, Number.NaN]);
  });

  test("takes a true probability that is no number for none, and does not look at it without labels", async () => {
    const path = file("gym.csv", `${HEADER.trimEnd()},churn_truth\na,1,true,day,yes,high\nb,1,true,day,no,0.5\n`);

    assert.deepEqual((await read(path)).truth, [Number.NaN, 0.5]);
    assert.deepEqual((await read(path, GYM, false)).truth, []);
  });

  test("counts what a request would be refused or warned for", async () => {
    const dataset: DatasetSpecification = {
      ...GYM,
      columns: {
        ...GYM.columns,
        visits: { type: "integer", minimum: 0, maximum: 40 },
        plan: { type: "category", values: ["day"], nullable: true },
      },
    };
    const rows = [
      "-1,true,day",
      "40.5,true,day",
      "7.5,,guest",
      "41,true,",
      "40,true,guest",
      ",true,day",
      "inf,true,day",
    ];

    const { findings } = await read(
      file("gym.csv", HEADER + rows.map((row, i) => `${i},${row},${i ? "no" : "yes"}\n`).join("")),
      dataset,
    );

    assert.deepEqual(findings, { visits: 6, trainer: 1, plan: 2 });
  });
});

const row = (left: string): string => `a,1,true,day,${left}\n`;

const BAD: readonly (readonly [string, string | Uint8Array, ErrorCode, RegExp])[] = [
  ["an empty file", "", "CHURN_ERR_DATA_INSUFFICIENT", /gym\.csv: expected a header line, got an empty file$/],
  ["a header only", HEADER, "CHURN_ERR_DATA_INSUFFICIENT", /gym\.csv: expected customers, got no rows$/],
  ["a blank first line", `\n${HEADER}${ROWS}`, "CHURN_ERR_DATA_INVALID", /expected a column "visits", got ""/],
  [
    "a column that comes twice",
    `id,visits,trainer,plan,left,visits\na,1,true,day,yes,2\n`,
    "CHURN_ERR_DATA_INVALID",
    /gym\.csv: expected each column once, in upper or lower case, got "visits" more than once$/,
  ],
  [
    "two columns that differ in case only",
    `id,VISITS,visits,trainer,plan,left\na,1,2,true,day,yes\nb,1,2,true,day,no\n`,
    "CHURN_ERR_DATA_INVALID",
    /expected each column once, in upper or lower case, got "visits" more than once/,
  ],
  [
    "a missing column",
    "id,visits,trainer,left\na,1,true,yes\nb,1,true,no\n",
    "CHURN_ERR_DATA_INVALID",
    /gym\.csv: expected a column "plan", got "id", "visits", "trainer", "left"$/,
  ],
  [
    "a missing target",
    "id,visits,trainer,plan\na,1,true,day\n",
    "CHURN_ERR_DATA_INVALID",
    /expected a column "left", got "id", "visits", "trainer", "plan"$/,
  ],
  [
    "text in a number column",
    `${HEADER}${row("yes")}b,many,true,day,no\nc,2,true,day,no\nd,lots,true,day,no\n`,
    "CHURN_ERR_DATA_INVALID",
    /gym\.csv: column "visits", row 2: expected a number, got "many" \(and 1 more\)$/,
  ],
  [
    "a decimal comma",
    `id;visits;trainer;plan;left\na;1,5;true;day;yes\nb;1;true;day;no\n`,
    "CHURN_ERR_DATA_INVALID",
    /column "visits", row 1: expected a number, got "1,5"$/,
  ],
  [
    "text in a boolean column",
    `${HEADER}${row("yes")}b,1,maybe,day,no\n`,
    "CHURN_ERR_DATA_INVALID",
    /column "trainer", row 2: expected true or false, got "maybe"$/,
  ],
  [
    "one class",
    HEADER + row("no").repeat(3),
    "CHURN_ERR_DATA_INSUFFICIENT",
    /column "left": expected two classes, got only "no"/,
  ],
  [
    "three labels",
    HEADER + ["yes", "no", "maybe"].map(row).join(""),
    "CHURN_ERR_DATA_INVALID",
    /column "left": expected two labels, got "maybe", "no", "yes"$/,
  ],
  [
    "blank labels",
    HEADER + ["yes", "no", "", " "].map(row).join(""),
    "CHURN_ERR_DATA_INVALID",
    /column "left": expected a label in every row, got 2 without one$/,
  ],
  [
    "labels without the positive one",
    HEADER + ["Yes", "No"].map(row).join(""),
    "CHURN_ERR_DATA_INVALID",
    /column "left": expected "yes" to be one of the labels, got "No", "Yes"$/,
  ],
  [
    "a row with a cell too few",
    `${HEADER}${row("yes")}b,1,true,no\n`,
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: line 3: expected 5 cells, as in the header, got 4$/,
  ],
  [
    "a row with a cell too many",
    `${HEADER}${row("yes")}b,1,true,day,no,7\n`,
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: line 3: expected 5 cells, as in the header, got 6$/,
  ],
  [
    "a quote that never closes in its header",
    `"${HEADER}${row("yes")}${row("no")}`,
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: line 1: expected a closing quote$/,
  ],
  [
    "a byte order mark before a level that there is without",
    `${HEADER}${row("yes")}b,1,true,\ufeffday,no\n`,
    "CHURN_ERR_DATA_INVALID",
    /gym\.csv: column "plan": expected text, got a value that begins with a byte order mark$/,
  ],
  [
    "a zero byte in a category",
    `${HEADER}${row("yes")}b,1,true,"da\0y",no\n`,
    "CHURN_ERR_DATA_INVALID",
    /gym\.csv: column "plan": expected text, got a value that holds a zero byte$/,
  ],
  [
    "a quote that never closes",
    `${HEADER}${row("yes")}b,1,true,"day,no\n`,
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: line 3: expected a closing quote$/,
  ],
  [
    "Latin-1 in its rows",
    Buffer.from(`${HEADER}${row("yes")}b,1,true,caf\u00e9,no\n`, "latin1"),
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: (line 3: )?expected text in UTF-8, got other bytes: save the file as UTF-8$/,
  ],
  [
    "Latin-1 in its header",
    Buffer.from(`pr\u00e9nom,${HEADER}x,${row("yes")}`, "latin1"),
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: expected text in UTF-8/,
  ],
  [
    "UTF-16",
    Buffer.from(`\ufeff${HEADER}${ROWS}`, "utf16le"),
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: expected text in UTF-8/,
  ],
  [
    "two kinds of line end",
    `${HEADER}${row("yes").replace("\n", "\r\n")}${row("no")}`,
    "CHURN_ERR_FILE_UNREADABLE",
    /gym\.csv: not readable as csv: expected one kind of line end/,
  ],
];

describe("a CSV file is refused, in one line, with", () => {
  for (const [name, content, code, message] of BAD) {
    test(name, () => fails(read(file("gym.csv", content)), code, message));
  }
});

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
    const [first] = ["gym.csv", "scores.csv"].map((name) => file(name, HEADER));
    assert.throws(
      () => defaultDataPath(dataset, "gym"),
      /expected one data file beside it, got gym\.csv, scores\.csv: name one/,
    );
    rmSync(join(folder, "scores.csv"));
    assert.equal(defaultDataPath(dataset, "gym"), first);
  });

  test("refuses a link to nothing", () => {
    symlinkSync(join(folder, "gone.csv"), join(folder, "link.csv"));

    for (const path of [folder, join(folder, "*.csv")]) {
      assert.throws(() => findData(path), /link\.csv: expected a file or folder that can be read: ENOENT/);
    }
  });

  test("gives the same hash for the same bytes, and another for others", async () => {
    const first = await hashData(findData(file("1.csv", HEADER)));

    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await hashData(findData(file("2.csv", HEADER))), first);
    assert.notEqual(await hashData(findData(join(folder, "*.csv"))), first);
    assert.notEqual(await hashData(findData(file("3.csv", ROWS))), first);
  });
});
