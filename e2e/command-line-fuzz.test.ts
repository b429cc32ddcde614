/**
 * The command line under a rain of nonsense: options with values they cannot have, files that are broken in the ways
 * files break, in any combination. Whatever comes, the command either does its work (exit code 0) or says in one line
 * what is wrong, with exit code 2, and leaves everything as it was. It never fails (1) and never shows a stack.
 *
 * Invocations follow from a seed: one that fails can be run again by its number.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { churn } from "../bench/command.ts";
import { Random } from "../training/src/random.ts";

const INVOCATIONS = 360;
const SEED = 20261125;
const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));

/** Good files, made once; each invocation gets a copy of its own to break. */
const original = mkdtempSync(join(tmpdir(), "churn-fuzz-"));
after(() => rmSync(original, { recursive: true, force: true }));

function makeGoodFiles(): void {
  const at = (...path: string[]): string => join(original, ...path);
  mkdirSync(at("gym"));
  writeFileSync(at("gym", "dataset.json"), JSON.stringify(GYM, null, 1));
  writeFileSync(at("gym.csv"), gymFile(new Random(1), 400));
  churn(original, "generate", "--rows", "300", "--out", at("customers.parquet"));
  const forest = ["--n-estimators", "3", "--n-jobs", "1"];
  churn(
    original,
    "train",
    "--dataset",
    at("gym", "dataset.json"),
    "--data",
    at("gym.csv"),
    "--out",
    at("model"),
    ...forest,
    "--report",
    at("report.html"),
  );
  writeFileSync(at("text.txt"), "not a table\n");
  mkdirSync(at("empty"));
  rmSync(at("mlruns"), { recursive: true, force: true });
}

const GYM = {
  name: "gym",
  key: "id",
  target: { column: "left", positive: "yes" },
  columns: {
    id: { type: "text" },
    visits: { type: "integer", minimum: 0, maximum: 40 },
    weight: { type: "number", nullable: true },
    plan: { type: "category", nullable: true },
    trainer: { type: "boolean" },
    left: { type: "category" },
  },
  features: { fading: "visits < 2" },
  slices: ["plan"],
  economics: { customerValue: 500, contactCost: 5, offerCost: 60, offerAcceptance: 0.5 },
};

function gymFile(random: Random, rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const visits = random.integer(20);
    const left = random.uniform() < (visits < 6 ? 0.6 : 0.2) ? "yes" : "no";
    const plan = ["day", "full", ""][random.integer(3)];
    return `M${i},${visits},${50 + random.integer(400) / 10},${plan},${random.integer(2) === 1},${left}`;
  });
  return `${["id,visits,weight,plan,trainer,left", ...lines].join("\n")}\n`;
}

// --- what may come ----------------------------------------------------------------------------------------

const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)];

const NUMBERS = [
  "0",
  "1",
  "2",
  "7",
  "-1",
  "0.5",
  "1.5",
  "1e3",
  "1e99",
  "99999999999999999999",
  "NaN",
  "Infinity",
  "",
  " ",
  "ten",
  "0x10",
  "١",
];
const PATHS = [
  ...["gym.csv", "customers.parquet", "gym/dataset.json", "model", "model/model.json", "empty", "text.txt", "."],
  ...[
    "nowhere",
    "nowhere/below.csv",
    "text.txt/below.csv",
    "*.csv",
    "**",
    "[",
    "~",
    "",
    " ",
    "-",
    "--",
    "a\nb.csv",
    "dangling.csv",
  ],
  ...[`${"x".repeat(300)}.csv`, "ünïcode.csv", "/dev/null", "/proc/version", "..", "CON.parquet"],
];
const OUTPUTS = [...PATHS, "out.csv", "out.parquet", "out.html", "new/out.csv", "new/model", "out.CSV", "out.xlsx"];
const WORDS = ["stable", "price-increase", "war", "all", "holdout", "", "--", "-x", "ALL", "null"];

/** Option → what its values are drawn from; none: a flag. */
type Options = Readonly<Record<string, readonly string[] | undefined>>;

