/**
 * What runs beside the service: alert rules, dashboard, scrape example. Prometheus' own checker reads every expression and
 * runs the rules' unit tests; the rest is that names, panels and pages fit together.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLogger } from "../serving/src/logger.ts";
import { testService } from "../serving/test/test-app.ts";
import { decodeYaml } from "../training/src/mlflow/yaml.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OPS = join(ROOT, "ops");
const ALERT_TESTS = ["prometheus-alerts.test.yml", "prometheus-alerts.days.test.yml"];

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const skip = !hasPromtool && process.env.CHURN_REQUIRE_ALL !== "1" && "no promtool (Debian: prometheus)";

/** Every series that the service exposes, and the one that Prometheus makes itself. */
const METRICS = await exposedSeries();

async function exposedSeries(): Promise<ReadonlySet<string>> {
  const service = testService(await createLogger("silent", () => {}));
  const types = [...(await service.everybody.exposition()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  const series = types.flatMap(([, name, type]) =>
    type === "histogram" ? ["bucket", "count", "sum"].map((suffix) => `${name}_${suffix}`) : [name],
  );
  return new Set([...series, "up"]);
}

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface AlertTest {
  readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
}

interface Target {
  readonly expr: string;
  readonly datasource: { readonly uid: string };
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly Target[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
}

const readText = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");
const readYaml = <T>(name: string): T => decodeYaml(readText("ops", name)) as unknown as T;

const rules = readYaml<{ groups: { rules: Rule[] }[] }>("prometheus-alerts.yml").groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const dashboard: Dashboard = JSON.parse(readText("ops", "grafana-dashboard.json"));
const dashboardExpressions = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list]
  .map(({ expr }) => expr)
  .map((expr) => expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(job|instance)\b/g, "x"));

const folder = mkdtempSync(join(tmpdir(), "churn-ops-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs promtool in the folder of the rules. */
function promtool(...args: string[]): void {
  assert(hasPromtool, "expected promtool on the path");
  const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: OPS, encoding: "utf8" });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

/** Names in an expression that are metrics: what is left without strings, label lists, ranges and functions. */
function metricsOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, "")
    .replaceAll(/\{[^}]*\}/g, "")
    .replaceAll(/\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, "")
    .replaceAll(/\boffset\s+\w+/g, "");
  const names = bare.match(/[a-zA-Z_][\w:]*(?!\w|\s*\()/g) ?? [];
  return names.filter((name) => !["and", "or", "unless", "by", "on"].includes(name));
}

describe("the alert rules", () => {
  test("pass Prometheus' own checker, also as part of the example's configuration", { skip }, () => {
    promtool("check", "rules", "prometheus-alerts.yml");

    for (const name of ["prometheus.yml", "prometheus-alerts.yml"]) copyFileSync(join(OPS, name), join(folder, name));
    writeFileSync(join(folder, "metrics-key"), "a key");
    promtool("check", "config", join(folder, "prometheus.yml"));
  });

  test("fire when they should and are silent when they should be", { skip, timeout: 240_000 }, () => {
    promtool("test", "rules", ...ALERT_TESTS);
  });

  test("each have a test in which they fire, and one in which they are silent", () => {
    const checks = ALERT_TESTS.flatMap((name) => readYaml<{ tests: AlertTest[] }>(name).tests).flatMap(
      ({ promql_expr_test }) => promql_expr_test,
    );
    for (const { alert } of alerts) {
      const own = checks.filter(({ expr }) => expr.includes(`alertname="${alert}"`));
      assert(
        own.some(({ exp_samples }) => exp_samples.length > 0),
        `${alert}: expected a test in which it fires`,
      );
      assert(
        own.some(({ exp_samples }) => exp_samples.length === 0),
        `${alert}: expected a test in which it is silent`,
      );
    }
  });

  test("each say what they mean, what to look at and what to do, and have a section in the handbook", () => {
    const sections = [...readText("docs/operations.md").matchAll(/^### (Churn\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      sections,
      alerts.map(({ alert }) => alert),
    );
    for (const { alert, labels, annotations } of alerts) {
      assert.match(labels?.severity ?? "", /^(critical|warning|info)$/, alert);
      assert.ok(annotations?.summary, alert);
      assert.match(annotations?.description ?? "", /^Means: .+ Look at: .+ Do: .+\.$/, alert);
      assert.equal(annotations?.runbook_url, `docs/operations.md#${alert.toLowerCase()}`);
    }
  });

  test("read no metric that nothing exposes", () => {
    const known = new Set([...METRICS, ...rules.flatMap(({ record = [] }) => record)]);
    for (const { alert, record, expr } of rules) {
      const names = metricsOf(expr);
      assert.ok(names.length > 0, expr);
      assert.deepEqual(
        names.filter((name) => !known.has(name)),
        [],
        alert ?? record ?? expr,
      );
    }
  });
});

describe("the dashboard", () => {
  test("has panels with ids of their own that do not lie on one another", () => {
    const { panels } = dashboard;
    assert.ok(panels.length > 20);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const [i, a] of panels.entries()) {
      const { x, y, w, h } = a.gridPos;
      assert.ok(x >= 0 && w > 0 && h > 0 && x + w <= 24, a.title);
      for (const b of panels.slice(i + 1)) {
        const other = b.gridPos;
        const apart = x + w <= other.x || other.x + other.w <= x || y + h <= other.y || other.y + other.h <= y;
        assert.ok(apart, `${a.title} lies on ${b.title}`);
      }
    }
  });

  test("asks the data source that its reader chooses, in every panel", () => {
    assert.ok(dashboard.templating.list.some(({ name, type }) => name === "datasource" && type === "datasource"));
    const targets = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...dashboard.annotations.list];
    assert.ok(targets.every(({ datasource }) => datasource.uid === "$" + "{datasource}"));
    const shown = dashboard.panels.filter(({ type }) => type !== "row");
    assert.ok(shown.every(({ targets = [] }) => targets.length > 0));
  });

  test("has expressions that Prometheus can read", { skip }, () => {
    const list = dashboardExpressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
    const path = join(folder, "dashboard.yml");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "dashboard", rules: list }] })); // YAML takes JSON

    promtool("check", "rules", path);
  });

  test("reads no metric that nothing exposes, and shows all of the service's own", () => {
    const shown = new Set(dashboardExpressions.flatMap(metricsOf));
    assert.deepEqual(
      [...shown].filter((name) => !METRICS.has(name)),
      [],
    );
    const own = [...METRICS].filter((name) => /^churn_/.test(name) && !/_(sum|bucket|count)$/.test(name));
    assert.deepEqual(
      own.filter((name) => !shown.has(name)),
      [],
    );
  });
});
