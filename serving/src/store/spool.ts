/**
 * The spool: where records wait, on disk, for the prediction store. A folder of numbered segments, each a file of JSON lines.
 *
 *     spool/1/lock   spool/1/000000000007.ndjson   000000000008.ndjson ◀─ written at its end
 *                                └─ read from here; deleted when a later one exists and all of it is delivered
 *
 * One thread writes and another reads; they share nothing but the files. What is written survives the death of the
 * process, not of the machine: it is not forced to the disk. After a crash up to one segment is delivered again, which
 * the store's ids make harmless.
 */
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type LogRecord, makeFolders } from "@churn/contract";

/** A segment is closed when it has reached this, in bytes; so much may be delivered twice after a crash. */
export const SEGMENT_BYTES = 2 ** 20;

const SEGMENT = /^\d{12}\.ndjson$/;
const NEWLINE = 0x0a;

/** Ends the name of a segment that is being written anew. */
const UNFINISHED = ".new";

const segmentPath = (folder: string, number: number): string =>
  join(folder, `${String(number).padStart(12, "0")}.ndjson`);

/** Numbers of a folder's segments, ascending. */
function segmentsOf(folder: string): number[] {
  const names = readdirSync(folder).filter((name) => SEGMENT.test(name));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

/** What a process has left that was killed while it wrote a segment anew. */
function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith(UNFINISHED)) rmSync(join(folder, name));
}

/** Bytes of a folder's segments. */
export function spoolBytes(folder: string): number {
  return segmentsOf(folder).reduce((sum, number) => sum + statSync(segmentPath(folder, number)).size, 0);
}

/** Appends lines at the end of a spool. Calls must not overlap. */
export class SpoolWriter {
  readonly #folder: string;
  readonly #segmentBytes: number;
  #segment: number;
  #file: FileHandle | undefined;
  #size = 0;

  /**
   * @param folder Made when it is not there; what is in it stays, and comes first.
   * @param segmentBytes Well below what the spool may take: the segment that is written stays when it is delivered.
   */
  constructor(folder: string, segmentBytes: number = SEGMENT_BYTES) {
    this.#segmentBytes = segmentBytes;
    makeFolders(folder);
    removeUnfinished(folder);
    this.#folder = folder;
    this.#segment = (segmentsOf(folder).at(-1) ?? 0) + 1;
  }