const EVERYWHERE: Options = {
  "--json": undefined,
  "--quiet": undefined,
  "--help": undefined,
  "--nonsense": undefined,
  "--versoin": NUMBERS,
};
const FOREST: Options = Object.fromEntries(
  ["n-estimators", "max-depth", "min-samples-leaf", "max-samples", "max-features", "max-bins"].map((name) => [
    `--${name}`,
    NUMBERS,
  ]),
);
const COMMANDS: Readonly<Record<string, { readonly usual: readonly string[]; readonly options: Options }>> = {
  generate: {
    usual: ["--rows", "50", "--out", "made.csv"],
    options: {
      "--rows": NUMBERS,
      "--seed": NUMBERS,
      "--month": NUMBERS,
      "--scenario": WORDS,
      "--from": NUMBERS,
      "--out": OUTPUTS,
      "--with-truth": undefined,
      "--n-jobs": NUMBERS,
    },
  },
  train: {
    usual: [
      "--dataset",
      "gym/dataset.json",
      "--data",
      "gym.csv",
      "--out",
      "trained",
      "--report",
      "trained.html",
      "--n-estimators",
      "2",
      "--n-jobs",
      "1",
    ],
    options: {
      "--dataset": PATHS,
      "--data": PATHS,
      "--out": OUTPUTS,
      "--report": OUTPUTS,
      "--seed": NUMBERS,
      "--n-jobs": ["1", "0", "x"],
      ...FOREST,
    },
  },
  evaluate: {
    usual: ["--model", "model", "--data", "gym.csv", "--out", "judged.html"],
    options: { "--model": PATHS, "--data": PATHS, "--out": OUTPUTS, "--customers": WORDS, "--seed": NUMBERS },
  },
  predict: {
    usual: ["--model", "model", "--data", "gym.csv", "--out", "scores.csv"],
    options: { "--model": PATHS, "--data": PATHS, "--out": OUTPUTS, "--top": NUMBERS, "--n-jobs": NUMBERS },
  },
  export: {
    usual: ["--model", "model", "--format", "onnx", "--out", "model.onnx"],
    options: { "--model": PATHS, "--format": [...WORDS, "onnx", "mlflow"], "--out": [...OUTPUTS, "model/model.onnx"] },
  },
  retrain: {
    usual: [
      ...["--source", "file", "--data", "gym.csv", "--dataset", "gym/dataset.json", "--model", "models/best_model"],
      ...["--n-estimators", "2"],
    ],
    options: {
      "--source": [...WORDS, "synthetic", "store"],
      "--data": PATHS,
      "--store": [...PATHS, "sqlite:nowhere.db", "postgres://"],
      "--dataset": PATHS,
      "--model": [...PATHS, "models/best_model"],
      "--report": OUTPUTS,
      "--summary": OUTPUTS,
      "--stale-after": NUMBERS,
      "--enough-labels": NUMBERS,
      "--now": [...NUMBERS, "2026-13-01", "2026-02-30"],
      "--keep": NUMBERS,
      "--rows": ["0", "x", "60"],
    },
  },
  rollback: {
    usual: ["--model", "models/best_model"],
    options: { "--model": PATHS, "--to": PATHS, "--reason": WORDS, "--keep": NUMBERS },
  },
  demo: { usual: ["--rows", "1"], options: { "--rows": ["0", "x", "-5"], "--out": OUTPUTS } },
  fly: { usual: [], options: {} },
};

/** A command line: the usual one, with some options changed, added, or cut off. */
function draw(random: Random): string[] {
  const name = pick(random, [
    "generate",
    "train",
    "train",
    "evaluate",
    "evaluate",
    "predict",
    "predict",
    "export",
    "export",
    "retrain",
    "retrain",
    "rollback",
    "demo",
    "fly",
  ]);
  const { usual, options } = COMMANDS[name];
  const args = [name, ...usual];
  const all = Object.entries({ ...options, ...EVERYWHERE });
  for (let changes = random.integer(3); changes > 0; changes--) {
    const [option, values] = pick(random, all);
    args.push(option, ...(values === undefined ? [] : [pick(random, values)]));
  }
  if (random.integer(12) === 0) args.push(pick(random, WORDS));
  return random.integer(15) === 0 ? args.slice(0, random.integer(args.length + 1)) : args;
}

