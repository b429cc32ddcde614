/** Retraining as a user runs it: what it decides, what it leaves, and what it refuses. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { readModelDirectory } from "../contract/src/index.ts";
import { withChampion } from "../training/src/registry/succession.ts";
import { RetrainingFolder } from "./retraining-folder.ts";

describe("month after month", () => {
  const folder = new RetrainingFolder();
  after(() => folder.remove());
  const modelFiles = (): string[] => readdirSync(folder.in("models"), { recursive: true }).map(String).sort();

  test("the first model is the champion, without a gate", () => {
    const { code, result, stderr } = folder.retrain("--month", "0");
    assert.equal(code, 0, stderr);
    assert.deepEqual([result.outcome, result.previousVersion, result.evidence], ["promoted", null, null]);
    assert.equal(result.championVersion, folder.champion().version);
    const [line, ...others] = folder.ledger();
    assert.deepEqual([line.event, line.version, line.previousVersion], ["promoted", result.championVersion, null]);
    assert.deepEqual(line.generated, { rows: 5000, seed: 42, month: 0, scenario: "stable", from: 1 });
    assert.equal(others.length, 0);
  });

  test("a month in which nothing happens is skipped, and leaves the models as they are", () => {
    const files = modelFiles();
    const { code, result, stderr } = folder.retrain("--month", "1");
    assert.equal(code, 0, stderr);
    assert.equal(result.outcome, "skipped");
    assert.match(
      result.reason,
      /no alarm; the champion was challenged, or made, 0 days ago of 90; 5000 customers .* of 10000/,
    );
    assert.deepEqual([result.drift?.verdict, result.needsPerson, result.ledger], ["ok", false, null]);
    assert.deepEqual(modelFiles(), files);
    assert.match(readFileSync(folder.in("reports", "retrain.html"), "utf8"), /No challenger was trained/);
  });

  test("the champion's own data are nothing new", () => {
    const { result } = folder.retrain("--month", "0");
    assert.equal(result.outcome, "skipped");
    assert.match(result.reason, /^nothing new: the champion \S+ was made from these data; --force compares again$/);
    assert.equal(result.drift, null);
  });

  test("a forced challenger that is no better is kept out, and the customers who judged it are remembered", () => {
    const champion = folder.champion();
    const first = folder.retrain("--month", "1", "--force", "--max-depth", "2");
    assert.ok(first.code === 3 || first.code === 4, first.stderr);
    assert.ok(["kept", "notEnoughEvidence"].includes(first.result.outcome));
    assert.equal(first.result.evidence?.attempt, 1);
    assert.equal(first.result.evidence?.level, 0.045);

    assert.match(folder.retrain("--month", "1").result.reason, /these data have judged a challenger of this champion/);
    const second = folder.retrain("--month", "1", "--force", "--max-depth", "2");
    assert.equal(second.result.evidence?.attempt, 2);
    assert.ok((second.result.evidence?.level ?? 1) < 0.0031);
    assert.deepEqual(folder.champion().version, champion.version);
    assert.equal(folder.ledger().length, 1);
  });

  test("faults of the data need a person, even with --force", () => {
    const { code, result } = folder.retrain("--month", "2", "--scenario", "unit-bug", "--force");
    assert.equal(code, 3);
    assert.deepEqual([result.outcome, result.drift?.verdict, result.needsPerson], ["skipped", "dataQuality", true]);
    assert.match(result.reason, /^the data have faults, to be mended where they come from: /);
  });

  test("prices that rise are an alarm, and the challenger is promoted with its evidence", () => {
    const before = folder.champion();
    const { code, result, stderr } = folder.retrain(
      "--month",
      "3",
      "--scenario",
      "price-increase",
      "--summary",
      "summary.md",
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual([result.outcome, result.drift?.verdict], ["promoted", "drift"]);
    const evidence = result.evidence as NonNullable<typeof result.evidence>;
    assert.ok(evidence.hasAlarm && evidence.logLossGain.lower > 0);
    assert.ok(evidence.customers > 800 && evidence.customers < 1200);
    assert.ok(evidence.power.detectable > 0 && (evidence.power.customersForOnePercent ?? 0) > 1000);
    assert.ok(evidence.flips.toContact > evidence.flips.toLeave);
    assert.equal((evidence.profits?.challenger ?? 0) > (evidence.profits?.contactAll ?? 0), true);

    const { manifest, card } = readModelDirectory(folder.in("models", "best_model"));
    assert.equal(manifest.version, result.championVersion);
    assert.match(card ?? "", /## Why it was promoted\nBecause the champion alarms/);
    assert.equal(readModelDirectory(folder.in("models", "previous", before.version)).manifest.version, before.version);
    const line = folder.ledger().at(-1);
    assert.deepEqual([line?.event, line?.previousVersion], ["promoted", before.version]);
    assert.equal(line?.evidence?.dataSha256, result.data.sha256);
    assert.match(readFileSync(folder.in("summary.md"), "utf8"), /^## Retraining\n\npromoted: /);
    const run = readFileSync(`${result.run?.location}/artifacts/report.html`, "utf8");
    assert.equal(run, readFileSync(folder.in("reports", "retrain.html"), "utf8"));
    assert.equal(readFileSync(folder.in("mlruns/models/churn/aliases/champion"), "utf8"), line?.registered?.version);
  });

  test("churn models lists both, churn rollback brings the first back, and says so", () => {
    const [first, second] = folder.ledger();
    assert.match(folder.churn("models").stdout, new RegExp(`${second.version} .* now .* serves`));

    const { code, stdout } = folder.churn("rollback", "--reason", "a try", "--json");
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).version, first.version);
    assert.equal(folder.champion().version, first.version);
    const line = folder.ledger().at(-1);
    assert.deepEqual(
      [line?.event, line?.version, line?.previousVersion, line?.reason],
      ["rolledBack", first.version, second.version, "a try"],
    );
    assert.deepEqual(readdirSync(folder.in("models", "previous")), [second.version]);
    assert.equal(readFileSync(folder.in("mlruns/models/churn/aliases/champion"), "utf8"), first.registered?.version);
    assert.equal(folder.churn("verify", "--no-rebuild").code, 0);
  });

  test("before the first there is none to go back to; forward again by its name", () => {
    const { code, stderr } = folder.churn("rollback");
    assert.equal(code, 2);
    assert.match(stderr, /: expected a champion before this one in previous\/, kept are \S+: name one with --to/);

    const second = folder.ledger()[1];
    assert.equal(folder.churn("rollback", "--to", second.version).code, 0);
    assert.equal(folder.champion().version, second.version);
  });

  test("one byte more or less in any file of the model directory is red, and names the file", () => {
    const directory = folder.in("models", "best_model");
    const safe = folder.in("safe");
    cpSync(directory, safe, { recursive: true });
    for (const name of readdirSync(directory)) {
      const file = `${directory}/${name}`;
      const bytes = readFileSync(file);
      for (const place of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
        const changed = Buffer.from(bytes);
        changed[place] ^= 1;
        writeFileSync(file, changed);
        const { code, stderr } = folder.churn("verify", "--no-rebuild");
        assert.equal(code, 1, `${name}, byte ${place}`);
        assert.match(stderr, new RegExp(`best_model.*${name.replace(".", "\\.")}`), `${name}, byte ${place}`);
      }
      copyFileSync(`${safe}/${name}`, file);
    }
    assert.equal(folder.churn("verify", "--no-rebuild").code, 0);
  });

  test("a second one at the same time is refused, and changes nothing", async () => {
    const before = folder.champion();
    const { code, stderr } = await withChampion(folder.in("models", "best_model"), async () =>
      folder.retrain("--month", "4", "--force"),
    );
    assert.notEqual(code, 0);
    assert.match(stderr, /^churn: \S+\.lock: cannot be locked: another program has had it for 1 s\n$/);
    assert.deepEqual(folder.champion(), before);
  });
});

describe("what is refused is one message, and nothing is written:", () => {
  const folder = new RetrainingFolder();
  before(() => {
    assert.equal(folder.retrain("--month", "0").code, 0);
    writeFileSync(folder.in("few.csv"), "customer_id,churn\na,1\n");
  });
  after(() => folder.remove());

  for (const [what, args, says] of [
    ["a file that nobody named", ["--source", "file"], /--data: expected with --source file, got none/],
    ["a store that nobody named", ["--source", "store"], /--store: expected with --source store, got none/],
    ["a file that is not there", ["--source", "file", "--data", "nowhere.csv"], /nowhere\.csv: found nothing/],
    ["a file without the columns", ["--source", "file", "--data", "few.csv"], /few\.csv: expected a column "/],
    ["a store that is not there", ["--source", "store", "--store", "sqlite:none.db"], /none\.db: no such file/],
    ["a champion of another name", ["--model", "models/other"], /--model: expected the champion's directory, called/],
    [
      "a report in the champion",
      ["--report", "models/best_model/a.html"],
      /would be in the way of models\/best_model: name another/,
    ],
    ["a summary in the ledger", ["--summary", "models/ledger.jsonl"], /would be in the way of \S*ledger\.jsonl: name/],
    [
      "a report in that of drift",
      ["--report", "reports/drift.html"],
      /would be in the way of reports\/drift\.html: name/,
    ],
    ["a time that is none", ["--now", "soon"], /Expected a time such as/],
    ["a month that never comes", ["--month", "1000"], /Expected a whole number in \[0, 120\]/],
  ] as const) {
    test(what, () => {
      const before = readdirSync(folder.in("models"), { recursive: true }).map(String).sort();
      const { code, stderr, stdout } = folder.retrain(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal(stderr.trimEnd().split("\n").length, 1);
      assert.equal(stdout, "");
      assert.deepEqual(readdirSync(folder.in("models"), { recursive: true }).map(String).sort(), before);
    });
  }

  test("too few customers are not enough evidence", () => {
    const { code, result } = folder.retrain("--month", "1", "--rows", "60", "--force");
    assert.equal(code, 4);
    assert.equal(result.outcome, "notEnoughEvidence");
    assert.match(result.reason, /expected at least \d+ customers of each class/);
  });

  test("a damaged champion is not compared with", () => {
    const file = folder.in("models", "best_model", "forest.safetensors");
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, 1000));
    const { code, stderr } = folder.retrain("--month", "5", "--force");
    writeFileSync(file, bytes);
    assert.equal(code, 2);
    assert.match(stderr, /forest\.safetensors/);
    assert.equal(existsSync(folder.in("models", "previous")), false);
  });

  test("where another model is the champion by the ledger, verify says so", () => {
    const ledger = folder.in("models", "ledger.jsonl");
    const text = readFileSync(ledger, "utf8");
    writeFileSync(ledger, text.replace(/"version":"\d{8}/, '"version":"20010101'));
    const { code, stderr } = folder.churn("verify", "--no-rebuild");
    writeFileSync(ledger, `${text}not a line\n`);
    const broken = folder.churn("models");
    writeFileSync(ledger, text);
    assert.equal(code, 1);
    assert.match(stderr, /best_model: expected 20010101\S+, by the last line of .*ledger\.jsonl, got \S+:/);
    assert.equal(broken.code, 2);
    assert.match(
      broken.stderr,
      /ledger\.jsonl, line 2: expected a JSON object with "at" and "version", got "not a line"/,
    );
    rmSync(folder.in("data"), { recursive: true });
  });
});
