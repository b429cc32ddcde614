/**
 * How long the loop takes: new customers, drift check, challenger, gate, promotion, commit.
 *
 *     npm run bench:retrain [-- --rows 200000]
 *
 * In a repository of its own with the committed champion; the month is one in which prices have risen, so all of the loop is
 * run. With another number of rows nothing is written.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownTable } from "../training/src/report/text.ts";
import type { RetrainResult } from "../training/src/retraining/result.ts";
import { readCount } from "./command.ts";
import { atMost, checkTable, describeMachine, median, writeSection } from "./results.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ROWS = 200_000;
const RUNS = 3;

const rows = readCount("rows", ROWS);
const times: Record<string, number[]> = { "churn retrain": [], "git commit": [], all: [] };
for (let run = 0; run < RUNS; run++) {
  const [loop, commit] = retrainOnce(10 + run);
  for (const [name, seconds] of Object.entries({ "churn retrain": loop, "git commit": commit, all: loop + commit })) {
    times[name].push(seconds);
  }
}
const checks = [atMost("drift, challenger, gate, promotion, commit: s", median(times.all), 60, 1)];
const body = [
  "`npm run bench:retrain`",
  describeMachine({}),
  `${rows} customers of a month in which prices have risen, against the champion; ${RUNS} runs.`,
  markdownTable([
    ["", "median", "from – to"],
    ...Object.entries(times).map(([name, seconds]) => [
      name,
      `${median(seconds).toFixed(1)} s`,
      `${Math.min(...seconds).toFixed(1)} – ${Math.max(...seconds).toFixed(1)}`,
    ]),
  ]),
  checkTable(checks),
].join("\n\n");
process.stdout.write(`${body}\n`);
if (rows === ROWS) {
  writeSection("Retraining", body);
  if (!checks.every(({ holds }) => holds)) process.exitCode = 1;
}

/** @returns seconds of the loop, and of the commit */
function retrainOnce(seed: number): readonly [number, number] {
  const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
  try {
    for (const name of ["models", "datasets"]) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    writeFileSync(join(folder, ".gitignore"), "/data/\n/mlruns/\n/reports/\n/models/.*\n");
    const git = (...args: string[]): string =>
      execFileSync("git", ["-c", "user.name=bench", "-c", "user.email=bench@localhost", ...args], {
        cwd: folder,
        encoding: "utf8",
      });
    git("init", "--quiet");
    git("add", "--all");
    git("commit", "--quiet", "--message", "before");
    const options = ["--rows", String(rows), "--month", "3", "--scenario", "price-increase", "--seed", String(seed)];
    const start = performance.now();
    const answer = execFileSync(
      process.execPath,
      [join(ROOT, "training/src/main.ts"), "retrain", ...options, "--json"],
      {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, LOG_LEVEL: "warn" },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const { outcome } = JSON.parse(answer) as RetrainResult;
    if (outcome !== "promoted") throw new Error(`expected a promotion, got ${outcome}`);
    const middle = performance.now();
    git("add", "models");
    git("commit", "--quiet", "--message", "promote");
    return [(middle - start) / 1000, (performance.now() - middle) / 1000];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
