#!/usr/bin/env node
/**
 * Where Node starts the `churn` command. Compiled code, types stripped, is kept in the system's temporary folder (or
 * NODE_COMPILE_CACHE), which shortens every start but the first.
 */
import { enableCompileCache } from "node:module";

enableCompileCache(); // before the rest is loaded
const { runProgram } = await import("./cli/program.ts");
await runProgram(process.argv.slice(2));
