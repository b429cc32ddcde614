/**
 * Runs a workflow of `.github/workflows` on this machine: jobs in the order of their needs, each in a clone of its own, their `run`
 * steps by bash as GitHub does, with expressions, environment, outputs and summaries. Actions have the local meaning that
 * `workflow-actions.ts` gives them. What it is not: GitHub's runner. Permissions, masking of secrets, time limits and matrices are
 * not modelled.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeYaml } from "../training/src/mlflow/yaml.ts";
import type { StandIn } from "./github-stand-in.ts";
import { ACTIONS, linkPackages } from "./workflow-actions.ts";
import { type Contexts, fill, holds, type Status } from "./workflow-expression.ts";

type Texts = Readonly<Record<string, string>>;

export interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Texts;
  readonly env?: Texts;
  readonly "continue-on-error"?: string;
}

export interface Job {
  readonly needs?: string | readonly string[];
  readonly if?: string;
  readonly permissions?: Texts;
  readonly env?: Texts;
  readonly outputs?: Texts;
  readonly steps: readonly Step[];
}

export interface Workflow {
  readonly on: {
    readonly workflow_dispatch?:
      | {
          readonly inputs: Readonly<
            Record<string, { readonly type?: string; readonly default?: string; readonly options?: readonly string[] }>
          >;
        }
      | string;
  };
  readonly permissions?: Texts;
  readonly jobs: Readonly<Record<string, Job>>;
}

export const readWorkflow = (checkout: string, name: string): Workflow =>
  decodeYaml(readFileSync(join(checkout, ".github/workflows", name), "utf8")) as unknown as Workflow;

export interface RunOptions {
  /** Whose workflow it is, and whose packages are used. */
  readonly checkout: string;
  readonly workflow: string;
  readonly standIn: StandIn;
  readonly event: "schedule" | "workflow_dispatch" | "push" | "pull_request";
  readonly inputs?: Texts;
  readonly secrets?: Texts;
  readonly vars?: Texts;
  /** Only these jobs; without it all. */
  readonly jobs?: readonly string[];
  /** Called with the step's id, name, action or script. */
  readonly beforeStep?: (step: string) => void;
}

type Result = "success" | "failure" | "skipped";

export interface StepResult {
  readonly job: string;
  readonly step: string;
  /** Before `continue-on-error`. */
  readonly outcome: Result;
  /** What an action was given. */
  readonly with: Texts;
  /** What a script printed, and what it noted as outputs. */
  readonly output: string;
  readonly outputs: Texts;
}

export interface RunResult {
  readonly conclusion: "success" | "failure";
  readonly jobs: Readonly<Record<string, Result>>;
  readonly steps: readonly StepResult[];
  readonly summary: string;
  /** Where its artifacts are, a folder each. */
  readonly artifacts: string;
}

export function runWorkflow(options: RunOptions): RunResult {
  return new Run(options).run();
}

let runs = 0;

/** The branch that the event is about. */
const BRANCH = "main";

class Run {
  readonly #options: RunOptions;
  readonly #workflow: Workflow;
  readonly #id = String(++runs);
  readonly #sha: string;
  readonly #folder: string;
  readonly #jobs = new Map<string, { readonly result: Result; readonly outputs: Texts }>();
  readonly #steps: StepResult[] = [];
  #summary = "";

  constructor(options: RunOptions) {
    this.#options = options;
    this.#workflow = readWorkflow(options.checkout, options.workflow);
    this.#sha = options.standIn.git("rev-parse", BRANCH);
    this.#folder = options.standIn.path(`run-${this.#id}`);
  }

