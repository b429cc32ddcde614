/** A plot of the page as a file of its own: with the page's colours by day, which it otherwise takes from around it. */
import { readFileSync } from "node:fs";

const STYLE = new URL("page.css", import.meta.url);

let colors: ReadonlyMap<string, string> | undefined;

export function standaloneSvg(svg: string): string {
  colors ??= dayColors();
  const paper = colors.get("--paper");
  return svg
    .replace("<svg ", `<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" style="background:${paper}" `)
    .replaceAll(/var\((--\w+)\)/g, (_, name) => colors?.get(name) ?? "currentColor");
}

/** Each colour where the style sheet names it first. */
function dayColors(): ReadonlyMap<string, string> {
  const named = readFileSync(STYLE, "utf8").matchAll(/(--\w+): (#[0-9a-f]{6});/g);
  return new Map(Array.from(named, ([, name, color]): [string, string] => [name, color]).toReversed());
}