/** The ways in which files break. */
const DAMAGE: readonly ((random: Random, bytes: Buffer) => Buffer)[] = [
  (random, bytes) => bytes.subarray(0, random.integer(bytes.length + 1)), // cut off
  (random, bytes) => {
    const copy = Buffer.from(bytes);
    for (let i = 0; i <= random.integer(20); i++) copy[random.integer(copy.length)] = random.integer(256);
    return copy;
  },
  (random, bytes) => Buffer.from(Array.from({ length: bytes.length }, () => random.integer(256))),
  (_, bytes) => Buffer.concat([Buffer.from("\ufeff"), bytes]),
  (_, bytes) => Buffer.from(bytes.toString("latin1").replaceAll(",", ";"), "latin1"),
  (random, bytes) =>
    replaceCell(
      random,
      bytes,
      pick(random, ["", "NaN", "1e400", '"', '"open', "a,b", "\0", "-5", "99999", "yes", "x".repeat(5000)]),
    ),
  (random, bytes) => replaceLine(random, bytes, (line) => `${line}\n${line}`),
  (random, bytes) => replaceLine(random, bytes, () => ""),
  (random, bytes) => replaceLine(random, bytes, (line) => line.replace(/\w+/, (word) => word.toUpperCase())),
  (_, bytes) => Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1"),
  () => Buffer.alloc(0),
];

function replaceLine(random: Random, bytes: Buffer, change: (line: string) => string): Buffer {
  const lines = bytes.toString("latin1").split("\n");
  const at = random.integer(3) === 0 ? 0 : random.integer(lines.length);
  lines[at] = change(lines[at]);
  return Buffer.from(lines.join("\n"), "latin1");
}

function replaceCell(random: Random, bytes: Buffer, value: string): Buffer {
  return replaceLine(random, bytes, (line) => {
    const cells = line.split(",");
    cells[random.integer(cells.length)] = value;
    return cells.join(",");
  });
}

/** A folder of its own for one invocation, with one of its files broken, most times. */
function workplace(random: Random): string {
  const folder = mkdtempSync(join(tmpdir(), "churn-fuzz-"));
  cpSync(original, folder, { recursive: true });
  symlinkSync("nothing", join(folder, "dangling.csv"));
  if (random.integer(4) > 0) {
    const victims = [
      "gym.csv",
      "gym.csv",
      "gym.csv",
      "customers.parquet",
      "gym/dataset.json",
      "model/model.json",
      "model/forest.safetensors",
    ];
    const path = join(folder, pick(random, victims));
    writeFileSync(path, pick(random, DAMAGE)(random, readFileSync(path)));
  }
  return folder;
}

// --- what must hold ---------------------------------------------------------------------------------------

/** Every file and link below a folder, with the hash of what is in it; folders by their names. */
function contents(folder: string): string[] {
  return globSync("**/*", { cwd: folder })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      return lstatSync(path).isFile()
        ? `${name} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`
        : name;
    });
}

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

function run(folder: string, args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, LOG_LEVEL: "silent", MLFLOW_TRACKING_URI: `file:${join(folder, "mlruns")}` };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, stderr }));
  });
}

/** @returns what is wrong with how the invocation went; undefined when nothing is */
async function fault(number: number): Promise<{ readonly code: number | null; readonly fault: string | undefined }> {
  const random = new Random(SEED, number);
  const args = draw(random);
  const folder = workplace(random);
  try {
    const before = contents(folder);
    const { code, stderr } = await run(folder, args);
    const complaint = judge(args, code, stderr, code === 0 || before.join("\n") === contents(folder).join("\n"));
    return {
      code,
      fault:
        complaint && `invocation ${number}: churn ${args.map((arg) => JSON.stringify(arg)).join(" ")}: ${complaint}`,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(args: readonly string[], code: number | null, stderr: string, isUnchanged: boolean): string | undefined {
  if (code === 0) return /\n {4}at /.test(stderr) ? `succeeded with a stack: ${stderr}` : undefined;
  if (code !== 2) return `exit code ${code}: ${stderr}`;
  if (args.length === 0) return stderr.startsWith("Usage: churn") ? undefined : `expected the usage, got ${stderr}`;
  if (!/^(churn|error): [^\n]+\n$/.test(stderr)) return `expected one line, got ${JSON.stringify(stderr)}`;
  return isUnchanged ? undefined : `something was written, after: ${stderr}`;
}

test(`${INVOCATIONS} random command lines succeed, or are refused in one line with nothing written`, async () => {
  makeGoodFiles();
  const faults: string[] = [];
  const codes = new Map<number | null, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < INVOCATIONS) {
      const { code, fault: complaint } = await fault(next++);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (complaint !== undefined) faults.push(complaint);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));

  assert.deepEqual(faults, []);
  const [done, refused] = [codes.get(0) ?? 0, codes.get(2) ?? 0];
  assert.ok(done > 0.1 * INVOCATIONS && refused > 0.5 * INVOCATIONS, `${done} succeeded, ${refused} were refused`);
});
