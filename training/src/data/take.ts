type Values = Float32Array | Float64Array | Int32Array | Uint8Array;

/** The values of some rows, in the order of `rows`. */
export function take<T extends Values>(values: T, rows: Uint32Array): T {
  const taken = new (values.constructor as new (length: number) => T)(rows.length);
  for (let i = 0; i < rows.length; i++) taken[i] = values[rows[i]];
  return taken;
}
