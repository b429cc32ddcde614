/**
 * What of GitHub a workflow meets, on this machine: a bare repository, caches, and a `gh` that notes what it is asked and gives
 * answers that are written down. GitHub itself is not asked: whether it takes these calls, no test of this folder says.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A call of `gh`, the text of a `--body-file` with it. */
export interface GhCall {
  readonly args: readonly string[];
  readonly body: string | null;
}

/** Notes a call; answers by the longest written beginning of it. */
const GH = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require("node:fs");
const args = process.argv.slice(2);
const file = args.indexOf("--body-file");
const body = file === -1 ? null : readFileSync(args[file + 1], "utf8");
appendFileSync(__dirname + "/../gh-calls.jsonl", JSON.stringify({ args, body }) + "\\n");
const answers = JSON.parse(readFileSync(__dirname + "/../gh-answers.json", "utf8"));
const known = Object.keys(answers).filter((start) => args.join(" ").startsWith(start));
const [best] = known.sort((a, b) => b.length - a.length);
if (best !== undefined) process.stdout.write(answers[best] + "\\n");
`;

const IDENTITY = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];

export class StandIn {
  readonly #folder: string;
  readonly remote: string;
  readonly caches: string;
  /** For PATH. */
  readonly bin: string;
  readonly home: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.remote = join(folder, "remote.git");
    this.caches = join(folder, "caches");
    this.bin = join(folder, "bin");
    this.home = join(folder, "home");
    for (const path of [this.bin, this.home]) mkdirSync(path, { recursive: true });
    writeFileSync(join(this.bin, "gh"), GH, { mode: 0o755 });
    this.answer({});
  }

  /** A folder of this stand-in. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  answer(answers: Readonly<Record<string, string>>): void {
    writeFileSync(this.path("gh-answers.json"), JSON.stringify(answers));
  }

  ghCalls(): GhCall[] {
    const path = this.path("gh-calls.jsonl");
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  /** A repository with one commit: the files of a checkout as they are, committed or not, without those below `without`. */
  createRemote(checkout: string, without: string): void {
    const seed = this.path("seed");
    const listed = execFileSync("git", ["-C", checkout, "ls-files", "-z", "-co", "--exclude-standard"], {
      encoding: "utf8",
    });
    for (const name of listed.split("\0")) {
      if (name === "" || name.startsWith(without) || !existsSync(join(checkout, name))) continue;
      mkdirSync(dirname(join(seed, name)), { recursive: true });
      cpSync(join(checkout, name), join(seed, name));
    }
    execFileSync("git", ["init", "--quiet", "--initial-branch", "main", seed]);
    this.#commit(seed, "The beginning");
    execFileSync("git", ["clone", "--quiet", "--bare", seed, this.remote]);
  }

  /** Another one with the same repository and caches, as they are now. */
  copy(folder: string): StandIn {
    for (const path of [this.remote, this.caches]) {
      if (existsSync(path)) cpSync(path, path.replace(this.#folder, folder), { recursive: true });
    }
    return new StandIn(folder);
  }

  /** Somebody pushes a change. */
  pushAsSomebody(name: string, text: string): void {
    const clone = this.path(`somebody-${Date.now()}-${Math.random()}`);
    execFileSync("git", ["clone", "--quiet", this.remote, clone]);
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    writeFileSync(join(clone, name), text);
    this.#commit(clone, `Change ${name}`);
    execFileSync("git", ["-C", clone, "push", "--quiet"]);
  }

  /** What git says of the repository. */
  git(...args: string[]): string {
    return execFileSync("git", ["-C", this.remote, ...args], { encoding: "utf8" }).trim();
  }

  #commit(folder: string, message: string): void {
    execFileSync("git", ["-C", folder, "add", "--all", "--force"]);
    execFileSync("git", ["-C", folder, ...IDENTITY, "commit", "--quiet", "--message", message]);
  }
}
