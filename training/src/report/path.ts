/** Where a report may be written: in a file that browsers open, and that nobody's data are in. */
import { extname } from "node:path";
import { ChurnError } from "@churn/contract";

/** @throws CHURN_ERR_OPTION_INVALID for another extension than .html */
export function checkReportPath(path: string): void {
  if (extname(path).toLowerCase() === ".html") return;
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${path}: expected a file name ending in .html`);
}
