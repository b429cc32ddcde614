/**
 * Takes README's pictures of the running service, in a real Chromium: `node_modules/.bin/node docs/screenshots.ts`.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startService } from "../training/src/running-service.ts";

const IMAGES = fileURLToPath(new URL("images/", import.meta.url));
const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

const service = await startService("models/best_model");
const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ["--no-sandbox"] });
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
  await browser.close();
  await service.stop();
}
