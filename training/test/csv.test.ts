import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DatasetSpecification, ErrorCode } from "@churn/contract";
import { fails, file, GYM, HEADER, ROWS, read, row } from "./customer-files.ts";

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

  test("reads a name that begins with a quote", async () => {
    const content = `${HEADER.trimEnd()},"""27"\n${ROWS.replaceAll("\n", ",x\n")}`;

    const { rows, extraColumns } = await read(file("gym.csv", content));

    assert.deepEqual([rows, extraColumns], [3, ['"27']]);
  });

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
  ...[`"${HEADER}`, HEADER.replace("left", 'left,"note"x'), HEADER.replace("id", '"i"d')].map(
    (header): (typeof BAD)[number] => [
      `a quote in its header that does not end its cell: ${JSON.stringify(header)}`,
      `${header}${row("yes")}${row("no")}`,
      "CHURN_ERR_FILE_UNREADABLE",
      /gym\.csv: line 1: expected a closing quote at the end of its cell$/,
    ],
  ),
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
