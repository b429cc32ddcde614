import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BinCounter } from "../src/drift/bin-counter.ts";
import { checkLevel, detectableDistance } from "../src/drift/budget.ts";
import { judgeWindow, measureWindow } from "../src/drift/check.ts";
import type { CategoryReference, ColumnReference, NumberReference } from "../src/drift/column-reference.ts";
import { type FaultKind, findFault, findRowFaults } from "../src/drift/data-quality.ts";
import { classifyDomain } from "../src/drift/domain-classifier.ts";
import { DRIFT_TESTS, type DriftTest } from "../src/drift/drift-tests.ts";
import { effectSizes } from "../src/drift/effect-sizes.ts";
import { columnHarm, DEFAULT_FLOORS } from "../src/drift/harm.ts";
import { Quantiser } from "../src/drift/quantiser.ts";
import { type DriftReference, describeColumns, describeScores, takeSample } from "../src/drift/reference.ts";
import type { DriftWindow, WindowColumn } from "../src/drift/window.ts";
import { Random } from "../src/random.ts";
import { binomialUpperTail } from "../src/statistics/binomial.ts";

/** Column → values; of a category places in its levels. */
type Values = ReadonlyMap<string, Float32Array>;

const LEVELS: Readonly<Record<string, readonly string[]>> = { plan: ["Basic", "Premium", "Family", "Student"] };

/** Standard normal, by Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

type Column = (random: Random, row: number) => number;

/** Customers whose charge follows their usage; some have no income. */
const WORLD: Readonly<Record<string, Column>> = {
  usage: (random) => 40 + 10 * normal(random),
  tickets: (random) => Math.floor(-Math.log(1 - random.uniform()) * 1.4),
  income: (random) => (random.uniform() < 0.05 ? Number.NaN : Math.exp(8 + 0.5 * normal(random))),
  plan: (random) => [0, 0, 0, 1, 1, 2][random.integer(6)],
};

function customers(rows: number, seed: number, changes: Readonly<Record<string, Column>> = {}): Values {
  return new Map(
    Object.entries({ ...WORLD, ...changes }).map(([name, column], i) => {
      const random = new Random(seed, i);
      return [name, Float32Array.from({ length: rows }, (_, row) => column(random, row))];
    }),
  );
}

function countColumn(
  reference: ColumnReference,
  values: Float32Array,
  unseen = new Map<string, number>(),
): WindowColumn {
  const present = values.filter((value) => !Number.isNaN(value));
  const rest = { unseen, outOfRange: 0 };
  if (reference.kind === "number") {
    const { counts, missing } = countNumbers(reference, values);
    return { counts, missing, values: present.sort(), ...rest };
  }
  const counts = new Uint32Array(reference.counts.length);
  for (const code of present) counts[code] += 1;
  return { counts, missing: values.length - present.length, values: new Float32Array(), ...rest };
}

function countNumbers({ cuts }: NumberReference, values: Float32Array): BinCounter {
  const counter = new BinCounter(cuts);
  counter.add(values);
  return counter;
}

/** A model that looks at usage only: P(churn) falls with it. */
const scoresOf = (values: Values): Float64Array =>
  Float64Array.from(values.get("usage") as Float32Array, (usage) => 1 / (1 + Math.exp((usage - 30) / 10)));

const THRESHOLD = 0.3;

function referenceOf(values: Values): DriftReference {
  const columns = describeColumns(values, LEVELS, 256);
  const scores = scoresOf(values);
  const curves = [...columns].map(([name, column]): [string, Float32Array] => {
    const bins = column.counts.length + 1;
    const usage = column.kind === "number" ? [...column.cuts, column.cuts[column.cuts.length - 1], 40] : [];
    const score = scoresOf(new Map([["usage", Float32Array.from(usage)]]));
    return [name, name === "usage" ? Float32Array.from(score) : new Float32Array(bins)];
  });
  const rows = Uint32Array.from({ length: 3000 }, (_, row) => row);
  return {
    columns,
    curves: new Map(curves),
    scores: describeScores(scores, THRESHOLD, 256),
    sample: takeSample(columns, values, scores, new Uint8Array(scores.length), rows),
    calibration: undefined,
  };
}

