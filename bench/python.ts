/**
 * A Python script as a partner: one JSON document per line to it, one line back for each.
 *
 * The scripts run in bench/.venv or another environment of bench/; bench/python.sh makes them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PYTHON = fileURLToPath(new URL("python.sh", import.meta.url));

export class PythonScript {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /**
   * @param script A module of this repository, as its URL.
   * @param environment Another than bench/.venv.
   */
  constructor(script: URL, environment?: "peers" | "mlflow" | "evidently") {
    const args = [...(environment === undefined ? [] : [`--${environment}`]), fileURLToPath(script)];
    this.#child = spawn(PYTHON, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin?.on("error", () => {}); // it has ended: the missing answer says so
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  /** @returns the script's answer, which both sides agree has this shape */
  async ask<Answer>(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { done, value } = await this.#answers.next();
    if (done) throw new Error(`${this.#child.spawnargs.join(" ")} ended without an answer; it says why above`);
    return JSON.parse(value) as Answer;
  }

  close(): void {
    this.#child.stdin?.end();
  }
}
