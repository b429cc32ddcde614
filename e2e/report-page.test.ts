/** The report in a real browser: it opens at once, asks for nothing, and can be read by day, by night, on a phone, on paper. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { customerRequests } from "../bench/customer-requests.ts";
import { storeWithOutcomes } from "./outcome-store.ts";

const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const isMissing = !existsSync(CHROMIUM_PATH) && process.env.CHURN_REQUIRE_ALL !== "1";
const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const PROBE = fileURLToPath(new URL("page-probe.js", import.meta.url));
const MODEL = fileURLToPath(new URL("../models/best_model", import.meta.url));
const DATASETS = fileURLToPath(new URL("../datasets", import.meta.url));

/** Millimetres of A4 at 96 dots per inch, without the margins that browsers leave. */
const PAPER = { width: 718, height: 1047 };
/** WCAG 2.2, 1.4.3: the contrast of text, level AA. */
const CONTRAST = 4.5;
const WHITE = "rgb(255, 255, 255)";
const PHONE = { width: 360, height: 780 };

const folder = mkdtempSync(join(tmpdir(), "churn-report-"));
/** Reports of two data sets, one with profit and the truth, one with neither; and of a drift check of a store with outcomes. */
const REPORTS = {
  customers: join(folder, "customers.html"),
  telco: join(folder, "telco.html"),
  drift: join(folder, "drift.html"),
};

let browser: Browser;
before(async () => {
  if (isMissing) return;
  const churn = (...args: readonly string[]): unknown =>
    execFileSync(process.execPath, [MAIN, ...args], { cwd: folder, env: { ...process.env, LOG_LEVEL: "silent" } });
  churn("generate", "--rows", "4000", "--with-truth", "--out", "customers.csv");
  for (const name of ["customers", "telco"] as const) {
    const report = REPORTS[name];
    const data = name === "customers" ? ["--data", "customers.csv"] : [];
    const dataset = join(DATASETS, name, "dataset.json");
    churn("train", "--dataset", dataset, ...data, "--out", name, "--report", report, "--n-estimators", "30");
  }
  const store = storeWithOutcomes(join(folder, "store.db"), customerRequests(folder, 2000), 1.5);
  churn("drift", "--model", MODEL, "--current", store, "--every", "7d", "--report", REPORTS.drift);
  browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ["--no-sandbox", "--disable-gpu"] });
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Visit {
  readonly page: Page;
  readonly asked: string[];
  readonly complaints: string[];
}

async function visit(report: string, options: BrowserContextOptions, look: (visit: Visit) => Promise<void>) {
  const context = await browser.newContext({ offline: true, ...options });
  try {
    await context.addInitScript({ path: PROBE });
    const page = await context.newPage();
    const [asked, complaints]: string[][] = [[], []];
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(pathToFileURL(report).href);
    await look({ page, asked, complaints });
  } finally {
    await context.close();
  }
}

for (const [name, report] of Object.entries(REPORTS)) {
  describe(`the report of ${name}`, { skip: isMissing && `no Chromium at ${CHROMIUM_PATH}` }, () => {
    test("opens from a file within a second, without internet, and asks for nothing", () =>
      visit(report, {}, async ({ page, asked, complaints }) => {
        const loadMs = await page.evaluate<number>("loadMs()");

        assert(loadMs > 0 && loadMs < 1000, `${loadMs} ms`);
        assert.deepEqual(asked, [pathToFileURL(report).href]);
        assert.deepEqual(complaints, []);
      }));

    test("draws every figure within its box", () =>
      visit(report, {}, async ({ page }) => {
        const plots = await page.evaluate<{ width: number; isWithin: boolean; marks: number }[]>("plots()");

        if (name === "drift") assert.ok(plots.length > 6, String(plots.length));
        else assert.equal(plots.length, 16);
        for (const { width, isWithin, marks } of plots) assert(width > 250 && isWithin && marks > 2);
      }));

    for (const colorScheme of ["light", "dark"] as const) {
      test(`has text that stands out from its ground by ${CONTRAST} when it is ${colorScheme}`, () =>
        visit(report, { colorScheme }, async ({ page }) => {
          const ground = await page.evaluate<string>("pageGround()");

          assert.equal(ground === WHITE, colorScheme === "light");
          assert.deepEqual(await page.evaluate<string[]>(`faintTexts(${CONTRAST})`), []);
        }));
    }

    test("fits a phone: nothing to scroll sideways but tables in their boxes, no text below 11 pixels", () =>
      visit(report, { viewport: PHONE, isMobile: true, deviceScaleFactor: 2 }, async ({ page }) => {
        const smallest = await page.evaluate<number>("smallestText()");

        assert.equal(await page.evaluate<number>("overhang()"), 0);
        assert(smallest >= 11, `${smallest} pixels`);
      }));

    test("prints black on white, with nothing beyond the edge, and no figure or row cut in two", () =>
      visit(report, { colorScheme: "dark", viewport: PAPER }, async ({ page }) => {
        await page.emulateMedia({ media: "print", colorScheme: "dark" });

        const blocks = await page.evaluate<{ height: number; breakInside: string }[]>("blocks()");
        for (const { height, breakInside } of blocks) assert(breakInside === "avoid" && height < PAPER.height);
        assert.equal(await page.evaluate<number>("overhang()"), 0);
        assert.equal(await page.evaluate<string>("pageGround()"), WHITE);
        assert.deepEqual(await page.evaluate<string[]>(`faintTexts(${CONTRAST})`), []);
      }));
  });
}
