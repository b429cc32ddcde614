/** What is used here of WebAssembly's JavaScript interface: neither TypeScript without the browser nor Node declares it. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }

  class Memory<Buffer extends ArrayBuffer | SharedArrayBuffer = ArrayBuffer> {
    constructor(
      descriptor: { initial: number } & (Buffer extends SharedArrayBuffer ? { maximum: number; shared: true } : object),
    );
    readonly buffer: Buffer;
  }

  class Global {
    value: number;
  }

  class Instance {
    constructor(module: Module, imports: { readonly env: { readonly memory: Memory | Memory<SharedArrayBuffer> } });
    readonly exports: object;
  }
}
