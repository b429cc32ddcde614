/** Where a report may be written: in a file that browsers open, and that nothing else is in. */
import { extname, resolve, sep } from "node:path";
import { ChurnError } from "@churn/contract";

/**
 * @param taken Files that are read, folders that are written.
 * @throws CHURN_ERR_OPTION_INVALID for another extension than .html, or a place that is taken
 */
export function checkReportPath(path: string, taken: readonly string[] = []): void {
  if (extname(path).toLowerCase() !== ".html") {
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${path}: expected a file name ending in .html`);
  }
  checkFree(path, taken);
}

/**
 * @param taken Files that are read or written, folders that are written.
 * @throws CHURN_ERR_OPTION_INVALID for a place that is taken
 */
export function checkFree(path: string, taken: readonly string[]): void {
  const owner = taken.find((other) => `${resolve(path)}${sep}`.startsWith(`${resolve(other)}${sep}`));
  if (owner === undefined) return;
  throw new ChurnError(
    "CHURN_ERR_OPTION_INVALID",
    `${path}: the file would be in the way of ${owner}: name another one`,
  );
}