  /**
   * @param lines Whole lines, the last one ended too.
   * @throws What the file system says; then nothing counts as written, and the same lines may come again
   */
  async append(lines: Buffer): Promise<void> {
    this.#file ??= await this.#begin();
    const file = this.#file;
    let written = 0;
    while (written < lines.length) {
      // Always at the known end: what a failed call left there is written over.
      const { bytesWritten } = await file.write(lines, written, lines.length - written, this.#size + written);
      written += bytesWritten;
    }
    this.#size += lines.length;
    if (this.#size >= this.#segmentBytes) await this.rotate().catch(() => {}); // what is written is written
  }

  /** Begins another segment, by which the reader knows that the one before is whole. */
  async rotate(): Promise<void> {
    await this.close();
    this.#file = await this.#begin();
  }

  /** Ends the current segment, if there is one; what is appended later begins another. */
  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#segment += 1;
    this.#size = 0;
    await file.close();
  }

  #begin(): Promise<FileHandle> {
    return open(segmentPath(this.#folder, this.#segment), "w");
  }
}

/** What waits at the front of a spool. */
export interface SpoolBatch {
  readonly records: readonly LogRecord[];
  /** Lines that are no records: a machine's crash may leave such. */
  readonly broken: number;
  readonly bytes: number;
}

/** Reads a spool from its front. */
export class SpoolReader {
  readonly #folder: string;
  #segment: number | undefined;
  #content: Buffer = Buffer.alloc(0); // of the current segment, from `#position` of the file on
  #position = 0;
  /** Bytes of deleted segments, since the reader was made. */
  freedBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Records that wait, at most `limit`; the same again until `advance`. Undefined when none does. */
  next(limit: number): SpoolBatch | undefined {
    for (;;) {
      const batch = this.#read(limit);
      if (batch !== undefined || !this.#leaveSegment()) return batch;
    }
  }

  /** The batch is delivered. */
  advance({ bytes }: SpoolBatch): void {
    this.#position += bytes;
    this.#content = this.#content.subarray(bytes);
  }

  /** Lines that wait. */
  count(): number {
    const countIn = (number: number): number => countLines(readFileSync(segmentPath(this.#folder, number)));
    return segmentsOf(this.#folder).reduce((sum, number) => sum + countIn(number), 0); // one in memory at a time
  }

  /**
   * Removes a customer's predictions and outcomes from the segments that are no longer written, aside and renamed, so that
   * they do not wait on this disk for a store that is away. Not while a batch is under way. Again is harmless.
   *
   * @returns How many lines that waited are gone
   */
  erase(customerKey: string): number {
    const numbers = segmentsOf(this.#folder).slice(0, -1);
    const predictionIds = new Set<string>();
    for (const number of numbers) {
      for (const line of linesOf(readFileSync(segmentPath(this.#folder, number)))) {
        const record = parseRecord(line);
        if (record?.kind === "prediction" && record.customerKey === customerKey) predictionIds.add(record.predictionId);
      }
    }
    const isTheirs = (line: string): boolean => {
      const record = parseRecord(line);
      if (record === undefined || record.kind === "erasure") return false;
      return record.customerKey === customerKey || predictionIds.has(record.predictionId ?? "");
    };
    return numbers.reduce((sum, number) => sum + this.#removeLines(number, isTheirs), 0);
  }

  /** @returns How many lines that waited are gone */
  #removeLines(number: number, isGone: (line: string) => boolean): number {
    const path = segmentPath(this.#folder, number);
    const content = readFileSync(path);
    const position = number === this.#segment ? this.#position : 0;
    const delivered = without(content.subarray(0, position), isGone);
    const waiting = without(content.subarray(position), isGone);
    const size = delivered.length + waiting.length;
    if (size === content.length) return 0;
    writeFileSync(`${path}${UNFINISHED}`, Buffer.concat([delivered, waiting]));
    renameSync(`${path}${UNFINISHED}`, path);
    this.freedBytes += content.length - size;
    if (number === this.#segment) {
      this.#position = delivered.length;
      this.#content = waiting;
    }
    return countLines(content.subarray(position)) - countLines(waiting);
  }

  #read(limit: number): SpoolBatch | undefined {
    this.#segment ??= segmentsOf(this.#folder)[0];
    if (this.#segment === undefined) return undefined;
    if (!this.#content.includes(NEWLINE)) {
      this.#content = readFrom(segmentPath(this.#folder, this.#segment), this.#position);
    }
    const records: LogRecord[] = [];
    let broken = 0;
    let bytes = 0;
    for (let end = this.#content.indexOf(NEWLINE); end >= 0; end = this.#content.indexOf(NEWLINE, bytes)) {
      const record = parseRecord(this.#content.toString("utf8", bytes, end));
      if (record === undefined) broken += 1;
      else records.push(record);
      bytes = end + 1;
      if (records.length === limit) break;
    }
    return bytes === 0 ? undefined : { records, broken, bytes };
  }

  /** Goes on to the next segment when there is one, for then this one has got its last line. */
  #leaveSegment(): boolean {
    const current = this.#segment;
    if (current === undefined || (segmentsOf(this.#folder).at(-1) ?? 0) <= current) return false;
    const path = segmentPath(this.#folder, current);
    if (readFrom(path, this.#position).includes(NEWLINE)) return true; // lines came between looking and asking
    this.freedBytes += statSync(path).size;
    rmSync(path);
    this.#segment = undefined;
    this.#rewind();
    return true;
  }

  #rewind(): void {
    this.#position = 0;
    this.#content = Buffer.alloc(0);
  }

  /** Deletes every segment: all is delivered and nothing will come. */
  removeAll(): void {
    for (const number of segmentsOf(this.#folder)) rmSync(segmentPath(this.#folder, number));
    removeUnfinished(this.#folder);
    this.#segment = undefined;
    this.#rewind();
  }
}

function readFrom(path: string, position: number): Buffer {
  const file = openSync(path, "r");
  try {
    const content = Buffer.allocUnsafe(fstatSync(file).size - position);
    const length = readSync(file, content, 0, content.length, position);
    return content.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function countLines(content: Buffer): number {
  let count = 0;
  for (let end = content.indexOf(NEWLINE); end >= 0; end = content.indexOf(NEWLINE, end + 1)) count += 1;
  return count;
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    const record: LogRecord = JSON.parse(line);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it has what the store needs: a damaged line that passes for JSON must not stop all that come after it. */
function isRecord(record: LogRecord): boolean {
  const isText = (value: unknown): boolean => typeof value === "string";
  const isTextOrNull = (value: unknown): boolean => value === null || isText(value);
  switch (record.kind) {
    case "prediction": {
      const { predictionId, modelVersion, modelSha256, customerKey, predictedAt, observedAt, features, score } = record;
      return (
        [predictionId, modelVersion, modelSha256].every(isText) &&
        isTextOrNull(customerKey) &&
        Number.isSafeInteger(predictedAt) &&
        (observedAt === null || Number.isSafeInteger(observedAt)) &&
        Number.isFinite(score) &&
        isBit(record.decision) &&
        typeof features === "object"
      );
    }
    case "outcome": {
      const { predictionId, customerKey, observedAt, reportedAt, outcome, contacted = null } = record;
      const hasOneSubject = (predictionId === null) !== (customerKey === null);
      return (
        hasOneSubject &&
        [predictionId, customerKey].every(isTextOrNull) &&
        [observedAt, reportedAt].every(Number.isSafeInteger) &&
        isBit(outcome) &&
        (contacted === null || isBit(contacted))
      );
    }
    case "erasure":
      return isText(record.customerKey) && Number.isSafeInteger(record.requestedAt);
    default:
      return false;
  }
}

const isBit = (value: unknown): boolean => value === 0 || value === 1;

const linesOf = (content: Buffer): string[] => content.toString("utf8").split("\n");

function without(content: Buffer, isGone: (line: string) => boolean): Buffer {
  const kept = linesOf(content).filter((line) => !isGone(line));
  return Buffer.from(kept.join("\n"));
}
