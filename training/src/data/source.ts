/**
 * Which files a `--data` argument means: a file, a folder, or a glob; CSV or Parquet, never both.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, globSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { ChurnError } from "@churn/contract";

export type DataFormat = "csv" | "parquet";

export interface DataSource {
  /** As the user named it. */
  readonly path: string;
  readonly format: DataFormat;
  /** In the order of their names; never empty. */
  readonly files: readonly string[];
}

const FORMATS: Readonly<Record<string, DataFormat>> = { ".csv": "csv", ".parquet": "parquet" };

const isDataFile = (name: string): boolean => extname(name).toLowerCase() in FORMATS;

/**
 * @throws CHURN_ERR_FILE_MISSING when nothing is there; CHURN_ERR_FILE_UNREADABLE when it is of another kind
 */
export function findData(path: string): DataSource {
  const files = listFiles(path);
  if (files.length === 0) {
    throw new ChurnError(
      "CHURN_ERR_FILE_MISSING",
      `${path}: found nothing: expected a CSV or Parquet file, a folder or a glob of them (churn generate makes one)`,
    );
  }
  const formats = new Set(files.map((file) => FORMATS[extname(file).toLowerCase()]));
  const [format] = formats;
  if (formats.size !== 1 || format === undefined) {
    const got = [...new Set(files.map((file) => extname(file) || basename(file)))].join(", ");
    throw new ChurnError(
      "CHURN_ERR_FILE_UNREADABLE",
      `${path}: expected files that end in .csv or in .parquet, of one kind, got ${got}`,
    );
  }
  const odd = files.find((file) => !statSync(file).isFile());
  if (odd !== undefined) {
    // It would be read several times, and a pipe has its bytes only once.
    throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${odd}: expected a regular file, got a pipe or a device`);
  }
  return { path, format, files };
}

function listFiles(path: string): string[] {
  if (existsSync(path) && !isReadableFolder(path)) return [path];
  const found = existsSync(path) ? globSync("**/*", { cwd: path }).filter(isDataFile) : globSync(path);
  const files = existsSync(path) ? found.map((name) => join(path, name)) : found;
  return files.filter((name) => !isReadableFolder(name)).sort(); // a folder may be called part.parquet
}

/** @throws CHURN_ERR_FILE_UNREADABLE for what cannot be looked at: a link to nothing, a closed folder */
function isReadableFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    const message = `${path}: expected a file or folder that can be read: ${(cause as Error).message}`;
    throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", message, { cause });
  }
}

/**
 * Where a data set's rows are when nobody says: the data file beside its specification, else where
 * `churn generate` puts it.
 *
 * @throws CHURN_ERR_OPTION_INVALID when there are several beside it
 */
export function defaultDataPath(datasetPath: string, name: string): string {
  const beside = globSync("*", { cwd: dirname(datasetPath) }).filter(isDataFile);
  if (beside.length > 1) {
    const names = beside.sort().join(", ");
    const message = `${datasetPath}: expected one data file beside it, got ${names}: name one with --data`;
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", message);
  }
  return beside.length === 1 ? join(dirname(datasetPath), beside[0]) : join("data", "raw", `${name}.parquet`);
}

/**
 * sha256 of the file's bytes; of several files, of the list of their hashes in order.
 *
 * @throws CHURN_ERR_FILE_UNREADABLE
 */
export async function hashData({ files }: DataSource): Promise<string> {
  const hashes: string[] = [];
  for (const file of files) {
    const hash = createHash("sha256");
    try {
      for await (const bytes of createReadStream(file)) hash.update(bytes);
    } catch (cause) {
      throw new ChurnError("CHURN_ERR_FILE_UNREADABLE", `${file}: cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
    hashes.push(hash.digest("hex"));
  }
  return hashes.length === 1 ? hashes[0] : createHash("sha256").update(hashes.join("\n")).digest("hex");
}
