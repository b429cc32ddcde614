/** A thread of the generator: makes blocks of customers and encodes them, each on demand. */
import Tinypool from "tinypool";
import { type EncodedRowGroup, encodeRowGroup } from "../data/row-group.ts";
import type { TableColumn } from "../data/table-block.ts";
import { blockRows, type CustomerOptions, customerBlock } from "./customers.ts";

/** What a thread is started with. */
export interface GeneratorInput {
  readonly columns: readonly TableColumn[];
  readonly options: CustomerOptions;
}

export default function generateRowGroup(block: number): EncodedRowGroup {
  const { columns, options }: GeneratorInput = Tinypool.workerData;
  return encodeRowGroup(columns, customerBlock(block, blockRows(block, options.rows), options));
}
