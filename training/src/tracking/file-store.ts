/**
 * Runs in a folder, in the layout of MLflow's own file store: no server and no Python is needed to write it, and
 * `mlflow migrate-filestore` takes it.
 *
 *     mlruns/<experiment>/<run>/          meta.yaml params/ metrics/ tags/ inputs/ outputs/ artifacts/
 *     mlruns/<experiment>/datasets/<id>/  meta.yaml
 *     mlruns/<experiment>/models/<id>/    meta.yaml params/ metrics/ tags/ artifacts/
 *
 * A run is written aside and renamed: a reader finds it whole or not at all.
 *
 * @source mlflow/store/tracking/file_store.py (3.17)
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { asidePath, ChurnError, makeFolders, removeAbandoned, sha256 } from "@churn/contract";
import { encodeYaml } from "../mlflow/yaml.ts";
import { type Experiment, META_FILE, readData, readInfo, readRun, subfolders, tryReadMeta } from "./file-reader.ts";
import { removeAtOnce, writeModel, writeRun } from "./file-writer.ts";
import type { Run, RunData, RunInfo } from "./run.ts";

/** What stands in an experiment's folder beside its runs. */
const RESERVED: ReadonlySet<string> = new Set(["tags", "datasets", "traces", "models"]);
/** The experiment that MLflow's clients write to when nobody names one. */
const DEFAULT_EXPERIMENT = { id: "0", name: "Default" };

export class FileStore {
  /** Absolute. */
  readonly root: string;

  constructor(folder: string) {
    this.root = resolve(folder);
  }

  /** @returns the run's folder @throws Error when it cannot be written */
  writeRun(experimentName: string, run: Run): string {
    const experiment = this.#experiment(experimentName);
    const { runId, model } = run;
    if (model !== undefined) writeModel(experiment, runId, model);
    try {
      return writeRun(experiment, run);
    } catch (error) {
      if (model !== undefined) removeAtOnce(experiment, join(experiment.folder, "models", model.modelId));
      throw error;
    }
  }

  /** What can be read of the runs, the newest first, and what is no run. @param experimentName All without it. */
  listRuns(experimentName?: string): { readonly runs: RunInfo[]; readonly damaged: string[] } {
    const damaged: string[] = [];
    const runs: RunInfo[] = [];
    for (const { folder } of this.#experiments(damaged).filter(({ name }) => name === (experimentName ?? name))) {
      for (const id of subfolders(folder).filter((name) => !RESERVED.has(name))) {
        try {
          const info = readInfo(join(folder, id));
          if (info !== undefined) runs.push(info);
        } catch {
          damaged.push(join(folder, id));
        }
      }
    }
    return { runs: runs.sort((a, b) => b.startTime - a.startTime), damaged };
  }

  hasRun(runId: string): boolean {
    return this.#experiments().some(({ folder }) => existsSync(join(folder, runId, META_FILE)));
  }

  /** @throws CHURN_ERR_FILE_MISSING; Error for a run that is damaged */
  readRun(runId: string): Run & { readonly experiment: string } {
    const experiment = this.#experimentOf(runId);
    return { ...readRun(experiment, runId), experiment: experiment.name };
  }

