/**
 * The service beside the usual Python one, both started in turn as processes: requests a second, latency, processor,
 * memory, start.
 *
 *     npm run bench:serve [-- --quick]
 *
 * Same forest (scikit-learn gets our trees), same requests; first it is checked that the answers are the same. Ours has
 * everything on (churn-service.ts). Needs wrk, and Python with venv. Exit code 1 when a figure that must hold fails; with
 * --quick times are short, and nothing is written.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { markdownTable } from "../training/src/report/text.ts";
import { countPredictions, KEY, MODEL, startService, storedPredictions } from "./churn-service.ts";
import { controlGroupFault, makeControlGroup } from "./control-group.ts";
import { customerRequests } from "./customer-requests.ts";
import { jsonHeaders } from "./http-client.ts";
import {
  atLeast,
  atMost,
  type Check,
  checkTable,
  describeMachine,
  type Findings,
  median,
  writeSection,
} from "./results.ts";
import { freePort, type ServerProcess, startServer } from "./server-process.ts";
import { checkWrk, type Load, runWrk } from "./wrk.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PYTHON = join(HERE, ".venv-serve/bin/python");
const REQUIREMENTS = join(HERE, "requirements-serve.txt");

const { quick } = parseArgs({ options: { quick: { type: "boolean", default: false } } }).values;
const SIZE = quick
  ? { rounds: 1, warmUpSeconds: 1, seconds: 3, groupRounds: 1, groupWarmUpSeconds: 3, groupSeconds: 5 }
  : { rounds: 5, warmUpSeconds: 3, seconds: 10, groupRounds: 3, groupWarmUpSeconds: 10, groupSeconds: 30 };
const CUSTOMERS = 300;
const [ONE, MANY] = [1, 64] as const; // connections
/** The free plan of the host that render.yaml deploys to. */
const PLAN = { processors: 0.1, mebibytes: 512 };
/** A sum of 300 leaves in another order. */
const SAME_SCORE = 1e-12;

type SideName = "seed" | "ours";
const SIDE_NAMES = { seed: "FastAPI, pandas, scikit-learn", ours: "this service" } as const;

interface Measured extends Load {
  readonly rate: number;
  readonly processorMicros: number; // per request
}

interface Round {
  readonly startSeconds: number;
  readonly loads: ReadonlyMap<number, Measured>; // by connections
  readonly mebibytes: number;
  readonly peakMebibytes: number;
}

interface Plan {
  readonly connections: readonly number[];
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly workers?: number;
  readonly groups?: readonly string[];
}

