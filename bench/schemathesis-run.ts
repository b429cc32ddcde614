/**
 * Schemathesis (https://schemathesis.readthedocs.io) against a running service: it reads the OpenAPI document, makes
 * requests that fit it and requests that do not, and compares the answers with what the document says.
 *
 * All checks of all phases but one: stateful, as the document has no links. It runs in bench/.venv-schemathesis;
 * bench/python.sh --schemathesis makes it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ENVIRONMENT = new URL(".venv-schemathesis/", import.meta.url);
const HERE = fileURLToPath(new URL(".", import.meta.url));
const PYTHON = fileURLToPath(new URL("python.sh", import.meta.url));
const SCRIPT = fileURLToPath(new URL("bin/schemathesis", ENVIRONMENT));

export const isSchemathesisMissing = !existsSync(new URL("requirements.txt", ENVIRONMENT));

export interface SchemathesisOptions {
  readonly url: string;
  readonly key: string;
  /** For its reports. */
  readonly folder: string;
  readonly seed: number;
  /** Most fuzzed requests per operation. */
  readonly maxExamples: number;
}

/** What of the report is used here; docs: `--report json`. */
export interface SchemathesisReport {
  readonly schemathesis_version: string;
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number; readonly unique_failures: number; readonly errored: number };
  readonly failures: readonly {
    readonly title: string;
    readonly count: number;
    readonly operations: readonly string[];
  }[];
  readonly errors: readonly unknown[];
  /** Operations by what is odd about them. */
  readonly warnings: Readonly<Record<string, readonly unknown[]>>;
}

export interface SchemathesisResult {
  readonly report: SchemathesisReport;
  /** What it printed: every failure with its smallest example, as a `curl` command. */
  readonly output: string;
}

/** @throws when it could not run, or not to its end; what it found is in the result */
export async function runSchemathesis(options: SchemathesisOptions): Promise<SchemathesisResult> {
  const { url, key, folder, seed, maxExamples } = options;
  const path = join(folder, `schemathesis-${seed}.json`);
  const args = [
    ...["--schemathesis", SCRIPT, "run", `${url}/docs/json`],
    ...["--header", `Authorization: Bearer ${key}`],
    ...["--phases", "examples,coverage,fuzzing", "--checks", "all", "--continue-on-failure"],
    ...["--max-examples", String(maxExamples), "--seed", String(seed), "--generation-database", "none"],
    // One thread: two that parse code at once make Python up to 3.11.7 fail now and then (python/cpython#106905).
    ...["--workers", "1", "--report", "json", "--report-json-path", path, "--no-color"],
  ];
  const env = { ...process.env, SCHEMATHESIS_HOOKS: "schemathesis_hooks", PYTHONPATH: HERE };
  const child = spawn(PYTHON, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (part) => {
      output += part;
    });
  }
  await once(child, "close");
  if (!existsSync(path)) throw new Error(`schemathesis did not run; it said:\n${output}`);
  const report = JSON.parse(readFileSync(path, "utf8")) as SchemathesisReport;
  if (!report.complete) throw new Error(`schemathesis stopped early; it said:\n${output}`);
  return { report, output };
}
