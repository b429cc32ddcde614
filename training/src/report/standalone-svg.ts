/** A plot of the page as a file of its own: with the page's colours by day, which it otherwise takes from around it. */
import { readFileSync } from "node:fs";

const STYLE = new URL("page.css", import.meta.url);

let colors: ReadonlyMap<string, string> | undefined;

export function standaloneSvg(svg: string): string {
  colors ??= dayColors();
  const style = `font-family="sans-serif" style="background:${colors.get("--paper")}"`;
  return svg
    .replace(/<svg viewBox="0 0 ([\d.]+) ([\d.]+)"/, (viewBox, width, height) => {
      // A picture without a size has none where it is shown alone.
      const size = `width="${2 * width}" height="${2 * height}"`;
      return viewBox.replace("<svg", `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}`);
    })
    .replaceAll(/var\((--\w+)\)/g, (_, name) => colors?.get(name) ?? "currentColor");
}

/** Each colour where the style sheet names it first. */
function dayColors(): ReadonlyMap<string, string> {
  const named = readFileSync(STYLE, "utf8").matchAll(/(--\w+): (#[0-9a-f]{6});/g);
  return new Map(Array.from(named, ([, name, color]): [string, string] => [name, color]).toReversed());
}
