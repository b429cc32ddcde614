/**
 * The thread that owns the SQLite file; `sqlite-store.ts` asks, this answers, one call after the other. The file is
 * opened by the first call, and again after one that failed: what made it fail (a full disk, a folder that was moved)
 * may have left the connection of no use.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ChurnError, type ErrorCode } from "@churn/contract";
import { SqliteDatabase } from "./sqlite-database.ts";

export interface ThreadData {
  readonly path: string;
  readonly horizonMs: number | null;
}

export type Method = keyof SqliteDatabase;
export type MethodParameters<M extends Method> = Parameters<SqliteDatabase[M]>;
export type MethodResult<M extends Method> = ReturnType<SqliteDatabase[M]>;

export interface Call {
  readonly id: number;
  readonly method: Method;
  readonly parameters: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly fault?: { readonly code: ErrorCode; readonly message: string };
}

const { path, horizonMs } = workerData as ThreadData;
let database: SqliteDatabase | undefined;

function answer({ id, method, parameters }: Call): Answer {
  try {
    if (method === "close" && database === undefined) return { id };
    database ??= new SqliteDatabase(path, horizonMs);
    // The asking side has typed method and parameters as a pair.
    const call = database[method] as (...parameters: readonly unknown[]) => unknown;
    return { id, result: call.apply(database, [...parameters]) };
  } catch (error) {
    discard();
    if (error instanceof ChurnError) return { id, fault: { code: error.code, message: error.message } };
    const message = `prediction store: ${path}: ${(error as Error).message}`;
    return { id, fault: { code: "CHURN_ERR_STORE_FAILED", message } };
  }
}

function discard(): void {
  try {
    database?.close();
  } catch {
    // The fault that is on its way says why.
  }
  database = undefined;
}

parentPort?.on("message", (call: Call) => parentPort?.postMessage(answer(call)));