  run(): RunResult {
    for (const [name, job] of Object.entries(this.#workflow.jobs)) {
      if (this.#options.jobs?.includes(name) ?? true) this.#runJob(name, job); // what it needs stands before it
    }
    const jobs = Object.fromEntries([...this.#jobs].map(([name, { result }]) => [name, result]));
    const conclusion = Object.values(jobs).includes("failure") ? "failure" : "success";
    return { conclusion, jobs, steps: this.#steps, summary: this.#summary, artifacts: this.#artifacts };
  }

  #runJob(name: string, job: Job): void {
    const needs = [job.needs ?? []].flat().map((need): [string, { result: Result; outputs: Texts }] => {
      const done = this.#jobs.get(need);
      if (done === undefined) throw new Error(`${name} stands before ${need}, which it needs`);
      return [need, done];
    });
    const results = needs.map(([, { result }]) => result);
    const status: Status = {
      hasFailed: results.includes("failure"),
      isSuccess: results.every((result) => result === "success"),
      hashFiles: () => "",
    };
    const contexts = { ...this.#contexts(), needs: Object.fromEntries(needs) };
    if (!holds(job.if, contexts, status)) {
      this.#jobs.set(name, { result: "skipped", outputs: {} });
      return;
    }
    this.#jobs.set(name, new JobRun(name, job, contexts, this.#place(name), this.#options).run(this.#steps));
    const summary = join(this.#place(name).temp, "summary");
    if (existsSync(summary)) this.#summary += readFileSync(summary, "utf8");
  }

  get #artifacts(): string {
    return join(this.#folder, "artifacts");
  }

  #place(job: string): JobPlace {
    const folder = join(this.#folder, job);
    return {
      standIn: this.#options.standIn,
      artifacts: this.#artifacts,
      workspace: join(folder, "workspace"),
      temp: join(folder, "temp"),
      sha: this.#sha,
      branch: BRANCH,
    };
  }

  #contexts(): Contexts {
    const { event, secrets = {}, vars = {} } = this.#options;
    return {
      github: {
        event_name: event,
        event: event === "schedule" ? {} : { repository: { fork: false } }, // a schedule's says nothing of the repository
        ref: `refs/heads/${BRANCH}`,
        ref_name: BRANCH,
        sha: this.#sha,
        run_id: this.#id,
        run_attempt: "1",
        repository: "somebody/churn",
        server_url: "https://github.example",
        token: "a token",
      },
      inputs: event === "workflow_dispatch" ? this.#inputs() : {},
      secrets,
      vars,
      env: {},
      steps: {},
    };
  }

  /** Given or by default; booleans are such. */
  #inputs(): Readonly<Record<string, string | boolean>> {
    const dispatch = this.#workflow.on.workflow_dispatch;
    const declared = typeof dispatch === "object" ? dispatch.inputs : {};
    const given = this.#options.inputs ?? {};
    for (const name of Object.keys(given)) if (!(name in declared)) throw new Error(`there is no input ${name}`);
    const values = Object.entries(declared).map(([name, { type, default: usual = "", options }]) => {
      const value = given[name] ?? usual;
      if (options !== undefined && !options.includes(value)) throw new Error(`${name} cannot be ${value}`);
      return [name, type === "boolean" ? value === "true" : value];
    });
    return Object.fromEntries(values);
  }
}

interface JobPlace {
  readonly standIn: StandIn;
  readonly artifacts: string;
  readonly workspace: string;
  readonly temp: string;
  readonly sha: string;
  readonly branch: string;
}

class JobRun {
  readonly #name: string;
  readonly #job: Job;
  readonly #contexts: Contexts;
  readonly #place: JobPlace;
  readonly #options: RunOptions;
  readonly #steps: Record<string, { outputs: Texts; outcome: Result; conclusion: Result }> = {};
  readonly #environment: Record<string, string> = {};
  #hasFailed = false;

  constructor(name: string, job: Job, contexts: Contexts, place: JobPlace, options: RunOptions) {
    this.#name = name;
    this.#job = job;
    this.#place = place;
    this.#options = options;
    this.#contexts = { ...contexts, runner: { temp: place.temp, os: "Linux" } };
    for (const folder of [place.workspace, place.temp]) mkdirSync(folder, { recursive: true });
    for (const [key, text] of Object.entries(job.env ?? {})) this.#environment[key] = this.#fill(text);
  }

  run(results: StepResult[]): { readonly result: Result; readonly outputs: Texts } {
    for (const step of this.#job.steps) results.push(this.#runStep(step));
    const outputs = Object.entries(this.#job.outputs ?? {}).map(([name, text]) => [name, this.#fill(text)]);
    return { result: this.#hasFailed ? "failure" : "success", outputs: Object.fromEntries(outputs) };
  }

  #now(): Contexts {
    return { ...this.#contexts, env: this.#environment, steps: this.#steps };
  }

  #status(): Status {
    // A name, not a pattern: whether it is there is all that is asked.
    const hashFiles = (path: string): string => (existsSync(join(this.#place.workspace, path)) ? "a hash" : "");
    return { hasFailed: this.#hasFailed, isSuccess: !this.#hasFailed, hashFiles };
  }

  #fill(text: string): string {
    return fill(text, this.#now(), this.#status());
  }

  #fillAll(texts: Texts = {}): Texts {
    return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, this.#fill(text)]));
  }

  #runStep(step: Step): StepResult {
    const name = step.id ?? step.name ?? step.uses ?? step.run ?? "";
    const inputs = this.#fillAll(step.with);
    const result = { job: this.#name, step: name, with: inputs };
    if (!holds(step.if, this.#now(), this.#status())) {
      return { ...result, outcome: "skipped", output: "", outputs: {} };
    }
    this.#options.beforeStep?.(name);
    const { isDone, output, outputs } = step.run === undefined ? this.#act(step, inputs) : this.#runScript(step);
    const outcome = isDone ? "success" : "failure";
    const isForgiven = this.#fill(step["continue-on-error"] ?? "false") === "true";
    if (!isDone && !isForgiven) this.#hasFailed = true;
    if (step.id !== undefined) {
      this.#steps[step.id] = { outputs, outcome, conclusion: isForgiven ? "success" : outcome };
    }
    return { ...result, outcome, output, outputs };
  }

  #act({ uses = "" }: Step, inputs: Texts): Done {
    const action = ACTIONS[uses.split("@")[0]];
    if (action === undefined) throw new Error(`${uses}: say in workflow-actions.ts what it means here`);
    try {
      action(inputs, this.#place);
      return { isDone: true, output: "", outputs: {} };
    } catch (error) {
      return { isDone: false, output: String(error), outputs: {} };
    }
  }

  #runScript({ run = "", env }: Step): Done {
    const { workspace, temp } = this.#place;
    const script = join(temp, "script");
    const files = { GITHUB_OUTPUT: join(temp, "output"), GITHUB_ENV: join(temp, "env") };
    for (const file of Object.values(files)) writeFileSync(file, "");
    writeFileSync(script, this.#fill(run));
    if (run.trim() === "npm ci") linkPackages(this.#options.checkout, workspace);
    const command = run.trim() === "npm ci" ? "true" : `bash -e ${script}`;
    const { status, stdout, stderr } = spawnSync("bash", ["-c", command], {
      cwd: workspace,
      encoding: "utf8",
      env: { ...this.#variables(), ...files, ...this.#environment, ...this.#fillAll(env) },
      maxBuffer: 64 * 1024 * 1024,
    });
    Object.assign(this.#environment, readPairs(files.GITHUB_ENV));
    return { isDone: status === 0, output: `${stdout}${stderr}`, outputs: readPairs(files.GITHUB_OUTPUT) };
  }

  /** Those of a runner, nothing of who runs this test; `node` is the machine's, not the pinned one. */
  #variables(): Texts {
    const { standIn, temp } = this.#place;
    const paths = (process.env.PATH ?? "").split(":").filter((path) => !path.includes("node_modules"));
    const github = this.#contexts.github as Texts;
    const names = ["ref_name", "sha", "run_id", "run_attempt", "repository", "server_url", "event_name"];
    return {
      PATH: [standIn.bin, ...paths].join(":"),
      HOME: standIn.home,
      CI: "true",
      GITHUB_ACTIONS: "true",
      ...Object.fromEntries(names.map((name) => [`GITHUB_${name.toUpperCase()}`, github[name]])),
      GITHUB_STEP_SUMMARY: join(temp, "summary"),
      RUNNER_TEMP: temp,
    };
  }
}

interface Done {
  readonly isDone: boolean;
  readonly output: string;
  readonly outputs: Texts;
}

/** `name=value` lines; this repository's scripts write no others. */
function readPairs(path: string): Texts {
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const sign = line.indexOf("=");
      if (sign < 1 || line.slice(0, sign).includes("<<")) throw new Error(`expected name=value, got ${line}`);
      return [line.slice(0, sign), line.slice(sign + 1)];
    }),
  );
}
