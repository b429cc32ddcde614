/** The prediction store of a URL, by the driver of its kind. */
import { existsSync } from "node:fs";
import { ChurnError, parseStoreUrl } from "@churn/contract";
import type { PredictionReader } from "./prediction-reader.ts";

/**
 * @param subject What named the URL, for messages.
 * @throws CHURN_ERR_OPTION_INVALID when the URL is none, CHURN_ERR_FILE_MISSING, CHURN_ERR_STORE_VERSION,
 *   CHURN_ERR_STORE_FAILED
 */
export async function openPredictions(url: string, subject: string): Promise<PredictionReader> {
  const reader = await openReader(url, subject);
  try {
    await reader.checkVersion();
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function openReader(url: string, subject: string): Promise<PredictionReader> {
  const place = parseStoreUrl(url, subject);
  if (place.kind === "postgres") {
    const { PostgresReader } = await import("./postgres-reader.ts");
    return new PostgresReader(place.url);
  }
  if (!existsSync(place.path)) {
    const message = `${subject}: ${place.path}: no such file: expected the prediction store of a service`;
    throw new ChurnError("CHURN_ERR_FILE_MISSING", message);
  }
  const { SqliteReader } = await import("./sqlite-reader.ts");
  return new SqliteReader(place.path);
}

/** A store's URL without what is secret in it. */
export function describeStore(url: string): string {
  if (!URL.canParse(url) || !/^postgres/i.test(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
