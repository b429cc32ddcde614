import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ChurnError, type DatasetSpecification, Model } from "@churn/contract";
import { pino } from "pino";
import { isHeldOut } from "../src/data/training-set.ts";
import { computeMetrics, confusionMatrix } from "../src/evaluation/metrics.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../src/forest/parameters.ts";
import { predict } from "../src/predict.ts";
import { pullModel } from "../src/pull.ts";
import { Random } from "../src/random.ts";
import { FileStore } from "../src/tracking/file-store.ts";
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
    trainer: { type: "boolean" },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
  slices: ["plan", "trainer"],
};
const ECONOMICS = { customerValue: 500, contactCost: 5, offerCost: 60, offerAcceptance: 0.5 };
const SEED = 11;

interface Member {
  readonly id: string;
  readonly visits: number;
  readonly weight: number;
  readonly plan: string;
  readonly trainer: boolean;
  readonly left: 0 | 1;
  readonly truth: number;
}

const random = new Random(1);
const MEMBERS: readonly Member[] = Array.from({ length: 1500 }, (_, i) => {
  const visits = random.integer(23); // most of them above the specification's maximum
  const plan = ["day", "full", "student"][random.integer(3)];
  const truth = 0.1 + (visits < 9 ? 0.5 : 0) + (plan === "day" ? 0.25 : 0);
  const weight = random.uniform() < 0.2 ? Number.NaN : 50 + random.integer(400) / 10;
  const left = random.uniform() < truth ? 1 : 0;
  return { id: `M${i}`, visits, weight, plan, trainer: random.integer(2) === 1, left, truth };
});

let folder: string;
let specification = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-train-"));
  const line = ({ id, visits, weight, plan, trainer, left, truth }: Member): string =>
    `${id},${visits},${Number.isNaN(weight) ? "" : weight},${plan},${trainer},${left ? "yes" : "no"},${truth}\n`;
  writeFileSync(
    join(folder, "gym.csv"),
    `id,visits,weight,plan,trainer,left,churn_truth\n${MEMBERS.map(line).join("")}`,
  );
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function trainGym(dataset: DatasetSpecification = GYM, change: Partial<TrainOptions> = {}): Promise<TrainResult> {
  const path = join(folder, `dataset-${specification++}.json`);
  writeFileSync(path, JSON.stringify(dataset));
  return train({
    dataset: path,
    data: join(folder, "gym.csv"),
    out: join(folder, "model"),
    parameters: { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 30 },
    seed: SEED,
    tracking: { folder: join(folder, "mlruns"), experiment: "churn" },
    now: () => new Date("2026-11-25T12:00:00Z"),
    log: pino({ level: "silent" }),
    ...change,
  });
}

/** The model's own scores of members, by the row path. */
function scoresOf(model: Model, members: readonly Member[]): Float64Array {
  return Float64Array.from(members, ({ visits, weight, plan, trainer }) =>
    model.predictRow({ visits, weight, plan, trainer: trainer ? 1 : 0 }),
  );
}

const labelsOf = (members: readonly Member[]): Uint8Array => Uint8Array.from(members, ({ left }) => left);
const held = MEMBERS.filter(({ id }) => isHeldOut(id));
const trainedOn = MEMBERS.filter(({ id }) => !isHeldOut(id));

describe("what training says of a model", () => {
  test("is measured on the held-out customers, all of them and nobody else", async () => {
    const { manifest, directory } = await trainGym();

    const scores = scoresOf(Model.load(directory), held);
    const decision = { threshold: manifest.threshold.value };
    assert.deepEqual(manifest.metrics, computeMetrics({ scores, labels: labelsOf(held) }, decision, SEED));
    assert.deepEqual(manifest.confusionMatrix, confusionMatrix({ scores, labels: labelsOf(held) }, decision.threshold));
    const { rows, trainingRows } = manifest.lineage.data;
    assert.deepEqual([rows, trainingRows], [MEMBERS.length, trainedOn.length]);
  });

  test("stands beside a guess of the training rows' base rate, contacting all or none, and the truth", async () => {
    const { manifest } = await trainGym();

    const labels = labelsOf(held);
    const decision = { threshold: manifest.threshold.value };
    const rate = labelsOf(trainedOn).reduce((sum, label) => sum + label, 0) / trainedOn.length;
    const guess = new Float64Array(held.length).fill(rate);
    const truth = Float64Array.from(held, (member) => member.truth);
    const { contact_everyone, contact_no_one, ...others } = manifest.baselines;
    const all = computeMetrics({ scores: guess, labels }, { threshold: 0 }, SEED);
    for (const name of ["f1_score", "precision_score", "recall_score"]) {
      for (const end of ["value", "low", "high"] as const) {
        assert(Math.abs(contact_everyone[name][end] - all[name][end]) < 1e-3, `${name}.${end}`);
      }
      assert.deepEqual(contact_no_one[name], { value: 0, low: 0, high: 0 });
    }
    assert.deepEqual(others, {
      base_rate: computeMetrics({ scores: guess, labels }, decision, SEED),
      truth: computeMetrics({ scores: truth, labels }, decision, SEED),
    });
  });

  test("is told for each group of a slice", async () => {
    const { manifest, directory } = await trainGym();

    const groups = manifest.slices.map(({ column, level, rows }) => `${column} ${level} ${rows}`).sort();
    const count = (isIn: (member: Member) => boolean): number => held.filter(isIn).length;
    const plans = ["day", "full", "student"].map((name) => `plan ${name} ${count(({ plan }) => plan === name)}`);
    const trainers = [false, true].map((has) => `trainer ${has} ${count(({ trainer }) => trainer === has)}`);
    assert.deepEqual(groups, [...plans, ...trainers]);
    const day = held.filter(({ plan }) => plan === "day");
    assert.deepEqual(
      manifest.slices.find(({ level }) => level === "day")?.metrics,
      computeMetrics(
        { scores: scoresOf(Model.load(directory), day), labels: labelsOf(day) },
        { threshold: manifest.threshold.value },
        SEED,
      ),
    );
  });
});

