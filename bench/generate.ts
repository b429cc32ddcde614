/**
 * How fast customers are made: ten million of them into a Parquet file, by one thread and by two, beside a loop in
 * Python that makes eight simple columns and writes nothing.
 *
 *     npm run bench:generate
 *
 * Exit code 1 when a figure that must hold fails.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownTable } from "../training/src/report/text.ts";
import { PythonScript } from "./python.ts";
import { atLeast, type Check, checkTable, describeMachine, median, writeSection } from "./results.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const ROWS = 10_000_000;
const LOOP_ROWS = 1_000_000;
const ROUNDS = 3;

interface Loop {
  readonly seconds: number;
  readonly rows: number;
  readonly versions: Readonly<Record<string, string>>;
}

interface File {
  readonly seconds: number;
  readonly processSeconds: number;
  readonly sha256: string;
  readonly megabytes: number;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const python = new PythonScript(new URL("generate.py", import.meta.url));
  const loops: Loop[] = [];
  const files = new Map<number, File[]>([
    [1, []],
    [2, []],
  ]);
  for (let round = 0; round < ROUNDS; round++) {
    loops.push(await python.ask<Loop>({ rows: LOOP_ROWS }));
    for (const [threads, made] of files) made.push(await generate(threads));
  }
  python.close();
  if (!report(loops, files)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The command as a user runs it, and what its log says of the work: from the first thread's start to the whole file. */
async function generate(threads: number): Promise<File> {
  const out = join(folder, "customers.parquet");
  const args = [MAIN, "generate", "--rows", String(ROWS), "--n-jobs", String(threads), "--out", out, "--quiet"];
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const processSeconds = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`churn generate ended with ${status}: ${stderr}`);
  const lines = stderr
    .trimEnd()
    .split("\n")
    .map((line): { event: string; durationMs: number } => JSON.parse(line));
  const { durationMs = Number.NaN } = lines.find(({ event }) => event === "generate.finished") ?? {};
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(out)) hash.update(bytes);
  return {
    seconds: durationMs / 1000,
    processSeconds,
    sha256: hash.digest("hex"),
    megabytes: statSync(out).size / 1e6,
  };
}

/** Prints and writes what came out. @returns whether everything holds */
function report(loops: readonly Loop[], files: ReadonlyMap<number, readonly File[]>): boolean {
  const loop = median(loops.map(({ rows, seconds }) => rows / seconds));
  const rates = new Map(
    [...files].map(([threads, made]) => [threads, median(made.map(({ seconds }) => ROWS / seconds))]),
  );
  const all = [...files.values()].flat();
  const checks: Check[] = [
    atLeast("rows a second with two threads", rates.get(2) ?? 0, 3_000_000, 0),
    {
      name: "different files of one and of two threads",
      expected: "0",
      got: String(new Set(all.map(({ sha256 }) => sha256)).size - 1),
      holds: new Set(all.map(({ sha256 }) => sha256)).size === 1,
    },
  ];
  const million = (rate: number): string => (rate / 1e6).toFixed(2);
  const body = [
    "`npm run bench:generate`",
    describeMachine(loops[0].versions),
    [
      `\`churn generate --rows ${ROWS}\`: all 26 columns into a Parquet file of ${all[0].megabytes.toFixed(0)} MB. Rates are of the work, as the command's`,
      "log tells it, from the start of the first thread to the whole file; the process takes a little longer to start. The loop",
      `in Python makes ${LOOP_ROWS} rows of eight evenly distributed columns and writes nothing. Median of ${ROUNDS}.`,
    ].join("\n"),
    markdownTable([
      ["", "million rows a second", "to the loop", "process, start to end, s"],
      ["Python's loop", million(loop), "1.0 ×", ""],
      ...[...rates].map(([threads, rate]) => [
        `\`--n-jobs ${threads}\``,
        million(rate),
        `${(rate / loop).toFixed(1)} ×`,
        median((files.get(threads) ?? []).map(({ processSeconds }) => processSeconds)).toFixed(2),
      ]),
    ]),
    checkTable(checks),
  ].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Generating customers", body);
  return checks.every(({ holds }) => holds);
}
