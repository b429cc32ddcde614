/** A file of a run, by its content or by where it is; `path` has slashes, relative to all of them. */
export type Artifact = { readonly path: string } & (
  | { readonly content: string | Uint8Array }
  | { readonly file: string }
);
