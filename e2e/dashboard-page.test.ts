/**
 * The dashboard in a real browser, over the real service with a key, after real predictions: a visitor tries a customer by
 * keyboard and reads why; nothing is asked of any other host; it can be read by day, by night and on a phone.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { killServices, type ServiceProcess, startService } from "../serving/test/service-process.ts";
import { MEMBER, P_FADING_DAY, P_MEMBER, writeTinyModel } from "../serving/test/tiny-model.ts";

const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const isMissing = !existsSync(CHROMIUM_PATH) && process.env.CHURN_REQUIRE_ALL !== "1";
const PROBE = fileURLToPath(new URL("page-probe.js", import.meta.url));

/** WCAG 2.2, 1.4.3: the contrast of text, level AA. */
const CONTRAST = 4.5;
const PHONE = { viewport: { width: 360, height: 780 }, isMobile: true, deviceScaleFactor: 2 };
const KEY = "a-key-for-this-test-only";

/** Keeps the browser from asking anything of its own makers, so that every request seen is the page's. */
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const tiny = writeTinyModel();
let service: ServiceProcess;
let url: string;
let browser: Browser;

before(async () => {
  if (isMissing) return;
  const folder = dirname(tiny.directory); // `remove` deletes it
  service = startService({
    MODEL_DIR: tiny.directory,
    HOST: "127.0.0.1",
    API_KEYS: KEY,
    PREDICTION_STORE_URL: `sqlite:${join(folder, "predictions.db")}`,
    SPOOL_DIR: join(folder, "spool"),
  });
  url = await service.url;
  const staying = await send("/predict", { ...MEMBER, member: "M-1" });
  await send("/predict", { ...MEMBER, member: "M-2", visits: 1, tariff: "day" });
  await send("/outcomes", { prediction_id: staying.prediction_id, churn_outcome: 0 });
  browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: QUIET });
  await storeHas(2);
});
after(async () => {
  await browser?.close();
  killServices();
  tiny.remove();
});

