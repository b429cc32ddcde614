/** Runs the `churn` command as a user does, as a process; for tests. */
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
/** Runs of tests are nobody's to keep. */
const RUNS = pathToFileURL(join(tmpdir(), "churn-test-runs"));
const run = promisify(execFile);

/** @returns what it printed; rejects when it did not end with 0 */
export async function churn(...args: string[]): Promise<string> {
  const env = { ...process.env, LOG_LEVEL: "silent", MLFLOW_TRACKING_URI: String(RUNS) };
  const { stdout } = await run(process.execPath, [MAIN, ...args], { env, maxBuffer: 2 ** 26 });
  return stdout;
}
