/** A thread of the generator: makes blocks of customers and encodes them, each on demand. */
import Tinypool from "tinypool";
import { type EncodedRowGroup, encodeRowGroup } from "../data/row-group.ts";
import type { TableColumn } from "../data/table-block.ts";
import { BlockMaker, type CustomerOptions } from "./customers.ts";

/** What a thread is started with. */
export interface GeneratorInput {
  readonly columns: readonly TableColumn[];
  readonly options: CustomerOptions;
}

const { columns, options }: GeneratorInput = Tinypool.workerData;
const maker = new BlockMaker(options);

export default function generateRowGroup(block: number): EncodedRowGroup {
  return encodeRowGroup(columns, maker.make(block));
}
