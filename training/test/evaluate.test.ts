import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ChurnError, type DatasetSpecification, type ErrorCode, Model } from "@churn/contract";
import { pino } from "pino";
import { isHeldOut } from "../src/data/training-set.ts";
import { type EvaluateOptions, type EvaluateResult, evaluateModel } from "../src/evaluate.ts";
import { computeMetrics } from "../src/evaluation/metrics.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { Random } from "../src/random.ts";
import { type TrainOptions, type TrainResult, train } from "../src/train.ts";

const GYM: DatasetSpecification = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0, maximum: 8 },
    weight: { type: "number", nullable: true },
    plan: { type: "category" },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
  slices: ["plan"],
  economics: { customerValue: 500, contactCost: 5, offerCost: 60, offerAcceptance: 0.5 },
};
const SEED = 11;

interface Member {
  readonly id: string;
  readonly visits: number;
  readonly weight: string;
  readonly plan: string;
  readonly left: string;
  readonly truth: number;
}

function members(rows: number, seed: number, prefix = "M"): Member[] {
  const random = new Random(seed);
  return Array.from({ length: rows }, (_, i) => {
    const visits = random.integer(10); // some above the specification's maximum
    const plan = ["day", "full", "student"][random.integer(3)];
    const truth = 0.1 + (visits < 4 ? 0.5 : 0) + (plan === "day" ? 0.25 : 0);
    const weight = random.uniform() < 0.2 ? "" : String(50 + random.integer(400) / 10);
    return { id: `${prefix}${i}`, visits, weight, plan, left: random.uniform() < truth ? "yes" : "no", truth };
  });
}

const MEMBERS = members(1500, 1);
/** Another month of the same customers. */
const LATER = members(1500, 2);

function csv(rows: readonly Member[], columns = ["id", "visits", "weight", "plan", "left", "truth"]): string {
  const header = columns.map((name) => (name === "truth" ? "churn_truth" : name));
  const lines = rows.map((row) => columns.map((name) => row[name as keyof Member]));
  return [header, ...lines].map((cells) => `${cells.join()}\n`).join("");
}

let folder: string;
let trained: TrainResult;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "churn-evaluate-"));
  writeFileSync(join(folder, "dataset.json"), JSON.stringify(GYM));
  file("gym.csv", csv(MEMBERS));
  trained = await trainGym();
});
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function trainGym(change: Partial<TrainOptions> = {}): Promise<TrainResult> {
  return train({
    dataset: join(folder, "dataset.json"),
    data: join(folder, "gym.csv"),
    out: join(folder, "model"),
    report: join(folder, "training.html"),
    parameters: { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 30 },
    seed: SEED,
    tracking: { folder: join(folder, "mlruns"), experiment: "churn" },
    now: () => new Date("2026-11-25T12:00:00Z"),
    log: pino({ level: "silent" }),
    ...change,
  });
}

const judge = (data: string, change: Partial<EvaluateOptions> = {}): Promise<EvaluateResult> =>
  evaluateModel({ model: join(folder, "model"), data, out: join(folder, "evaluation.html"), ...change });

