/**
 * Synthetic customers into a file: Parquet on all threads, CSV on one.
 */
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { customerColumns } from "./customers/columns.ts";
import type { CustomerOptions } from "./customers/customers.ts";
import { generateBlocks, generateRowGroups } from "./customers/generator.ts";
import { writeRowGroups } from "./data/parquet-file.ts";
import { writeTable } from "./data/table-writer.ts";
import type { Logger } from "./logger.ts";

export interface GenerateOptions extends CustomerOptions {
  readonly out: string;
  /** Threads; all processors without it. Does not change the result. */
  readonly nJobs?: number;
}

/**
 * @param onProgress Told the number of customers written so far.
 * @throws CHURN_ERR_OPTION_INVALID, CHURN_ERR_FILE_UNWRITABLE
 */
export async function generate(
  { out, nJobs = availableParallelism(), ...options }: GenerateOptions,
  log: Logger,
  onProgress: (rows: number) => void,
): Promise<void> {
  const { rows, seed, month, scenario, from, withTruth } = options;
  const customers: CustomerOptions = { rows, seed, month, scenario, from, withTruth };
  const columns = customerColumns({ withTruth });
  const start = performance.now();
  log.info({ event: "generate.started", ...customers }, "generating started");
  if (extname(out).toLowerCase() === ".parquet") {
    await writeRowGroups(out, columns, generateRowGroups(columns, customers, nJobs), onProgress);
  } else {
    await writeTable(out, columns, generateBlocks(customers), onProgress);
  }
  const durationMs = Math.round(performance.now() - start);
  log.info({ event: "generate.finished", ...customers, durationMs }, "generating finished");
}
