/**
 * Warming up: the first callers should not wait for the just-in-time compiler.
 */
import type { Model, RequestReader } from "@churn/contract";

/** Enough for the compiler to have optimised the kernel; more would only delay the start. */
const MAX_ROUNDS = 300;
const LIMIT_MS = 50;

/**
 * Scores the model's example, whole and with each nullable value missing, for at most 50 ms.
 *
 * @returns How many rows were scored.
 */
export function warmUp(model: Model, reader: RequestReader): number {
  const { dataset, inputExample } = model.manifest;
  const isNullable = (name: string): boolean => dataset.columns[name]?.nullable === true;
  const sparse = Object.fromEntries(Object.entries(inputExample).filter(([name]) => !isNullable(name)));
  const end = performance.now() + LIMIT_MS;
  let rows = 0;
  while (rows < 2 * MAX_ROUNDS && performance.now() < end) {
    for (const customer of [inputExample, sparse]) model.predictRow(reader.read(customer).row);
    rows += 2;
  }
  return rows;
}
