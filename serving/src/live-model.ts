/**
 * The model that answers, and how another takes its place: loaded and verified beside it, with an app of its own, and put in
 * front between two requests. What is already under way is finished by the old one. A model that is refused changes nothing.
 */
import { type StatsListener, statSync, watchFile } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MANIFEST_FILE, Model } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import { buildApp, type Service } from "./app.ts";

/** How often the directory is looked at, in ms. By its facts, as notices of changes do not come from every file system. */
const LOOK_EVERY_MS = 1_000;

/** A directory that is being changed in place is not whole at once: so often it is tried, with this pause in ms. */
const ATTEMPTS = 5;
const ATTEMPT_PAUSE_MS = 500;

export class LiveModel {
  readonly #directory: string;
  readonly #service: Service;
  #app: FastifyInstance;
  #model: Model;
  /** Of the directory, just before it was read. */
  readonly #firstFacts: string | undefined;
  #loading: Promise<void> | undefined;
  #isStale = false;

  private constructor(
    directory: string,
    firstFacts: string | undefined,
    service: Service,
    model: Model,
    app: FastifyInstance,
  ) {
    this.#directory = directory;
    this.#firstFacts = firstFacts;
    this.#service = service;
    this.#model = model;
    this.#app = app;
  }

  /** @throws CHURN_ERR_MODEL_INVALID */
  static async load(directory: string, service: Service): Promise<LiveModel> {
    const start = performance.now();
    const firstFacts = factsOf(directory);
    const model = Model.load(directory);
    const app = await buildApp(model, new Date(), service);
    logLoaded(service, directory, model, start);
    return new LiveModel(directory, firstFacts, service, model, app);
  }

  get model(): Model {
    return this.#model;
  }

  /** For the server: every request goes to the app that is in front when it comes. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.#app.routing(request, response);
  };

  /** Takes what has changed in the directory since it was read, and what changes from now on. Does not keep the process alive. */
  watch(): void {
    const path = join(this.#directory, MANIFEST_FILE);
    const onChange: StatsListener = ({ mtimeMs }) => {
      if (mtimeMs > 0) void this.reload(); // 0: gone, as between the two steps of a swap
    };
    watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, onChange);
    if (factsOf(this.#directory) !== this.#firstFacts) void this.reload();
  }

  /** Takes the model that is in the directory, if it is another and whole. One at a time; what is asked for meanwhile comes after. */
  async reload(): Promise<void> {
    this.#isStale = true;
    this.#loading ??= this.#reloadStale().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #reloadStale(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      await this.#attempt(ATTEMPTS);
    }
  }

  async #attempt(attempts: number): Promise<void> {
    try {
      const start = performance.now();
      const model = Model.load(this.#directory);
      if (model.manifest.version === this.#model.manifest.version) return;
      this.#app = await buildApp(model, new Date(), this.#service);
      this.#model = model;
      logLoaded(this.#service, this.#directory, model, start);
    } catch (error) {
      if (attempts > 1) {
        await sleep(ATTEMPT_PAUSE_MS);
        return this.#attempt(attempts - 1);
      }
      this.#service.metrics.countReloadFailure();
      const facts = { event: "model.refused", detail: (error as Error).message };
      this.#service.logger.error(facts, "new model refused, the one before goes on");
    }
  }
}

/** What changes when another manifest takes the place of this one; undefined when there is none. */
function factsOf(directory: string): string | undefined {
  const facts = statSync(join(directory, MANIFEST_FILE), { bigint: true, throwIfNoEntry: false });
  return facts && `${facts.ino} ${facts.mtimeNs}`;
}

function logLoaded({ logger }: Service, directory: string, { manifest }: Model, start: number): void {
  const { version, contentSha256, forest } = manifest;
  const durationMs = Math.round(performance.now() - start);
  const facts = { modelVersion: version, modelSha256: contentSha256, nNodes: forest.nNodes, durationMs };
  logger.info({ event: "model.loaded", directory, ...facts }, "model loaded");
}