function windowOf(reference: DriftReference, values: Values): DriftWindow {
  const scores = scoresOf(values);
  const columns = [...reference.columns].map(([name, column]): [string, WindowColumn] => {
    return [name, countColumn(column, values.get(name) as Float32Array)];
  });
  const sample = [...reference.columns].map(([name, column]): [string, Uint8Array] => {
    return [name, new Quantiser(column).quantise(values.get(name) as Float32Array)];
  });
  return { rows: scores.length, columns: new Map(columns), scores, sample: new Map(sample) };
}

const REFERENCE = referenceOf(customers(50_000, 1));
const SETTINGS = { threshold: THRESHOLD, isNullable: (name: string) => name === "income", seed: 5 };

function check(values: Values, level = 0.01) {
  return judgeWindow(measureWindow(REFERENCE, windowOf(REFERENCE, values), SETTINGS), {
    level,
    floors: DEFAULT_FLOORS,
  });
}

describe("every test of the table", () => {
  /** The column that each is tried on, and a change that it must see. */
  const CASES: Readonly<Record<DriftTest["name"], { readonly column: string; readonly change: Column }>> = {
    kolmogorov_smirnov: { column: "usage", change: (random) => 43 + 10 * normal(random) },
    chi_square: { column: "plan", change: (random) => [0, 1, 1, 1, 2, 2][random.integer(6)] },
    missing_rate: { column: "income", change: (random) => (random.uniform() < 0.1 ? Number.NaN : 3000) },
    unseen_levels: { column: "plan", change: (random) => (random.uniform() < 0.02 ? LEVELS.plan.length : 0) },
  };
  for (const { name, isFor, run, source, statistic } of DRIFT_TESTS) {
    describe(name, () => {
      const { column, change } = CASES[name];
      const reference = REFERENCE.columns.get(column) as ColumnReference;
      const of = (values: Values) => run(reference, countColumn(reference, values.get(column) as Float32Array));

      test("says what it is, and is for its column", () => {
        assert.ok(isFor(reference, SETTINGS.isNullable(column)));
        assert.ok(source.length > 10 && statistic.length > 10);
      });

      test("finds the same in the same rows, whatever their order", () => {
        const values = customers(2000, 2).get(column) as Float32Array;
        const found = run(reference, countColumn(reference, values));
        assert.deepEqual(run(reference, countColumn(reference, values.slice().reverse())), found);
        assert.ok(found !== undefined && found.pValue >= 0 && found.pValue <= 1);
      });

      test("finds something in samples without a change no more often than it says", () => {
        const [samples, level] = [400, 0.05];
        let found = 0;
        for (let sample = 0; sample < samples; sample++) {
          found += +((of(customers(500, 100 + sample))?.pValue ?? 1) <= level);
        }
        assert.ok(binomialUpperTail(found, samples, level) > 1e-3, `${found} of ${samples} at ${level}`);
      });

      test("sees a change", () => {
        const outcome = of(customers(2000, 3, { [column]: change }));
        assert.ok(outcome !== undefined && outcome.pValue < 1e-6, JSON.stringify(outcome));
      });

      test("is not made with too few rows", () => {
        assert.equal(of(customers(150, 4)), undefined);
      });
    });
  }

  test("how many there are depends on the reference alone", () => {
    const empty = [...WORLD_NAMES].map((name): [string, Float32Array] => [
      name,
      new Float32Array(300).fill(Number.NaN),
    ]);
    assert.equal(check(new Map(empty)).tests, check(customers(3000, 6)).tests);
  });
});

const WORLD_NAMES = Object.keys(WORLD);

