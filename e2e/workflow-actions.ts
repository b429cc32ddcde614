/**
 * What actions of a workflow mean on this machine: a checkout is a clone, artifacts and caches are folders. The others need GitHub;
 * they are recorded with what they are given, and not run.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { StandIn } from "./github-stand-in.ts";

export interface ActionPlace {
  readonly standIn: StandIn;
  /** Of the run: its artifacts. */
  readonly artifacts: string;
  readonly workspace: string;
  /** The commit and branch that the event is about. */
  readonly sha: string;
  readonly branch: string;
}

type Inputs = Readonly<Record<string, string>>;

/** By name without version. @throws where the action would fail */
export const ACTIONS: Readonly<Record<string, (inputs: Inputs, place: ActionPlace) => void>> = {
  "actions/checkout": (_, { standIn, workspace, sha, branch }) => {
    // As it is, whatever `fetch-depth` says: the event's commit, though the branch may have moved on.
    git("clone", "--quiet", standIn.remote, workspace);
    git("-C", workspace, "update-ref", `refs/remotes/origin/${branch}`, sha);
    git("-C", workspace, "checkout", "--quiet", "-B", branch, sha);
  },
  "actions/setup-node": () => {}, // the machine's own
  "actions/attest": () => {}, // only GitHub signs
  "actions/upload-artifact": ({ name, path, "if-no-files-found": missing }, { artifacts, workspace }) => {
    const paths = lines(path).filter((one) => existsSync(join(workspace, one)));
    if (paths.length === 0 && missing === "error") throw new Error(`no files in ${path}`);
    for (const one of paths) copy(join(workspace, one), join(artifacts, name, one));
  },
  "actions/download-artifact": ({ name, path }, { artifacts, workspace }) => {
    copy(join(artifacts, name), resolve(workspace, path));
  },
  "actions/cache/restore": ({ path, key, "restore-keys": others = "" }, { standIn, workspace }) => {
    const names = existsSync(standIn.caches) ? readdirSync(standIn.caches) : [];
    const newest = names.sort((a, b) => ageOf(standIn, a) - ageOf(standIn, b));
    const found = [key, ...lines(others)].map((prefix) => newest.find((name) => name.startsWith(prefix)));
    const entry = found.find((name) => name !== undefined);
    if (entry !== undefined) copy(join(standIn.caches, entry), join(workspace, path));
  },
  "actions/cache/save": ({ path, key }, { standIn, workspace }) =>
    copy(join(workspace, path), join(standIn.caches, key)),
};

const ageOf = ({ caches }: StandIn, name: string): number => -statSync(join(caches, name)).mtimeMs;
const lines = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
}

function git(...args: string[]): void {
  const { status, stderr } = spawnSync("git", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
}

/**
 * What `npm ci` gives, without a network and in no time: the packages that are installed in a checkout with the same lock file. The
 * workspaces are the clone's own, so that it runs its own code.
 */
export function linkPackages(checkout: string, clone: string): void {
  const lockOf = (folder: string): string => readFileSync(join(folder, "package-lock.json"), "utf8");
  if (lockOf(checkout) !== lockOf(clone)) throw new Error("expected the lock file of the checkout");
  const [from, to] = [join(checkout, "node_modules"), join(clone, "node_modules")];
  rmSync(to, { recursive: true, force: true });
  mkdirSync(join(to, "@churn"), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === ".bin") cpSync(join(from, name), join(to, name), { recursive: true, verbatimSymlinks: true });
    else if (name !== "@churn") symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, "@churn"))) {
    symlinkSync(relative(join(to, "@churn"), join(clone, name)), join(to, "@churn", name));
  }
}
