/**
 * Takes README's pictures in a real Chromium: `node_modules/.bin/node docs/screenshots.ts`, or only some of them: `… dashboard`.
 * The running service after a prediction; its dashboard after two thousand; a drift check; a retraining; the champion's report, by the held-out among
 * customers whose true probability is known.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { customerRequests } from "../bench/customer-requests.ts";
import { startMlflow } from "../e2e/mlflow-server.ts";
import { startService as startConfigured } from "../serving/test/service-process.ts";
import { startService } from "../training/src/running-service.ts";

const CHURN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const IMAGES = fileURLToPath(new URL("images/", import.meta.url));
const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const MODEL = "models/best_model";

async function pictureOfDocs(browser: Browser): Promise<void> {
  const service = await startService(MODEL, mkdtempSync(join(tmpdir(), "churn-live-")));
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

/** A month in which prices have risen, against the champion. */
async function pictureOfDrift(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "churn-screenshots-"));
  try {
    const [data, report] = ["month.parquet", "drift.html"]; // of the folder: its name is on the picture
    const churn = (...args: readonly string[]): unknown =>
      execFileSync(process.execPath, [CHURN, ...args, "--quiet"], { cwd: folder });
    const month = ["--month", "1", "--scenario", "price-increase", "--seed", "2027", "--rows", "5000"];
    churn("generate", ...month, "--out", data);
    churn("drift", "--model", resolve(MODEL), "--current", data, "--report", report);
    const page = await browser.newPage({ viewport: { width: 1200, height: 1010 } });
    await page.goto(pathToFileURL(join(folder, report)).href);
    await page.screenshot({ path: join(IMAGES, "drift.png") });
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

/** Generated customers, scored one by one; of every fourth, what the generator says became of him is reported. */
async function picturesOfDashboard(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "churn-screenshots-"));
  const service = startConfigured({
    MODEL_DIR: MODEL,
    LOG_LEVEL: "info",
    PREDICTION_STORE_URL: `sqlite:${join(folder, "predictions.db")}`,
    SPOOL_DIR: join(folder, "spool"),
  });
  try {
    const url = await service.url;
    await servePredictions(url, folder);
    const light = await browser.newPage({ viewport: { width: 1200, height: 1245 } });
    await openDashboard(light, url);
    await light.screenshot({ path: join(IMAGES, "dashboard.png") });
    await tryCustomer(light);
    await light.locator(".answer").screenshot({ path: join(IMAGES, "dashboard-answer.png") });
    const phone = await browser.newPage({ viewport: { width: 360, height: 760 }, colorScheme: "dark" });
    await openDashboard(phone, url);
    await phone.goto(`${url}/dashboard#recent`);
    await phone.screenshot({ path: join(IMAGES, "dashboard-dark-phone.png") });
  } finally {
    service.child.kill("SIGTERM");
    await service.exit;
    rmSync(folder, { recursive: true });
  }
}

const CUSTOMERS = 2000;
const REPORTED = CUSTOMERS / 4;

async function servePredictions(url: string, folder: string): Promise<void> {
  const post = async (path: string, body: string): Promise<Record<string, unknown>> => {
    const response = await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const customers = customerRequests(folder, CUSTOMERS);
  const [header, ...lines] = readFileSync(join(folder, "customers.csv"), "utf8").trimEnd().split("\n");
  const target = header.split(",").indexOf("churn");
  for (const [i, customer] of customers.entries()) {
    const { prediction_id } = await post("/predict", customer);
    const churn_outcome = Number(lines[i].split(",")[target]);
    if (i % (CUSTOMERS / REPORTED) === 0) await post("/outcomes", JSON.stringify({ prediction_id, churn_outcome }));
  }
}

/** Once the store has all that was sent. */
async function openDashboard(page: Page, url: string): Promise<void> {
  const [predictions, outcomes] = [CUSTOMERS, REPORTED].map((count) => count.toLocaleString("en"));
  for (;;) {
    await page.goto(`${url}/dashboard`);
    const text = await page.locator(".lede").innerText();
    if (text.includes(`${predictions} predictions`) && text.includes(`known of ${outcomes}`)) return;
    await page.waitForTimeout(500);
  }
}

async function tryCustomer(page: Page): Promise<void> {
  await page.locator("[name=support_tickets]").fill("7");
  await page.locator("[name=payment_delay_days]").fill("14");
  await page.locator("[name=satisfaction_score]").fill("");
  await page.locator("button").click();
  await page.locator(".answer").waitFor();
}

/** The same month, from which a challenger has learned. */
async function pictureOfRetraining(browser: Browser): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "churn-screenshots-"));
  try {
    cpSync("models", join(folder, "models"), { recursive: true });
    cpSync("datasets", join(folder, "datasets"), { recursive: true });
    const month = ["--month", "3", "--scenario", "price-increase"];
    execFileSync(process.execPath, [CHURN, "retrain", ...month, "--quiet"], { cwd: folder });
    const page = await browser.newPage({ viewport: { width: 1200, height: 1010 } });
    await page.goto(pathToFileURL(join(folder, "reports/retrain.html")).href);
    await page.locator("section").nth(1).scrollIntoViewIfNeeded();
    await page.evaluate("window.scrollTo(0, document.querySelectorAll('section')[1].offsetTop - 24)");
    await page.screenshot({ path: join(IMAGES, "retrain.png") });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const PICTURES: Readonly<Record<string, (browser: Browser) => Promise<void>>> = {
  mlflow: pictureOfMlflow,
  docs: pictureOfDocs,
  report: picturesOfReport,
  dashboard: picturesOfDashboard,
  drift: pictureOfDrift,
  retrain: pictureOfRetraining,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PICTURES);
const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ["--no-sandbox"] });
try {
  for (const name of wanted) await PICTURES[name](browser);
} finally {
  await browser.close();
}