describe("the threshold of a model", () => {
  test("is where contacting starts to pay, where the specification has economics", async () => {
    const { manifest } = await trainGym({ ...GYM, economics: ECONOMICS });

    // A contacted churner is worth 0.5 × (500 − 60) − 5 = 215, a stayer −65.
    assert.equal(manifest.threshold.method, "expected_profit");
    assert.match(manifest.threshold.reason, /pays: a contacted churner is worth 215, a contacted stayer -65$/);
    assert.equal(manifest.threshold.value, 65 / 280);
    assert(manifest.metrics.profit_per_customer.value > 0);
  });

  test("is out of reach, and says so, when no contact pays", async () => {
    const { manifest } = await trainGym({ ...GYM, economics: { ...ECONOMICS, customerValue: 65 } });

    assert.equal(manifest.confusionMatrix.truePositives + manifest.confusionMatrix.falsePositives, 0);
    assert.match(manifest.threshold.reason, /^no contact pays: a contacted churner is worth -2\.5/);
  });

  test("is that of the best F1 without economics", async () => {
    assert.equal((await trainGym()).manifest.threshold.method, "f1");
  });
});

test("the example of a model keeps to the bounds of the specification, also when most values do not", async () => {
  const { manifest, findings } = await trainGym();

  assert(findings.visits > MEMBERS.length / 2);
  assert.equal(manifest.inputExample.visits, 8);
});

test("the data, the parameters and the seed decide a model's content; threads, kernel and the clock do not", async () => {
  const { contentSha256 } = (await trainGym(GYM, { nJobs: 1 })).manifest;
  const hash = async (change: Partial<TrainOptions>): Promise<string> =>
    (await trainGym(GYM, change)).manifest.contentSha256;

  assert.equal(await hash({ nJobs: 2, now: () => new Date("2027-01-01T00:00:00Z") }), contentSha256);
  assert.equal(await hash({ nJobs: 1, kernel: "plain" }), contentSha256);
  assert.equal(await hash({ nJobs: 2, kernel: "plain" }), contentSha256);
  assert.notEqual(await hash({ seed: SEED + 1 }), contentSha256);
  assert.notEqual(
    await hash({ parameters: { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 30, maxDepth: 5 } }),
    contentSha256,
  );
});

test("a slice may be called like what every object has", async () => {
  const { trainer, ...columns } = GYM.columns;
  const rename = (name: string): string => (name === "trainer" ? "constructor" : name);
  const dataset = { ...GYM, columns: { ...columns, constructor: trainer }, slices: ["constructor"] };
  const path = join(folder, "renamed.csv");
  const [header, ...rows] = readFileSync(join(folder, "gym.csv"), "utf8").split("\n");
  writeFileSync(path, [header.split(",").map(rename).join(), ...rows].join("\n"));

  const { manifest } = await trainGym(dataset, { data: path });

  assert.deepEqual(
    manifest.slices.map(({ column, level }) => `${column} ${level}`),
    ["constructor false", "constructor true"],
  );
});