async function refuses(work: () => Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const before = readdirSync(folder).sort();
  await assert.rejects(work(), (error) => {
    assert(error instanceof ChurnError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    assert(!error.message.includes("\n"), "expected one line");
    return true;
  });
  assert.deepEqual(readdirSync(folder).sort(), before);
}

const held = (rows: readonly Member[]): Member[] => rows.filter(({ id }) => isHeldOut(id));

describe("the file that a model was trained on", () => {
  test("gives the figures of the model itself, all of them, to the last digit", async () => {
    const result = await judge(join(folder, "gym.csv"));

    const { metrics, baselines, confusionMatrix, slices, threshold, version } = trained.manifest;
    assert.deepEqual(
      {
        metrics: result.metrics,
        baselines: result.baselines,
        confusionMatrix: result.confusionMatrix,
        slices: result.slices,
        threshold: result.threshold,
        version: result.modelVersion,
      },
      { metrics, baselines, confusionMatrix, slices, threshold, version },
    );
    assert.deepEqual([result.customers, result.judgingRows], ["holdout", held(MEMBERS).length]);
    assert.match(result.notes[0], /held out of training; on the others of this file the model was trained/);
  });

  test("gives the report that training wrote, byte for byte", async () => {
    await judge(join(folder, "gym.csv"));

    const [theirs, ours] = ["training.html", "evaluation.html"].map((name) => readFileSync(join(folder, name), "utf8"));
    assert.equal(trained.report, join(folder, "training.html"));
    assert.notDeepEqual(trained.findings, {}, "expected values outside the specification");
    assert.equal(ours, theirs);
  });

  test("is judged by everybody when that is asked for, and then the figures are said to flatter", async () => {
    const { judgingRows, trainingSideRows, notes } = await judge(join(folder, "gym.csv"), { customers: "all" });

    assert.deepEqual([judgingRows, trainingSideRows], [MEMBERS.length, MEMBERS.length - held(MEMBERS).length]);
    assert.match(notes[0], /the figures flatter/);
  });

  test("keeps its holdout without a key, too, by the place of the rows", async () => {
    const { key, ...keyless } = GYM;
    const columns = { ...GYM.columns, id: { type: "text", role: "ignore" } };
    writeFileSync(join(folder, "keyless.json"), JSON.stringify({ ...keyless, columns }));
    const model = join(folder, "keyless");
    const { manifest } = await trainGym({ dataset: join(folder, "keyless.json"), out: model, report: undefined });

    const { metrics, customers } = await judge(join(folder, "gym.csv"), { model });

    assert.deepEqual([metrics, customers], [manifest.metrics, "holdout"]);
  });
});

describe("other data", () => {
  test("are judged by everybody, with a word on those who may have been trained on", async () => {
    const result = await judge(file("later.csv", csv(LATER)));

    const model = Model.load(join(folder, "model"));
    const scores = Float64Array.from(LATER, ({ visits, weight, plan }) =>
      model.predictRow({ visits, weight: weight === "" ? Number.NaN : Number(weight), plan }),
    );
    const labels = Uint8Array.from(LATER, ({ left }) => +(left === "yes"));
    const decision = { threshold: model.manifest.threshold.value, economics: GYM.economics };
    assert.deepEqual(result.metrics, computeMetrics({ scores, labels }, decision, SEED));
    assert.deepEqual([result.customers, result.rows, result.judgingRows], ["all", 1500, 1500]);
    assert.equal(result.trainingSideRows, LATER.length - held(LATER).length);
    assert.match(result.notes[0], /on the training side of the split: .* the figures flatter; --customers holdout/);
  });

  test("are judged by the holdout side alone when that is asked for", async () => {
    const { judgingRows, trainingSideRows } = await judge(file("later.csv", csv(LATER)), { customers: "holdout" });

    assert.deepEqual([judgingRows, trainingSideRows], [held(LATER).length, 0]);
  });

  test("stand beside the base rate of the training rows, and contacting everybody or nobody", async () => {
    const { baseRate, baselines, metrics } = await judge(file("later.csv", csv(LATER)));

    const training = MEMBERS.filter(({ id }) => !isHeldOut(id));
    const rate = training.filter(({ left }) => left === "yes").length / training.length;
    const share = LATER.filter(({ left }) => left === "yes").length / LATER.length;
    // A contacted churner is worth 0.5 × (500 − 60) − 5 = 215, a contacted stayer −65.
    const everyone = share * 215 - (1 - share) * 65;
    assert.equal(baseRate, rate);
    assert(Math.abs(baselines.contact_everyone.profit_per_customer.value - everyone) < 1e-9);
    assert.equal(baselines.contact_everyone.recall_score.value, 1);
    assert.deepEqual(baselines.contact_no_one.profit_per_customer, { value: 0, low: 0, high: 0 });
    assert(metrics.profit_per_customer.value > Math.max(0, everyone));
    assert(baselines.truth.roc_auc.value > 0.5);
  });

  test("leave out and count those whose label is not known yet", async () => {
    const partly = LATER.map((row, i) => (i % 3 === 0 ? { ...row, left: i % 2 ? "" : "  " } : row));

    const some = await judge(file("partly.csv", csv(partly)));
    const rest = await judge(file("rest.csv", csv(LATER.filter((_, i) => i % 3 !== 0))));

    assert.deepEqual([some.rows, some.labelledRows, some.judgingRows], [1500, 1000, 1000]);
    assert.deepEqual([some.metrics, some.importances], [rest.metrics, rest.importances]);
    assert(some.notes.includes("Left out, as it is not known yet whether they churn: 500 customers."));
  });

  test("may lack nullable columns, which are scored as unknown and named", async () => {
    const { missingColumns, notes } = await judge(file("narrow.csv", csv(LATER, ["id", "visits", "plan", "left"])));

    assert.deepEqual(missingColumns, ["weight"]);
    assert(notes.includes('Column "weight" is not in the data; scored as unknown.'));
  });

  test("may have more columns, unknown levels and values out of range: they are counted", async () => {
    const odd = LATER.map((row, i) => ({ ...row, plan: i < 5 ? "yoga" : row.plan, visits: i < 3 ? 99 : 1 }));
    const text = csv(odd)
      .replaceAll(/\n(?=.)/g, ",x\n")
      .replace(",x\n", ",shoes\n")
      .replace(/\n$/, ",x\n");

    const { findings, extraColumns } = await judge(file("odd.csv", text));

    assert.deepEqual([findings, extraColumns], [{ visits: 3, plan: 5 }, ["shoes"]]);
  });

  test("give other intervals with another seed, and the same with the same", async () => {
    const data = file("later.csv", csv(LATER));
    const [one, again, other] = [
      await judge(data, { seed: 1 }),
      await judge(data, { seed: 1 }),
      await judge(data, { seed: 2 }),
    ];

    assert.deepEqual(one, again);
    assert.equal(one.metrics.roc_auc.value, other.metrics.roc_auc.value);
    assert.notEqual(one.metrics.roc_auc.low, other.metrics.roc_auc.low);
  });

  test("are told importances: what decides comes first", async () => {
    const { importances } = await judge(file("later.csv", csv(LATER)));

    assert.deepEqual(
      importances.map(({ column }) => column),
      ["visits", "plan", "weight"],
    );
  });
});

describe("one message, and no file, for", () => {
  const label = (left: string): string => csv(LATER.map((row) => ({ ...row, left })));
  const cases: Readonly<Record<string, readonly [content: string, code: ErrorCode, message: RegExp]>> = {
    "labels that are all missing": [
      label(""),
      "CHURN_ERR_DATA_INSUFFICIENT",
      /column "left": .* got no label in any row/,
    ],
    "one class only": [label("no"), "CHURN_ERR_DATA_INSUFFICIENT", /expected two classes, got only "no"/],
    "three labels": [
      csv(LATER.map((row, i) => (i === 0 ? { ...row, left: "maybe" } : row))),
      "CHURN_ERR_DATA_INVALID",
      /expected two labels, got "maybe", "no", "yes"/,
    ],
    "labels that do not know the positive one": [
      csv(LATER.map((row) => ({ ...row, left: row.left === "yes" ? "1" : "0" }))),
      "CHURN_ERR_DATA_INVALID",
      /expected "yes" to be one of the labels, got "0", "1"/,
    ],
    "too few of a class": [
      csv(LATER.slice(0, 12)),
      "CHURN_ERR_DATA_INSUFFICIENT",
      /at least 10 customers of each class among the labelled rows/,
    ],
    "no target": [csv(LATER, ["id", "visits", "weight", "plan"]), "CHURN_ERR_DATA_INVALID", /expected a column "left"/],
    "a missing column that the model needs": [
      csv(LATER, ["id", "weight", "plan", "left"]),
      "CHURN_ERR_DATA_INVALID",
      /expected a column "visits", got "id"/,
    ],
    "a truth that is no probability": [
      csv(LATER.map((row, i) => (i === 6 ? { ...row, truth: 1.5 } : row))),
      "CHURN_ERR_DATA_INVALID",
      /column "churn_truth", row 7: expected a probability in \[0, 1\] in every row, got 1\.5/,
    ],
  };
  for (const [name, [content, code, message]] of Object.entries(cases)) {
    test(name, () => {
      const data = file("bad.csv", content);
      return refuses(() => judge(data, { out: join(folder, "made", "report.html") }), code, message);
    });
  }

  test("a holdout that nobody can tell", () => {
    const data = file("nameless.csv", csv(LATER, ["visits", "weight", "plan", "left"]));
    return refuses(
      () => judge(data, { customers: "holdout" }),
      "CHURN_ERR_OPTION_INVALID",
      /expected a key in every row, which says who is held out, got rows without: use --customers all/,
    );
  });

  test("a holdout of customers some of whom have no key", () => {
    const data = file("blank.csv", csv(LATER).replace(/\n[^,\n]+,/, "\n,"));
    return refuses(
      () => judge(data, { customers: "holdout" }),
      "CHURN_ERR_OPTION_INVALID",
      /expected a key in every row, which says who is held out, got rows without: use --customers all/,
    );
  });

  test("a report in place of the data", () =>
    refuses(
      () => judge(join(folder, "gym.csv"), { out: join(folder, "gym.csv", "r.html") }),
      "CHURN_ERR_OPTION_INVALID",
      /r\.html: the file would be in the way of .*gym\.csv: name another one/,
    ));

  test("a report of another kind", () =>
    refuses(
      () => judge(join(folder, "gym.csv"), { out: join(folder, "gym.csv") }),
      "CHURN_ERR_OPTION_INVALID",
      /gym\.csv: expected a file name ending in \.html/,
    ));

  test("a report in place of a folder, before anything is read", () => {
    mkdirSync(join(folder, "taken.html"), { recursive: true });
    return refuses(
      () => judge(file("bad.csv", "no,customers\n"), { out: join(folder, "taken.html") }),
      "CHURN_ERR_FILE_UNWRITABLE",
      /taken\.html: cannot be written \(there is a folder of that name\)/,
    );
  });

  test("a report within a file", () => {
    const note = file("note.txt", "");
    return refuses(
      () => judge(join(folder, "gym.csv"), { out: join(note, "r.html") }),
      "CHURN_ERR_FILE_UNWRITABLE",
      /r\.html: cannot be written/,
    );
  });
});

test("a report that cannot be written costs a training a warning, not the model", async () => {
  const warnings: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void warnings.push(JSON.parse(line).event) });

  const { report, manifest } = await trainGym({
    out: join(folder, "other"),
    report: join(file("note.txt", ""), "r.html"),
    log,
  });

  assert.equal(report, null);
  assert.deepEqual(warnings, ["report.failed"]);
  assert.equal(Model.load(join(folder, "other")).manifest.version, manifest.version);
});
