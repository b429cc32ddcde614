/**
 * Where Node starts the service. Compiled code, types stripped, is kept in the system's temporary folder (or
 * NODE_COMPILE_CACHE), which shortens every start but the first.
 */
import { enableCompileCache } from "node:module";

enableCompileCache(); // before the rest is loaded
await import("./service.ts");