async function send(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${KEY}` };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}

const basic = { authorization: `Basic ${Buffer.from(`anyone:${KEY}`).toString("base64")}` };

/** Waits until records have gone their way to the store: predictions, and the outcome after them. */
async function storeHas(predictions: number): Promise<void> {
  const shown = `known of <b>1</b> of ${predictions}\u00a0predictions`;
  for (let end = Date.now() + 20_000; ; ) {
    const page = await (await fetch(`${url}/dashboard`, { headers: basic })).text();
    if (page.includes(shown)) return;
    assert.ok(Date.now() < end, `expected "${shown}" on the page within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface Visit {
  readonly page: Page;
  readonly asked: string[];
  readonly complaints: string[];
}

async function visit(options: BrowserContextOptions, look: (visit: Visit) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ httpCredentials: { username: "anyone", password: KEY }, ...options });
  try {
    await context.addInitScript({ path: PROBE });
    const page = await context.newPage();
    const [asked, complaints]: string[][] = [[], []];
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${url}/dashboard`);
    await look({ page, asked, complaints });
  } finally {
    await context.close();
  }
}

/** Presses Tab until the element of this id has the focus, as somebody without a mouse would. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
  }
  assert.fail(`Tab does not reach ${selector}`);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}\u00a0%`;

describe("the dashboard", { skip: isMissing && `no Chromium at ${CHROMIUM_PATH}`, timeout: 120_000 }, () => {
  test("lets a visitor without a mouse try a customer and read why, without internet", () =>
    visit({}, async ({ page, asked, complaints }) => {
      await tabTo(page, "[name=visits]");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("1");
      await tabTo(page, "[name=tariff]");
      await page.keyboard.type("day");
      await tabTo(page, "button");
      await page.keyboard.press("Enter");
      const answer = page.locator(".answer");
      await answer.waitFor();

      const verdict = await answer.locator(".verdict").innerText();
      const reasons = await answer.locator("tbody th").allInnerTexts();
      assert.ok(verdict.startsWith(`${percent(P_FADING_DAY)} probability to churn: contact`), verdict);
      assert.ok(
        reasons.some((text) => /^Visits: 1 \(per month\), which raises the risk score by [\d.]+ points\.$/.test(text)),
      );
      assert.ok(
        reasons.every((text) => !text.includes("weight")),
        "a sensitive column is named",
      );
      assert.equal(await page.locator("[name=visits]").inputValue(), "1");
      assert.equal(await page.locator("[name=tariff]").inputValue(), "day");
      assert.equal(page.url(), `${url}/dashboard#try`);
      assert.ok(await answer.isVisible());
      assert.deepEqual(complaints, []);
      assert.deepEqual(asked, [`${url}/dashboard`, `${url}/dashboard`]); // once to see it, once to send its form
    }));

  test("does not store or count a customer that was tried", () =>
    visit({}, async ({ page }) => {
      await page.locator("button").click();
      await page.locator(".answer").waitFor();
      await send("/predict", { ...MEMBER, member: "M-3" }); // is stored after anything that came before it
      await storeHas(3);
      await page.goto(`${url}/dashboard`);

      const keys = await page.locator("#recent bdi").allInnerTexts();
      assert.deepEqual(keys, ["M-3", "M-2", "M-1"]);
      assert.match(await page.locator(".lede").innerText(), /^3 predictions/);
    }));

  test("shows what was predicted, why, and what came of it", () =>
    visit({}, async ({ page }) => {
      const row = page.locator("#recent tbody tr", { hasText: "M-1" });

      assert.equal(await row.locator("td").nth(2).innerText(), percent(P_MEMBER));
      assert.equal(await row.locator("td").nth(4).innerText(), "stayed");
      assert.match(await row.locator("li").first().innerText(), /risk score by/);
      assert.match(await page.locator("#requests").innerText(), /POST \/predict/);
    }));

  test("says what is wrong beside the field, and a link leads to it", () =>
    visit({}, async ({ page }) => {
      await page.evaluate("document.forms[0].noValidate = true"); // a browser would not send it
      await page.locator("[name=visits]").fill("900");
      await page.locator("button").click();
      const alert = page.getByRole("alert");
      await alert.waitFor();
      await alert.getByRole("link", { name: "visits" }).click();

      assert.match(await page.title(), /^Error: /);
      assert.match(await page.locator(".field", { hasText: "visits" }).innerText(), /expected a value <= 40, got 900/);
      assert.equal(await page.locator("[name=visits]").inputValue(), "900");
      assert.equal(await page.evaluate<string>("location.hash"), "#field-0");
      assert.deepEqual(await page.evaluate<string[]>("unnamed()"), []);
      for (const scheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: scheme });
        assert.deepEqual(await page.evaluate<string[]>(`faintTexts(${CONTRAST})`), []);
      }
    }));

  test("works with scripts turned off", () =>
    visit({ javaScriptEnabled: false }, async ({ page }) => {
      await page.locator("button").click();
      await page.locator(".answer").waitFor();

      assert.ok((await page.locator(".verdict").innerText()).startsWith(percent(P_MEMBER)));
    }));

  test("has landmarks, and names for its tables, its picture and its fields", () =>
    visit({}, async ({ page }) => {
      for (const role of ["banner", "navigation", "main"] as const) assert.equal(await page.getByRole(role).count(), 1);
      for (const name of ["Model", "Scores", "Recent predictions", "Outcomes", "Try a customer", "Requests"]) {
        assert.equal(await page.getByRole("region", { name, exact: true }).count(), 1, name);
      }
      assert.equal(await page.getByRole("table", { name: "Requests by route" }).count(), 1);
      assert.equal(await page.getByRole("img", { name: /^Share of customers by score/ }).count(), 1);
      assert.deepEqual(await page.evaluate<string[]>("unnamed()"), []);
    }));

  for (const colorScheme of ["light", "dark"] as const) {
    test(`has text that stands out from its ground by ${CONTRAST} when it is ${colorScheme}, also in an answer`, () =>
      visit({ colorScheme }, async ({ page }) => {
        await page.locator("summary").click();
        const first = await page.evaluate<string[]>(`faintTexts(${CONTRAST})`);
        await page.locator("button").click();
        await page.locator(".answer").waitFor();

        assert.equal((await page.evaluate<string>("pageGround()")) === "rgb(255, 255, 255)", colorScheme === "light");
        assert.deepEqual([...first, ...(await page.evaluate<string[]>(`faintTexts(${CONTRAST})`))], []);
      }));
  }

  test("fits a phone: nothing to scroll sideways, no text below 11 pixels", () =>
    visit(PHONE, async ({ page }) => {
      await page.locator("summary").click();
      await page.locator("button").click();
      await page.locator(".answer").waitFor();
      await page.locator("summary").click();
      const smallest = await page.evaluate<number>("smallestText()");

      assert.equal(await page.evaluate<number>("overhang()"), 0);
      assert.deepEqual(await page.evaluate<string[]>("cutTables()"), []);
      assert.ok(smallest >= 11, `${smallest} pixels`);
      assert.equal(await page.getByRole("table", { name: "The last predictions, the newest first" }).count(), 1);
    }));
});
