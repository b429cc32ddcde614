/** What is made when it is first needed and then kept: the start does not wait for what the first requests do not use. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
