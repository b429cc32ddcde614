/**
 * Where Node starts the service. Compiled code, types stripped, is kept in the system's temporary folder (or
 * NODE_COMPILE_CACHE), which shortens every start but the first, and spares each thread and worker process the compiler: 35 MB.
 */
import { enableCompileCache, getCompileCacheDir } from "node:module";

enableCompileCache(); // before the rest is loaded
const directory = getCompileCacheDir();
if (directory !== undefined) process.env.NODE_COMPILE_CACHE = directory; // threads and workers look for it here
await import("./service.ts");
