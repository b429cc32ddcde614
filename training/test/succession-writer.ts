/** Lets two models take each other's place, again and again, until it is killed: for the test of what is left then. */
import { readModelDirectory } from "@churn/contract";
import { finishSuccession, readModelFiles, succeed } from "../src/registry/succession.ts";

const [champion, ...challengers] = process.argv.slice(2);
const models = challengers.map((path) => ({ ...readModelDirectory(path).manifest, files: readModelFiles(path) }));
finishSuccession(champion);
process.stdout.write("ready\n");
for (let turn = 0; ; turn++) {
  const { files, version, contentSha256 } = models[turn % models.length];
  const line = {
    event: "promoted",
    at: new Date().toISOString(),
    version,
    contentSha256,
    reason: `turn ${turn}`,
  } as const;
  succeed(champion, files, line, 1);
}
