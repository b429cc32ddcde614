/**
 * Customers in any number, block after block, on all threads. A block is the same whoever makes it, so the file is.
 */
import { setImmediate as turn } from "node:timers/promises";
import { type EncodedRowGroup, encodeRowGroup } from "../data/row-group.ts";
import type { TableBlock, TableColumn } from "../data/table-block.ts";
import { WorkerPool } from "../worker-pool.ts";
import { BLOCK_ROWS, BlockMaker, type CustomerOptions } from "./customers.ts";
import type { GeneratorInput } from "./generator-worker.ts";

/** With fewer blocks for each, threads take longer to start than they save. */
const BLOCKS_PER_THREAD = 4;
/** Blocks that may be under way per thread: one in the making, one waiting to be written. */
const IN_FLIGHT_PER_THREAD = 2;

/** The customers in blocks, made one by one as they are asked for; each is valid until the next is. */
export async function* generateBlocks(options: CustomerOptions): AsyncGenerator<TableBlock> {
  const maker = new BlockMaker(options);
  for (let block = 0; block < countBlocks(options); block++) {
    await turn(); // a signal may have come, or progress may want to be seen
    yield maker.make(block);
  }
}

/** The customers as row groups of a Parquet file, in order, made by `nJobs` threads. */
export async function* generateRowGroups(
  columns: readonly TableColumn[],
  options: CustomerOptions,
  nJobs: number,
): AsyncGenerator<EncodedRowGroup> {
  const blocks = countBlocks(options);
  const threads = Math.min(nJobs, Math.ceil(blocks / BLOCKS_PER_THREAD));
  if (threads < 2) {
    for await (const block of generateBlocks(options)) yield encodeRowGroup(columns, block);
    return;
  }
  const input: GeneratorInput = { columns, options };
  const script = new URL("./generator-worker.ts", import.meta.url);
  const pool = new WorkerPool<number, EncodedRowGroup>("generator", script, input, threads);
  try {
    const underWay: Promise<EncodedRowGroup>[] = [];
    for (let block = 0; block < blocks; block++) {
      underWay.push(pool.run(block));
      if (underWay.length === threads * IN_FLIGHT_PER_THREAD)
        yield await (underWay.shift() as Promise<EncodedRowGroup>);
    }
    yield* underWay;
  } finally {
    await pool.close();
  }
}

const countBlocks = ({ rows }: CustomerOptions): number => Math.ceil(rows / BLOCK_ROWS);
