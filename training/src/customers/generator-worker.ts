/** A thread of the generator: makes blocks of customers and encodes them, each on demand. */
import { parentPort, workerData } from "node:worker_threads";
import { type EncodedRowGroup, encodeRowGroup } from "../data/row-group.ts";
import type { TableColumn } from "../data/table-block.ts";
import { BlockMaker, type CustomerOptions } from "./customers.ts";

/** What a thread is started with. */
export interface GeneratorInput {
  readonly columns: readonly TableColumn[];
  readonly options: CustomerOptions;
}

const { columns, options }: GeneratorInput = workerData;
const maker = new BlockMaker(options);

parentPort?.on("message", (block: number) => {
  const group: EncodedRowGroup = encodeRowGroup(columns, maker.make(block));
  parentPort?.postMessage(group, [group.bytes.buffer]);
});