checkWrk();
const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
const bodies = join(folder, "bodies.jsonl");
const pickle = join(folder, "model.pkl");
let started = 0;
try {
  execFileSync(join(HERE, "python.sh"), ["--serve", join(HERE, "seed_model.py"), MODEL, pickle]);
  const requests = customerRequests(folder, CUSTOMERS);
  writeFileSync(bodies, `${requests.join("\n")}\n`);
  const findings = [await compareAnswers(requests), await sideBySide(requests[0]), await inControlGroup(requests[0])];
  if (!report(findings) && !quick) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// --- the two sides -----------------------------------------------------------------------------------------

interface Side {
  readonly server: ServerProcess;
  readonly key?: string;
  /** Ends it. @throws when it has lost a record */
  end(): Promise<void>;
}

/** Each start has a folder of its own, and so a store. */
async function start(side: SideName, probe: string, { workers = 1, groups = [] }: Partial<Plan> = {}): Promise<Side> {
  const home = join(folder, `${side}-${started++}`);
  mkdirSync(home);
  if (side === "ours") {
    const server = await startService({ folder: home, probe, workers, groups });
    return { server, key: KEY, end: () => endCounted(server, home) };
  }
  const port = String(await freePort());
  const server = await startServer({
    command: [PYTHON, "-m", "uvicorn", "seed_service:app", "--host", "127.0.0.1", "--port", port],
    environment: { MODEL: pickle },
    workingDirectory: HERE,
    log: join(home, "service.log"),
    url: `http://127.0.0.1:${port}`,
    probe,
    groups,
  });
  return { server, end: () => server.kill() }; // it has a queue to work off, and nothing to keep
}

async function endCounted(server: ServerProcess, home: string): Promise<void> {
  const { answered, made } = await countPredictions(server.url);
  await server.stop();
  const { records, distinct } = storedPredictions(home);
  if (answered > made || records !== made || distinct !== made) {
    const counts = `${made} predictions made, ${answered} answered with 200`;
    throw new Error(`void: ${counts}, ${records} stored, ${distinct} of them distinct`);
  }
}

// --- answers -----------------------------------------------------------------------------------------------

/** The forest's score of every customer by both. */
async function compareAnswers(requests: readonly string[]): Promise<Findings> {
  const scores = async (name: SideName, path: string, field: string): Promise<number[]> => {
    const side = await start(name, requests[0]);
    const found: number[] = [];
    for (const body of requests) {
      const response = await fetch(`${side.server.url}${path}`, {
        method: "POST",
        headers: jsonHeaders(side.key),
        body,
      });
      if (response.status !== 200) throw new Error(`${name}: expected 200, got ${response.status} for ${body}`);
      found.push(((await response.json()) as Record<string, number>)[field]);
    }
    await side.end();
    return found;
  };
  const seed = await scores("seed", "/predict", "churn_probability");
  const ours = await scores("ours", "/predict?explain=true", "forest_score");
  const differences = ours.map((score, i) => Math.abs(score - seed[i]));
  const isDifferent = differences.some((difference) => !(difference <= SAME_SCORE));
  if (isDifferent) throw new Error(`void: scores differ by up to ${Math.max(...differences)}`);
  const nEqual = differences.filter((difference) => difference === 0).length;
  return {
    versions: {},
    text: [
      [
        `Both serve the forest of models/best_model, scikit-learn as its own RandomForestClassifier of the same trees. Of ${CUSTOMERS}`,
        `generated customers the forest's scores are the same within ${SAME_SCORE} (${nEqual} bit for bit; ${new Set(ours).size} different ones);`,
        "the load rotates over these customers.",
      ].join("\n"),
    ],
    checks: [],
  };
}

// --- load --------------------------------------------------------------------------------------------------

async function measure(side: SideName, probe: string, plan: Plan): Promise<Round> {
  const { server, key, end } = await start(side, probe, plan);
  const load = (connections: number, seconds: number): Promise<Load> =>
    runWrk(`${server.url}/predict`, bodies, { connections, seconds, ...(key !== undefined && { key }) });
  await load(ONE, plan.warmUpSeconds);
  const loads = new Map<number, Measured>();
  for (const connections of plan.connections) {
    const before = server.usage().processorSeconds;
    const measured = await load(connections, plan.seconds);
    const used = server.usage().processorSeconds - before;
    const { requests, seconds } = measured;
    loads.set(connections, { ...measured, rate: requests / seconds, processorMicros: (1e6 * used) / requests });
  }
  const { mebibytes, peakMebibytes } = server.usage();
  await end();
  process.stderr.write(`${side}: ${[...loads].map(([c, { rate }]) => `${rate.toFixed(0)}/s at ${c}`).join(", ")}\n`);
  return { startSeconds: server.startSeconds, loads, mebibytes, peakMebibytes };
}

type Rounds = Readonly<Record<SideName, readonly Round[]>>;

/** Rounds of both, each first in turn. */
async function measureBoth(rounds: number, probe: string, plan: Plan): Promise<Rounds> {
  const measured = { seed: [] as Round[], ours: [] as Round[] };
  for (let round = 0; round < rounds; round++) {
    const order: readonly SideName[] = round % 2 === 0 ? ["seed", "ours"] : ["ours", "seed"];
    for (const side of order) measured[side].push(await measure(side, probe, plan));
  }
  return measured;
}

function medianOf(rounds: readonly Round[], figure: (round: Round) => number): number {
  return median(rounds.map(figure));
}

function loadOf(round: Round, connections: number): Measured {
  return round.loads.get(connections) as Measured;
}

/** Ours over the seed's, round by round. */
function rateRatio({ seed, ours }: Rounds, connections: number): number {
  return median(ours.map((round, i) => loadOf(round, connections).rate / loadOf(seed[i], connections).rate));
}

async function sideBySide(probe: string): Promise<Findings> {
  const plan = { connections: [ONE, MANY], warmUpSeconds: SIZE.warmUpSeconds, seconds: SIZE.seconds };
  const rounds = await measureBoth(SIZE.rounds, probe, plan);
  const twoWorkers = await measure("ours", probe, { ...plan, workers: 2 });
  const ours = (figure: (round: Round) => number): number => medianOf(rounds.ours, figure);
  return {
    versions: { wrk: wrkVersion(), ...pythonVersions() },
    text: [
      [
        "Ours has everything on: keys, validation, a line of log per prediction, metrics, the prediction store (SQLite). Theirs has",
        `one worker, and logs the record. \`wrk\` on the same machine, ${SIZE.seconds} s each after a warm-up; ${SIZE.rounds} rounds with fresh`,
        "processes, each side first in turn; medians. In no run was an answer other than 200, and after each the store held",
        "exactly one record per prediction. With two workers: one run, for information.",
      ].join("\n"),
      loadTable([ONE, MANY], { ...namedSides(rounds), [`${SIDE_NAMES.ours}, WEB_CONCURRENCY=2`]: [twoWorkers] }),
    ],
    checks: [
      atLeast(`requests/s at ${MANY} connections, times theirs`, rateRatio(rounds, MANY), 150, 0),
      atLeast(`requests/s at ${ONE} connection, times theirs`, rateRatio(rounds, ONE), 100, 0),
      atMost(
        `p99 at ${ONE} connection, ms`,
        ours((round) => loadOf(round, ONE).p99),
        3,
        2,
      ),
      atMost(
        `p99 at ${MANY} connections, ms`,
        ours((round) => loadOf(round, MANY).p99),
        15,
        2,
      ),
      atMost("memory after the load, MB", (ours((round) => round.mebibytes) * 2 ** 20) / 1e6, 220, 0),
    ],
  };
}

async function inControlGroup(probe: string): Promise<Findings> {
  const where = `a control group of ${PLAN.processors} processors and ${PLAN.mebibytes} MiB`;
  const fault = controlGroupFault();
  if (fault !== undefined) return { versions: {}, text: [`Left out: ${where} (${fault}).`], checks: [] };
  const group = makeControlGroup(PLAN.processors, PLAN.mebibytes);
  try {
    const plan = { connections: [MANY], warmUpSeconds: SIZE.groupWarmUpSeconds, seconds: SIZE.groupSeconds };
    const rounds = await measureBoth(SIZE.groupRounds, probe, { ...plan, groups: group.files });
    const ours = (figure: (round: Round) => number): number => medianOf(rounds.ours, figure);
    return {
      versions: {},
      text: [
        `The same in ${where}, the load from outside; ${SIZE.groupRounds} rounds of ${SIZE.groupSeconds} s.`,
        loadTable([MANY], namedSides(rounds)),
      ],
      checks: [
        atMost(
          "in the group: first answer, s",
          ours((round) => round.startSeconds),
          9,
          1,
        ),
        atLeast(
          "in the group: requests/s",
          ours((round) => loadOf(round, MANY).rate),
          150,
          0,
        ),
      ],
    };
  } finally {
    group.remove();
  }
}

// -----------------------------------------------------------------------------------------------------------

function namedSides({ seed, ours }: Rounds): Record<string, readonly Round[]> {
  return { [SIDE_NAMES.seed]: seed, [SIDE_NAMES.ours]: ours };
}

function loadTable(connections: readonly number[], sides: Readonly<Record<string, readonly Round[]>>): string {
  const perLoad = ["requests/s", "p50, ms", "p99, ms", "processor ms per request"];
  const row = (rounds: readonly Round[]): string[] => {
    const loads = connections.flatMap((count) => {
      const figure = (read: (load: Measured) => number): number =>
        medianOf(rounds, (round) => read(loadOf(round, count)));
      return [
        figure(({ rate }) => rate).toFixed(0),
        figure(({ p50 }) => p50).toFixed(2),
        figure(({ p99 }) => p99).toFixed(2),
        (figure(({ processorMicros }) => processorMicros) / 1000).toFixed(3),
      ];
    });
    const [seconds, mebibytes, peak] = (["startSeconds", "mebibytes", "peakMebibytes"] as const).map((what) =>
      medianOf(rounds, (round) => round[what]),
    );
    return [...loads, seconds.toFixed(2), mebibytes.toFixed(0), peak.toFixed(0)];
  };
  const loadHeaders = connections.flatMap((count) => perLoad.map((what) => `${what}, at ${count}`));
  return markdownTable([
    ["", ...loadHeaders, "start to first 200, s", "memory, MiB", "peak, MiB"],
    ...Object.entries(sides).map(([name, rounds]) => [name, ...row(rounds)]),
  ]);
}

function wrkVersion(): string {
  return /^wrk (?:debian\/)?(\S+)/.exec(spawnSync("wrk", ["-v"], { encoding: "utf8" }).stdout)?.[1] ?? "?";
}

function pythonVersions(): Record<string, string> {
  const pins = readFileSync(REQUIREMENTS, "utf8");
  const names = ["fastapi", "uvicorn", "pandas", "scikit-learn"];
  const python = execFileSync(PYTHON, ["--version"], { encoding: "utf8" }).replace("Python", "").trim();
  return {
    Python: python,
    ...Object.fromEntries(names.map((name) => [name, new RegExp(`^${name}==(\\S+)`, "m").exec(pins)?.[1] ?? "?"])),
  };
}

/** Prints, and at full size writes, what came out. @returns whether everything holds */
function report(findings: readonly Findings[]): boolean {
  const checks: readonly Check[] = findings.flatMap((part) => part.checks);
  const versions = Object.assign({}, ...findings.map((part) => part.versions));
  const text = findings.flatMap((part) => part.text);
  const body = ["`npm run bench:serve`", describeMachine(versions), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (quick) process.stdout.write("\n--quick: what must hold is meant for the full size\n");
  else writeSection("Serving", body);
  return checks.every(({ holds }) => holds);
}
