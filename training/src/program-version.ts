/** The version of the `churn` command. */
import { readFileSync } from "node:fs";

const manifest = new URL("../package.json", import.meta.url);

export const PROGRAM_VERSION = (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
