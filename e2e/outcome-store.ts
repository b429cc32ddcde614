/** A prediction store as the service leaves it, with what became of the customers. */
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { MIGRATIONS, MIGRATIONS_TABLE, Model, RequestReader } from "../contract/src/index.ts";
import { DAY_MS } from "../training/src/drift/windows.ts";
import { Random } from "../training/src/random.ts";

const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));

/** A store in SQLite of twelve weeks, in which the champion's customers leave `factor` times as often as it says, at any day of the horizon. @returns its URL */
export function storeWithOutcomes(path: string, requests: readonly string[], factor: number): string {
  const model = Model.load(MODEL);
  const { version, contentSha256 } = model.manifest;
  const reader = new RequestReader(model.manifest.dataset, model.encoder);
  const database = new DatabaseSync(path);
  database.exec(MIGRATIONS_TABLE);
  database.exec("BEGIN");
  for (const migration of MIGRATIONS) {
    for (const statement of migration.statements) database.exec(statement);
    database.prepare("INSERT INTO migrations VALUES (?, ?, 0)").run(migration.version, migration.name);
  }
  const predict = database.prepare("INSERT INTO predictions VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?)");
  const report = database.prepare("INSERT INTO outcomes VALUES (?, NULL, ?, ?, ?, NULL)");
  const random = new Random(8);
  for (let i = 0; i < 4 * requests.length; i++) {
    const customer = JSON.parse(requests[i % requests.length]);
    const at = Date.now() - 84 * DAY_MS * random.uniform();
    const score = model.predictRow(reader.read(customer).row);
    const decision = model.decide(score);
    predict.run(`p${i}`, Math.round(at), `c${i}`, JSON.stringify(customer), score, decision, version, contentSha256);
    const leaves = random.uniform() < factor * score;
    const seen = Math.round(at + (leaves ? 30 * random.uniform() : 30) * DAY_MS);
    if (seen <= Date.now()) report.run(`p${i}`, seen, leaves ? 1 : 0, seen);
  }
  database.exec("COMMIT");
  database.close();
  return `sqlite:${path}`;
}
