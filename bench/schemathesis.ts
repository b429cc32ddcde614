/**
 * The service under generated requests, valid and not: no 5xx, no answer that its OpenAPI document does not promise, no
 * field that breaks a schema, nothing open without a key.
 *
 *     npm run bench:schemathesis
 *
 * Runs by different seeds until there are 20,000 requests. Exit code 1 when a figure that must hold fails; every failure
 * is printed with its smallest example.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markdownTable } from "../training/src/report/text.ts";
import { KEY, startService } from "./churn-service.ts";
import { customerRequests } from "./customer-requests.ts";
import { atLeast, atMost, checkTable, describeMachine, type Findings, writeSection } from "./results.ts";
import { runSchemathesis, type SchemathesisReport } from "./schemathesis-run.ts";

const REQUESTS = 20_000;
const MAX_EXAMPLES = 2_000;
const FIRST_SEED = 2026;
/** So that a document without operations does not keep it going for ever. */
const MOST_RUNS = 30;

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  if (!report(findings(await generateRequests()))) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function generateRequests(): Promise<SchemathesisReport[]> {
  const [probe] = customerRequests(folder, 1);
  const server = await startService({ folder, probe });
  const reports: SchemathesisReport[] = [];
  for (let generated = 0; generated < REQUESTS && reports.length < MOST_RUNS; ) {
    const seed = FIRST_SEED + reports.length;
    const { report, output } = await runSchemathesis({
      ...{ url: server.url, key: KEY, folder, seed, maxExamples: MAX_EXAMPLES },
    });
    reports.push(report);
    generated += report.test_cases.generated;
    const { unique_failures, errored } = report.test_cases;
    if (unique_failures > 0 || errored > 0 || report.errors.length > 0) process.stderr.write(output);
    process.stderr.write(`seed ${seed}: ${generated} requests so far\n`);
  }
  await server.stop();
  return reports;
}

function findings(reports: readonly SchemathesisReport[]): Findings {
  const sum = (figure: (report: SchemathesisReport) => number): number =>
    reports.reduce((total, report) => total + figure(report), 0);
  const { operations, schemathesis_version: version } = reports[0];
  const failures = Map.groupBy(
    reports.flatMap((report) => report.failures),
    ({ title }) => title,
  );
  const rows = [...failures].map(([title, found]) => [
    title,
    String(found.reduce((total, { count }) => total + count, 0)),
    [...new Set(found.flatMap(({ operations: names }) => names))].join(", "),
  ]);
  return {
    versions: { Schemathesis: version },
    text: [
      [
        `All checks (of status, content type, headers and body against the OpenAPI document; that valid requests are accepted,`,
        "and invalid ones, undeclared methods and requests without a key refused), phases examples, coverage and fuzzing,",
        `${reports.length} runs of different seeds, ${operations.tested} of ${operations.total} operations, everything on as in Serving.`,
      ].join("\n"),
      ...(rows.length > 0 ? [markdownTable([["failure", "times", "operations"], ...rows])] : []),
    ],
    checks: [
      atLeast(
        "requests",
        sum(({ test_cases }) => test_cases.generated),
        REQUESTS,
        0,
      ),
      atMost(
        "failures",
        sum(({ test_cases }) => test_cases.unique_failures),
        0,
        0,
      ),
      atMost(
        "errors of the run",
        sum(({ test_cases, errors }) => test_cases.errored + errors.length),
        0,
        0,
      ),
      atMost("operations left out", operations.total - operations.tested, 0, 0),
    ],
  };
}

/** Prints and writes what came out. @returns whether everything holds */
function report({ versions, text, checks }: Findings): boolean {
  const body = ["`npm run bench:schemathesis`", describeMachine(versions), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  writeSection("Serving: generated requests", body);
  return checks.every(({ holds }) => holds);
}