describe("the verdict", () => {
  test("is ok for customers as they were, with what could have gone unseen", () => {
    const { verdict, reasons, faults, detectableDistance: least } = check(customers(5000, 7));
    assert.deepEqual([verdict, reasons, faults], ["ok", [], []]);
    assert.ok(least > 0.025 && least < 0.04, `${least}`);
  });

  test("is drift when what the model looks at has shifted, and says by how much it matters", () => {
    const { verdict, reasons, columns } = check(customers(3000, 8, { usage: (random) => 35 + 10 * normal(random) }));
    assert.equal(verdict, "drift");
    assert.equal(columns[0].column, "usage");
    assert.equal(columns[0].tier, "alarm");
    assert.match(reasons[0], /^usage has shifted, which moves a customer's probability by 0\.\d{3} on average$/);
    assert.ok(reasons.some((reason) => /above the threshold/.test(reason)));
  });

  test("is ok when what it does not look at has shifted, which is told apart", () => {
    const { verdict, columns } = check(customers(3000, 9, { tickets: (random) => random.integer(9) }));
    const tickets = columns.find(({ column }) => column === "tickets");
    assert.deepEqual([verdict, tickets?.tier, tickets?.harm.size], ["ok", "shifted", 0]);
  });

  test("is that there is too little for one, however odd it is", () => {
    assert.equal(check(customers(199, 10, { usage: () => 5 + 0 })).verdict, "dataQuality"); // a constant speaks for itself
    assert.equal(check(customers(40, 10, { usage: (random) => 5 + normal(random) })).verdict, "notEnoughData");
    assert.equal(check(customers(1, 10)).verdict, "notEnoughData");
  });

  test("is data quality before it is drift, and the column is in no other finding", () => {
    const { verdict, reasons, columns } = check(
      customers(3000, 11, { usage: (random) => 60 * (40 + 10 * normal(random)) }),
    );
    assert.equal(verdict, "dataQuality");
    assert.match(reasons[0], /^usage: values are 60 times those of the training data/);
    assert.ok(columns.every(({ column }) => column !== "usage"));
  });

  test("has a note for what would be chance in one of twenty", () => {
    const tiers = Array.from({ length: 30 }, (_, i) =>
      check(customers(1000, 200 + i)).columns.map(({ tier }) => tier),
    ).flat();
    assert.ok(tiers.includes("note") && !tiers.includes("alarm"));
  });
});

describe("the domain classifier", () => {
  const [names, seed] = [["a", "b"], 3];
  /** Two columns that go together, or do not. */
  function pair(rows: number, stream: number, isTogether: boolean): Uint8Array[] {
    const random = new Random(11, stream);
    const columns = names.map(() => new Uint8Array(rows));
    for (let row = 0; row < rows; row++) {
      columns[0][row] = random.integer(200);
      columns[1][row] = isTogether ? Math.min(254, columns[0][row] + random.integer(40)) : random.integer(240);
    }
    return columns;
  }

  test("sees that columns no longer go together, which no column shows", () => {
    const found = classifyDomain(pair(3000, 1, true), pair(3000, 2, false), seed);
    assert.ok(found !== undefined && found.auc > 0.8 && found.pValue < 1e-12, JSON.stringify(found));
  });

  test("sees nothing where there is nothing, also in rows that occur twice", () => {
    let below = 0;
    for (let stream = 0; stream < 60; stream++) {
      const current = pair(700, 100 + stream, true).map((column) => Uint8Array.of(...column, ...column));
      const found = classifyDomain(pair(1400, 1000 + stream, true), current, seed);
      assert.ok(found !== undefined && Math.abs(found.auc - 0.5) < 0.12, JSON.stringify(found));
      below += +(found.pValue <= 0.05);
    }
    assert.ok(below <= 12, `${below} of 60`); // rows that count twice widen the law, by chance alone
  });

  test("gives the same answer again, and none for few rows", () => {
    const sides = [pair(900, 5, true), pair(900, 6, false)] as const;
    assert.deepEqual(classifyDomain(...sides, seed), classifyDomain(...sides, seed));
    assert.equal(classifyDomain(pair(900, 5, true), pair(150, 6, false), seed), undefined);
  });
});

describe("faults of the data", () => {
  const AS_IT_WAS = undefined;
  const CASES: readonly (readonly [what: string, column: string, change: Column, kind: FaultKind | undefined])[] = [
    ["another unit, larger", "usage", (random) => 60 * (40 + 10 * normal(random)), "unit"],
    ["another unit, smaller", "usage", (random) => (40 + 10 * normal(random)) / 60, "unit"],
    ["miles for kilometres", "usage", (random) => (40 + 10 * normal(random)) / 1.609344, "unit"],
    [
      "another unit in a part of the rows",
      "usage",
      (random, row) => (row % 4 === 0 ? 60 : 1) * (40 + 10 * normal(random)),
      "partial_unit",
    ],
    ["one value", "usage", () => 41.5, "constant"],
    ["one level", "plan", () => 1, "constant"],
    [
      "a default",
      "income",
      (random, row) => (row % 3 === 0 ? 999 : Math.exp(8 + 0.5 * normal(random))),
      "default_filled",
    ],
    [
      "a flood of missing values",
      "income",
      (random, row) => (row % 3 === 0 ? Number.NaN : Math.exp(8 + 0.5 * normal(random))),
      "missing",
    ],
    ["no value at all", "usage", () => Number.NaN, "missing"],
    ["nothing", "usage", WORLD.usage, AS_IT_WAS],
    ["a price that has doubled", "usage", (random) => 2 * (40 + 10 * normal(random)), AS_IT_WAS],
    ["a price that has risen by half", "usage", (random) => 1.5 * (40 + 10 * normal(random)), AS_IT_WAS],
    ["more tickets", "tickets", (random) => Math.floor(-Math.log(1 - random.uniform()) * 4), AS_IT_WAS],
    [
      "somewhat more missing values",
      "income",
      (random) => (random.uniform() < 0.06 ? Number.NaN : Math.exp(8 + 0.5 * normal(random))),
      AS_IT_WAS,
    ],
  ];
  for (const [what, column, change, kind] of CASES) {
    test(`${what}: ${kind ?? "none"}`, () => {
      const reference = REFERENCE.columns.get(column) as ColumnReference;
      const values = customers(2000, 20, { [column]: change }).get(column) as Float32Array;
      const fault = findFault(column, reference, countColumn(reference, values));
      assert.equal(fault?.kind, kind, `${fault?.detail}`);
    });
  }

  const plan = REFERENCE.columns.get("plan") as CategoryReference;
  const UNSEEN = LEVELS.plan.length;
  const spelt = (level: string, change: Column) =>
    findFault(
      "plan",
      plan,
      countColumn(plan, customers(2000, 21, { plan: change }).get("plan") as Float32Array, new Map([[level, 500]])),
    );
  const withoutBasic: Column = (random) => [UNSEEN, UNSEEN, UNSEEN, 1, 1, 2][random.integer(6)];

  for (const level of ["basic", "BASIC ", "Básic", "Ba-sic", "Basik"]) {
    test(`"${level}" in the place of "Basic" is another spelling`, () => {
      assert.deepEqual(spelt(level, withoutBasic)?.detail, `"${level}" stands where the training data had "Basic"`);
    });
  }

  test("a level that reads like none, or beside the one it reads like, is none", () => {
    assert.equal(spelt("Enterprise", withoutBasic), undefined);
    assert.equal(spelt("basic", WORLD.plan), undefined);
  });

  test("numbers out of range count from a thousandth of the rows on", () => {
    const usage = REFERENCE.columns.get("usage") as ColumnReference;
    const column = countColumn(usage, customers(2000, 22).get("usage") as Float32Array);
    assert.equal(findFault("usage", usage, { ...column, outOfRange: 2 }), undefined);
    assert.equal(findFault("usage", usage, { ...column, outOfRange: 3 })?.kind, "out_of_range");
  });

  test("rows that repeat a customer, or are of the future, count likewise", () => {
    const kinds = (repeated: number, future: number, rows: number) =>
      findRowFaults({ key: "id", time: "seen" }, { repeated, future }, rows).map(
        ({ column, kind }) => `${column} ${kind}`,
      );
    assert.deepEqual(kinds(3, 3, 100), ["id repeated_rows", "seen future_rows"]);
    assert.deepEqual(kinds(2, 100, 200_000), []);
  });
});

describe("harm", () => {
  const column = (...counts: number[]) => ({ counts: Uint32Array.from(counts), missing: 0 });

  test("is what the shift moves the mean by, and what it moves customers by", () => {
    // A quarter goes from a bin of −0.1 to one of 0.3; nobody is missing, whose contribution is 0.
    const { meanScore, size } = columnHarm(column(50, 50, 0), column(25, 75, 0), Float32Array.of(-0.1, 0.3, 0, 0));
    assert.ok(Math.abs(meanScore - 0.1) < 1e-7 && Math.abs(size - 0.1) < 1e-7, `${meanScore} ${size}`);
  });

  test("does not cancel", () => {
    // From the middle to both ends: nobody's mean, everybody's change.
    const { meanScore, size } = columnHarm(column(0, 100, 0), column(50, 0, 50), Float32Array.of(-0.2, 0, 0.2, 0));
    assert.ok(Math.abs(meanScore) < 1e-7 && Math.abs(size - 0.2) < 1e-7, `${meanScore} ${size}`);
  });

  test("counts those without a value", () => {
    const curve = Float32Array.of(0, 0, 0.4);
    const { size } = columnHarm(
      { counts: Uint32Array.of(90, 0), missing: 10 },
      { counts: Uint32Array.of(60, 0), missing: 40 },
      curve,
    );
    assert.ok(Math.abs(size - 0.3 * 0.4) < 1e-7, `${size}`);
  });
});

describe("effect sizes", () => {
  test("are in the column's unit, and 0 without a change", () => {
    const usage = REFERENCE.columns.get("usage") as NumberReference;
    const same = effectSizes(usage, { counts: usage.counts, missing: 0 });
    assert.deepEqual(same, { kolmogorov_smirnov: 0, wasserstein: 0, population_stability_index: 0, jensen_shannon: 0 });
    const moved = customers(20_000, 23, { usage: (random) => 45 + 10 * normal(random) }).get("usage") as Float32Array;
    const found = effectSizes(usage, countColumn(usage, moved));
    assert.ok(Math.abs((found?.wasserstein ?? 0) - 5) < 0.3, JSON.stringify(found));
    // Of a normal law that moves by δ standard deviations: D = 2 Φ(δ/2) − 1, PSI about δ².
    assert.ok(Math.abs((found?.kolmogorov_smirnov ?? 0) - 0.197) < 0.015, JSON.stringify(found));
    assert.ok(Math.abs((found?.population_stability_index ?? 0) - 0.25) < 0.04, JSON.stringify(found));
  });

  test("are none without rows", () => {
    const usage = REFERENCE.columns.get("usage") as NumberReference;
    assert.equal(effectSizes(usage, { counts: new Uint32Array(usage.counts.length), missing: 5 }), undefined);
  });
});

describe("the budget", () => {
  test("is shared by the year's checks, and by the scales", () => {
    assert.equal(checkLevel(1, 7), (0.5 * 7) / 365);
    assert.equal(checkLevel(1, 7, 3), (0.5 / 3) * (7 / 365));
    assert.equal(checkLevel(100, 28), 0.05);
  });

  test("says what could go unseen: the power table of 36 daily tests", () => {
    for (const [n, distance] of [
      [200, 0.16],
      [1000, 0.073],
      [5000, 0.033],
      [10_000, 0.023],
      [50_000, 0.011],
    ]) {
      assert.ok(Math.abs(detectableDistance(1 / 365, 36, 200_000, n) / distance - 1) < 0.06, `${n}`);
    }
  });
});
