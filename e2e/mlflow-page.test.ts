/** A training as somebody sees it who opens MLflow's own page: figures, curves, data sets, report, plots, tables, model. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { type MlflowServer, mlflowSkip, startMlflow } from "./mlflow-server.ts";

const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const isBrowserMissing = !existsSync(CHROMIUM_PATH) && process.env.CHURN_REQUIRE_ALL !== "1";
const skip = mlflowSkip || (isBrowserMissing && `no Chromium at ${CHROMIUM_PATH}`);
const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
/** For a page that has to load; what is there is found at once. */
const PATIENCE_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), "churn-page-"));
let server: MlflowServer;
let browser: Browser;
let page: Page;
let location = "";
let version = "";

after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("MLflow's page", { skip }, () => {
  before(async () => {
    server = await startMlflow(join(folder, "server"));
    const env = { ...process.env, LOG_LEVEL: "silent", MLFLOW_TRACKING_URI: server.url };
    const churn = (...args: string[]): string =>
      execFileSync(process.execPath, [MAIN, ...args], { cwd: folder, env, encoding: "utf8" });
    churn("generate", "--rows", "3000", "--out", "customers.csv");
    const train = ["train", "--dataset", DATASET, "--data", "customers.csv", "--out", "model", "--n-estimators", "30"];
    ({
      run: { location },
      version,
    } = JSON.parse(churn(...train, "--run-name", "thirty trees", "--register", "--json")));
    browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ["--no-sandbox", "--disable-gpu"] });
    page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    page.setDefaultTimeout(PATIENCE_MS);
  });

  /** Waits for each text on the page. */
  const see = async (...texts: string[]): Promise<void> => {
    for (const text of texts) await page.getByText(text).filter({ visible: true }).first().waitFor();
  };

  test("shows what went in and what came out", async () => {
    await page.goto(location);
    await see("thirty trees", "Finished", "churn train", "n_estimators", "30", "roc_auc", "customers-holdout");
    await page.getByText(`Churn model ${version}`).first().waitFor();
  });

  test("draws the out-of-bag log-loss against the trees", async () => {
    await page.goto(`${location}/model-metrics`);
    await see("calibration", "interval");
    const section = page.getByText("out_of_bag").first();
    await section.scrollIntoViewIfNeeded();
    const lines = page.locator(".js-plotly-plot .scatterlayer .trace .js-line");
    await lines.first().waitFor({ state: "attached" });
  });

  test("shows the report, the plots and the tables", async () => {
    await page.goto(`${location}/artifacts`);
    await page.getByText("report.html").first().click();
    const report = page.frameLocator("iframe");
    await report.getByRole("heading", { name: version }).waitFor();
    await page.getByText("plots").first().click();
    await page.getByText("roc.svg").first().click();
    const image = page.locator("img[src^='blob:']").first();
    await image.waitFor();
    const box = await image.boundingBox();
    assert(box !== null && box.width > 200 && box.height > 150, JSON.stringify(box));
    await page.getByText("tables").first().click();
    await page.getByText("metrics.json").first().click();
    await see("View as table", "average_precision");
  });

  test("shows the version of the registered model, its challenger", async () => {
    await page.goto(`${server.url}/#/models/churn`);
    await see("Version 1", "challenger");
    await page.goto(`${server.url}/#/models/churn/versions/1`);
    await see("thirty trees", "Inputs (18)", "Outputs (2)");
  });
});
