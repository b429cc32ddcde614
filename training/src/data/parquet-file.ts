/**
 * A Parquet file of row groups that were encoded elsewhere: one after the other, and a footer that says where they
 * are.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { ColumnChunk } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { stageOutput, unwritable } from "../staged-output.ts";
import { type EncodedRowGroup, parquetSchema } from "./row-group.ts";
import type { TableColumn } from "./table-block.ts";

/**
 * Writes all row groups, in order, beside the file's final name, and renames it into place: it is whole, or it is not
 * there. Folders on the way are made.
 *
 * @param onProgress Told the number of rows written so far, after each row group.
 * @throws CHURN_ERR_FILE_UNWRITABLE; errors of `groups` as they are
 */
export async function writeRowGroups(
  path: string,
  columns: readonly TableColumn[],
  groups: AsyncIterable<EncodedRowGroup>,
  onProgress?: (rows: number) => void,
): Promise<void> {
  const output = stageOutput(path);
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw unwritable(path, error);
    }
  };
  try {
    const file = attempt(() => new ParquetFile(output.temporaryPath, columns));
    try {
      let rows = 0;
      for await (const group of groups) {
        attempt(() => file.append(group));
        rows += group.rows;
        onProgress?.(rows);
      }
      attempt(() => file.finish());
    } finally {
      file.close();
    }
    output.commit();
  } catch (error) {
    output.discard();
    throw error;
  }
}

class ParquetFile {
  readonly #file: number;
  /** Writes the file's head and foot, and knows what lies between. */
  readonly #writer: ParquetWriter;
  readonly #buffer = new ByteWriter();
  #size = 0;

  constructor(path: string, columns: readonly TableColumn[]) {
    this.#file = openSync(path, "w");
    this.#writer = new ParquetWriter({ writer: this.#buffer, schema: parquetSchema(columns), createdBy: "churn" });
    this.#flush();
  }

  /** Writes one more row group. */
  append({ bytes, metadata }: EncodedRowGroup): void {
    const start = BigInt(this.#size);
    this.#write(bytes);
    this.#writer.num_rows += metadata.num_rows;
    this.#writer.row_groups.push({ ...metadata, columns: metadata.columns.map((chunk) => moved(chunk, start)) });
  }

  /** Writes the footer: now it is a Parquet file. */
  finish(): void {
    this.#writer.finish();
    this.#flush();
  }

  close(): void {
    closeSync(this.#file);
  }

  #flush(): void {
    this.#write(this.#buffer.getBytes());
    this.#buffer.index = 0;
  }

  #write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#file, bytes, from);
    this.#size += bytes.length;
  }
}

function moved({ meta_data, ...chunk }: ColumnChunk, start: bigint): ColumnChunk {
  if (meta_data === undefined) throw new TypeError("expected a column chunk with metadata");
  const { data_page_offset, dictionary_page_offset } = meta_data;
  return {
    ...chunk,
    file_offset: chunk.file_offset + start,
    meta_data: {
      ...meta_data,
      data_page_offset: data_page_offset + start,
      ...(dictionary_page_offset !== undefined && { dictionary_page_offset: dictionary_page_offset + start }),
    },
  };
}
