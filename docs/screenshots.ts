/**
 * Takes README's pictures in a real Chromium: `node_modules/.bin/node docs/screenshots.ts`. The running service after a
 * prediction; the champion's report, by the held-out among customers whose true probability is known.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { startMlflow } from "../e2e/mlflow-server.ts";
import { startService } from "../training/src/running-service.ts";

const CHURN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const IMAGES = fileURLToPath(new URL("images/", import.meta.url));
const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const MODEL = "models/best_model";

async function pictureOfDocs(browser: Browser): Promise<void> {
  const service = await startService(MODEL);
  try {
    const page = await browser.newPage({ viewport: { width: 1000, height: 1400 } });
    await page.goto(`${service.url}/docs`);
    const predict = page.locator(".opblock-post").first();
    await predict.click();
    await predict.locator(".try-out__btn").click();
    await predict.locator(".execute").click();
    const answer = predict.locator(".live-responses-table .response").first();
    await answer.waitFor();
    const [top, bottom] = [await predict.boundingBox(), await answer.boundingBox()];
    if (top === null || bottom === null) throw new Error("expected POST /predict and its answer on the page");
    const clip = { x: top.x, y: top.y, width: top.width, height: bottom.y + bottom.height - top.y };
    await page.screenshot({ path: join(IMAGES, "docs-page.png"), clip, fullPage: true });
  } finally {
    await service.stop();
  }
}

async function picturesOfReport(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "churn-screenshots-"));
  try {
    const [data, report] = [join(folder, "customers.parquet"), join(folder, "report.html")];
    const churn = (...args: readonly string[]): unknown => execFileSync(process.execPath, [CHURN, ...args, "--quiet"]);
    churn("generate", "--with-truth", "--out", data);
    churn("evaluate", "--model", MODEL, "--data", data, "--customers", "holdout", "--out", report);
    const url = pathToFileURL(report).href;
    const desktop = await browser.newPage({ viewport: { width: 1200, height: 1010 } });
    await desktop.goto(url);
    await desktop.screenshot({ path: join(IMAGES, "report.png") });
    const phone = await browser.newPage({ viewport: { width: 360, height: 760 }, colorScheme: "dark" });
    await phone.goto(url);
    await phone.locator("#roc").scrollIntoViewIfNeeded();
    await phone.locator("#roc").evaluate("(figure) => window.scrollTo(0, figure.offsetTop - 96)");
    await phone.screenshot({ path: join(IMAGES, "report-dark-phone.png") });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A training on a real MLflow server; bench/python.sh --mlflow makes what it runs in. */
async function pictureOfMlflow(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "churn-screenshots-"));
  const server = await startMlflow(join(folder, "server"));
  try {
    const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: server.url };
    const out = join(folder, "model");
    const train = ["train", "--out", out, "--report", join(folder, "report.html"), "--register", "--json"];
    const { run } = JSON.parse(execFileSync(process.execPath, [CHURN, ...train], { env, encoding: "utf8" }));
    const page = await browser.newPage({ viewport: { width: 1300, height: 1080 } });
    await page.goto(run.location);
    await page.getByLabel("Close").click(); // an assistant's panel
    await page.getByText("Registered models").waitFor();
    await page.getByText("Show more").click();
    await page.screenshot({ path: join(IMAGES, "mlflow.png") });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ["--no-sandbox"] });
try {
  await pictureOfMlflow(browser);
  await pictureOfDocs(browser);
  await picturesOfReport(browser);
} finally {
  await browser.close();
}