  /** A run without its files. @throws CHURN_ERR_FILE_MISSING; Error for a run that is damaged */
  readData(runId: string): RunInfo & RunData {
    return readData(this.#experimentOf(runId), runId);
  }

  /** @throws CHURN_ERR_FILE_MISSING */
  runFolder(runId: string): string {
    return join(this.#experimentOf(runId).folder, runId);
  }

  /** @throws CHURN_ERR_FILE_MISSING */
  modelFolder(modelId: string): string {
    const folders = this.#experiments().map(({ folder }) => join(folder, "models", modelId));
    const found = folders.find((folder) => existsSync(join(folder, META_FILE)));
    if (found === undefined) throw missing(`no logged model ${modelId} in ${this.root}`);
    return found;
  }

  /** Takes away a run and the model that it made. */
  removeRun(runId: string): void {
    for (const { folder } of this.#experiments()) {
      const run = join(folder, runId);
      if (!existsSync(run)) continue;
      const models = subfolders(join(run, "outputs"));
      removeAtOnce({ folder }, run);
      for (const model of models) rmSync(join(folder, "models", model), { recursive: true, force: true });
    }
  }

  #experimentOf(runId: string): Experiment {
    const found = this.#experiments().find(({ folder }) => existsSync(join(folder, runId, META_FILE)));
    if (found === undefined) throw missing(`no run ${runId} in ${this.root}`);
    return found;
  }

  /** @param damaged Gets the folders of those that cannot be read. @throws CHURN_ERR_FILE_UNREADABLE */
  #experiments(damaged: string[] = []): Experiment[] {
    return this.#folders().flatMap((id): Experiment[] => {
      if (!/^\d+$/.test(id)) return [];
      const folder = join(this.root, id);
      const meta = tryReadMeta(folder);
      if (meta === undefined && existsSync(join(folder, META_FILE))) damaged.push(folder);
      return meta === undefined || meta.lifecycle_stage === "deleted" ? [] : [{ id, name: String(meta.name), folder }];
    });
  }

  #folders(): string[] {
    try {
      const facts = statSync(this.root, { throwIfNoEntry: false });
      if (facts?.isDirectory() === false) throw new Error("it is a file");
      return subfolders(this.root);
    } catch (cause) {
      const message = `${this.root}: expected a folder of runs: ${(cause as Error).message}`;
      throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", message, { cause });
    }
  }

  /** The experiment of a name; it is made where there is none. */
  #experiment(name: string): Experiment {
    const existing = this.#experiments().find((one) => one.name === name);
    if (existing !== undefined) return existing;
    const trash = join(this.root, ".trash");
    if (subfolders(trash).some((id) => tryReadMeta(join(trash, id))?.name === name)) {
      throw new Error(`the experiment "${name}" is deleted: restore it, or name another in MLFLOW_EXPERIMENT_NAME`);
    }
    if (!existsSync(this.root)) this.#makeExperiment(DEFAULT_EXPERIMENT.name, DEFAULT_EXPERIMENT.id);
    return name === DEFAULT_EXPERIMENT.name
      ? this.#makeExperiment(name, DEFAULT_EXPERIMENT.id)
      : this.#makeExperiment(name, String(this.#idOf(name)));
  }

  /** Follows from the name, so that two programs that make the same experiment at once make it once. */
  #idOf(name: string): number {
    // Nine digits: MLflow's databases keep 32 bits of it.
    let id = 100_000_000 + (Number.parseInt(sha256(name).slice(0, 12), 16) % 900_000_000);
    // What is there under another name, or damaged, is somebody's.
    const isTaken = (folder: string): boolean => existsSync(folder) && tryReadMeta(folder)?.name !== name;
    while (isTaken(join(this.root, String(id)))) id++;
    return id;
  }

  #makeExperiment(name: string, id: string): Experiment {
    const folder = join(this.root, id);
    const now = Date.now();
    makeFolders(this.root);
    const aside = asidePath(folder);
    try {
      removeAbandoned(folder);
      mkdirSync(join(aside, "datasets"), { recursive: true });
      const meta = {
        artifact_location: pathToFileURL(folder).href,
        creation_time: now,
        experiment_id: id,
        last_update_time: now,
        lifecycle_stage: "active",
        name,
      };
      writeFileSync(join(aside, META_FILE), encodeYaml(meta));
      renameSync(aside, folder);
    } catch (error) {
      rmSync(aside, { recursive: true, force: true });
      if (tryReadMeta(folder)?.name !== name) throw error; // else another program was faster
    }
    return { id, name, folder };
  }
}

const missing = (message: string): ChurnError => new ChurnError("CHURN_ERR_FILE_MISSING", message);
