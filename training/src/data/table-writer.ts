/**
 * Writes a table of any size to a Parquet or CSV file, by the extension of its name.
 *
 * The rows are pulled from an iterator in blocks of columns, so memory does not grow with the table. DuckDB
 * encodes them in a worker thread (`table-writer-worker.ts`) while this thread makes the next block.
 * The file is written beside its final name and renamed into place: it is whole, or it is not there.
 */
import { extname } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { ChurnError } from "@churn/contract";
import { stageOutput, unwritable } from "../staged-output.ts";
import type { ColumnValues, TableBlock, TableColumn } from "./table-block.ts";
import type { BlockMessage, WorkerMessage, WriterInput } from "./table-writer-worker.ts";

/** Blocks that may wait for the encoder. Two keep both threads busy; more would only cost memory. */
const BLOCKS_IN_FLIGHT = 2;

/** How long an exiting process waits for the encoder. It needs a few milliseconds. */
const STOP_TIMEOUT_MS = 2000;

const FORMATS: Readonly<Record<string, WriterInput["format"]>> = { ".parquet": "parquet", ".csv": "csv" };

/**
 * Writes all rows, in order; the same rows give the same bytes. Folders on the way are made. An existing
 * file stays as it was until the new one is complete.
 *
 * @param blocks May be of any size, also empty; their arrays are copied before the next block is asked for.
 * @param onProgress Told the number of rows encoded so far, after each block.
 * @returns The number of rows written.
 * @throws CHURN_ERR_OPTION_INVALID for another extension, CHURN_ERR_FILE_UNWRITABLE; errors of `blocks` as they are
 */
export async function writeTable(
  path: string,
  columns: readonly TableColumn[],
  blocks: Iterable<TableBlock> | AsyncIterable<TableBlock>,
  onProgress?: (rows: number) => void,
): Promise<number> {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined) {
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", `${path}: expected a file name ending in .parquet or .csv`);
  }
  const output = stageOutput(path);
  try {
    const rows = await encode({ path: output.temporaryPath, format, columns }, blocks, onProgress);
    output.commit();
    return rows;
  } catch (error) {
    output.discard();
    if (error instanceof EncoderError) throw unwritable(path, error);
    throw error;
  }
}

/** The encoder could not go on: a full disk, a folder that went away. */
class EncoderError extends Error {}

/** Feeds the blocks to the worker, at most `BLOCKS_IN_FLIGHT` ahead of it. */
async function encode(
  input: Omit<WriterInput, "port" | "signal">,
  blocks: Iterable<TableBlock> | AsyncIterable<TableBlock>,
  onProgress?: (rows: number) => void,
): Promise<number> {
  const { port1: port, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(8));
  const workerData: WriterInput = { ...input, port: port2, signal };
  const worker = new Worker(new URL("./table-writer-worker.ts", import.meta.url), {
    workerData,
    transferList: [port2],
  });

  let inFlight = 0;
  let rowsEncoded = 0;
  let wake = () => {};
  const finished = new Promise<void>((done, fail) => {
    worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "done") done();
      else if (message.kind === "failed") fail(new EncoderError(message.message));
      else {
        inFlight--;
        rowsEncoded += message.rows;
        onProgress?.(rowsEncoded);
        wake();
      }
    });
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new EncoderError(`the encoder stopped with exit code ${code}`)));
  });
  // A failure is awaited below; this keeps it from counting as unhandled until then.
  finished.catch(() => {});

  const post = (message: BlockMessage) => {
    port.postMessage(message);
    Atomics.add(signal, 0, 1);
    Atomics.notify(signal, 0);
  };

  // DuckDB aborts the process when its thread is torn down in the middle of a call: let it finish first.
  const stopNow = () => {
    post({ kind: "abort" });
    Atomics.wait(signal, 1, 0, STOP_TIMEOUT_MS);
  };
  process.on("exit", stopNow);

  try {
    for await (const block of blocks) {
      if (block.rows === 0) continue;
      post({ kind: "block", rows: block.rows, columns: block.columns.map(whole) });
      inFlight++;
      // One turn of the event loop even when there is room, so that a signal or a failure is seen.
      do {
        const room = new Promise<void>((resolve) => {
          wake = resolve;
          if (inFlight < BLOCKS_IN_FLIGHT) setImmediate(resolve);
        });
        await Promise.race([room, finished]);
      } while (inFlight >= BLOCKS_IN_FLIGHT);
    }
    post({ kind: "end" });
    await finished;
    return rowsEncoded;
  } finally {
    post({ kind: "abort" });
    await finished.catch(() => {});
    process.off("exit", stopNow);
    port.close();
    await worker.terminate();
  }
}

/** Posting a view of a buffer would copy the whole buffer. */
function whole(values: ColumnValues): ColumnValues {
  if (!ArrayBuffer.isView(values) || values.byteLength === values.buffer.byteLength) return values;
  return values.slice();
}