describe("tuning", () => {
  const bad = { ...DEFAULT_FOREST_PARAMETERS, nEstimators: 30, minSamplesLeaf: 110 };

  test("finds better parameters than bad ones, and each trial is a run under that of the training", async () => {
    const tracking = { folder: join(folder, "mlruns-tuning"), experiment: "churn" };
    const options = { parameters: bad, tune: { seconds: 60 }, tracking, out: join(folder, "tuned") };

    const { manifest, trials, run } = await trainGym(GYM, options);

    const store = new FileStore(tracking.folder);
    const runs = store.listRuns("churn").runs.map(({ runId }) => store.readRun(runId));
    const [parent, ...others] = runs.filter(({ name }) => name.startsWith("train"));
    const children = runs.filter(({ tags }) => tags["mlflow.parentRunId"] === parent.runId);
    assert.deepEqual([others, run?.runId], [[], parent.runId]);
    assert.equal(children.length, trials.length);
    assert.equal(runs.length, trials.length + 1);
    assert(manifest.forest.minSamplesLeaf < 110);
    assert.equal(parent.params.min_samples_leaf, String(manifest.forest.minSamplesLeaf));
    assert.deepEqual(manifest.lineage.tuning, { trials: trials.length, isComplete: true });
    const { nNodes: _, ...chosen } = manifest.forest;
    const trial = trials.find(({ parameters }) => JSON.stringify(parameters) === JSON.stringify(chosen));
    assert(trial && trial.gain.low > 0.01);
  });

  test("makes the same model as a training that is given what it found", async () => {
    const tuned = await trainGym(GYM, { parameters: bad, tune: { seconds: 60 } });
    const { nNodes: _, ...parameters } = tuned.manifest.forest;

    const plain = await trainGym(GYM, { parameters });

    assert.equal(plain.manifest.contentSha256, tuned.manifest.contentSha256);
    assert.deepEqual(plain.trials, []);
  });
});

test("a run has its own model, whatever has become of the model directory meanwhile", async () => {
  const out = join(folder, "overtaken");
  const tracking = { folder: join(folder, "mlruns-overtaken"), experiment: "churn" };
  const other = await trainGym(GYM, { out, tracking, seed: SEED + 1 });
  const otherFiles = readdirSync(out).map((name) => [name, readFileSync(join(out, name))] as const);
  const onProgress = (phase: string): void => {
    if (phase !== "drawing the report") return;
    for (const [name, content] of otherFiles) writeFileSync(join(out, name), content);
  };
  const { manifest, run } = await trainGym(GYM, { out, tracking, runName: " ", register: true, onProgress });

  assert.equal(Model.load(out).manifest.version, other.manifest.version);
  assert.equal(run?.version, "1");
  assert.equal(new FileStore(tracking.folder).readRun(run.runId).name, `train ${manifest.version}`);
  const uri = `runs:/${run.runId}`;
  const pulled = await pullModel({ uri, out: join(folder, "pulled"), tracking, now: () => new Date() });
  assert.deepEqual(pulled, JSON.parse(JSON.stringify(manifest)));
});

describe("a champion is not replaced when its ledger cannot be written:", () => {
  for (const [name, spoil] of [
    ["a link to nothing", (ledger: string) => symlinkSync(join(folder, "nowhere", "ledger"), ledger)],
    ["a folder", (ledger: string) => mkdirSync(ledger)],
  ] as const) {
    test(name, async () => {
      const models = mkdtempSync(join(folder, "models-"));
      const out = join(models, "best_model");
      const { manifest } = await trainGym(GYM, { out });
      spoil(join(models, "ledger.jsonl"));

      await assert.rejects(trainGym(GYM, { out, seed: 12 }), (error) => {
        assert(error instanceof ChurnError);
        assert.equal(error.code, "CHURN_ERR_FILE_UNWRITABLE");
        assert.match(error.message, /ledger\.jsonl: the ledger cannot be written: /);
        return true;
      });

      assert.equal(Model.load(out).manifest.version, manifest.version);
    });
  }
});

test("a ledger whose last line was cut short keeps the next one apart", async () => {
  const models = mkdtempSync(join(folder, "models-"));
  const [out, ledger] = [join(models, "best_model"), join(models, "ledger.jsonl")];
  await trainGym(GYM, { out });
  writeFileSync(ledger, '{"half');

  const { manifest } = await trainGym(GYM, { out, seed: 12 });

  const [half, line, end] = readFileSync(ledger, "utf8").split("\n");
  assert.deepEqual([half, JSON.parse(line).version, end], ['{"half', manifest.version, ""]);
});

test("prediction tells of levels that the model has not seen, and of columns it does not know", async () => {
  const { directory } = await trainGym();
  const data = join(folder, "new.csv");
  writeFileSync(data, "id,visits,plan,trainer,shoes\na,1,day,true,red\nb,99,zebra,true,red\nc,2,yoga,false,red\n");

  const result = await predict({ model: directory, data, out: join(folder, "scores.csv") });

  assert.deepEqual([result.findings, result.unknownLevels], [{ visits: 1 }, { plan: 2 }]);
  assert.deepEqual([result.missingColumns, result.extraColumns], [["weight"], ["shoes"]]);
});
