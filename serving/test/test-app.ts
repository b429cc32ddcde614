/** The service around the tiny model, for tests that inject requests; its log lines are kept for reading. */
import { Model } from "@churn/contract";
import type { FastifyInstance } from "fastify";
import { type Logger, pino } from "pino";
import { buildApp } from "../src/app.ts";
import { Drain } from "../src/plugins/draining.ts";
import { writeTinyModel } from "./tiny-model.ts";

export interface TestApp {
  readonly app: FastifyInstance;
  readonly model: Model;
  readonly drain: Drain;
  readonly logger: Logger;
  /** Parsed log lines so far. */
  readonly logs: Record<string, unknown>[];
}

/** @param change What to replace in the loaded model, to see what becomes of it. */
export async function buildTestApp(change: Partial<Model> = {}): Promise<TestApp> {
  const { directory, remove } = writeTinyModel();
  const model = Object.assign(Model.load(directory), change);
  remove();
  const logs: Record<string, unknown>[] = [];
  const logger = pino(
    { level: "info", base: { plane: "serving" } },
    { write: (line) => void logs.push(JSON.parse(line)) },
  );
  const drain = new Drain();
  return { app: await buildApp({ model, logger, drain }), model, drain, logger, logs };
}
