/**
 * What a test asks of a page from within: plain JavaScript that a browser runs before the page, so that the tests need
 * no types of a browser. Each function is a global of the page.
 */

const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(color) {
  const [r, g, b] = channels(color).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The colour of the nearest painted box around an element. */
function groundOf(element) {
  if (element === null) return "rgb(255, 255, 255)";
  const { backgroundColor } = getComputedStyle(element);
  return (channels(backgroundColor)[3] ?? 1) === 1 ? backgroundColor : groundOf(element.parentElement);
}

/** Texts whose contrast with their ground is less than `least`, each with its contrast. */
globalThis.faintTexts = (least) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (texts.nextNode()) {
    const { parentElement, textContent } = texts.currentNode;
    if (!textContent.trim()) continue;
    const style = getComputedStyle(parentElement);
    const [text, ground] = [parentElement instanceof SVGElement ? style.fill : style.color, groundOf(parentElement)];
    const [low, high] = [luminance(text), luminance(ground)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < least) faint.push(`${textContent.trim()}: ${text} on ${ground}: ${contrast.toFixed(2)}`);
  }
  return faint;
};

/** The size of the smallest text, in pixels as they are seen: text in a scaled plot is scaled with it. */
globalThis.smallestText = () => {
  const hasText = ({ childNodes }) => [...childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  const sizes = [...document.querySelectorAll("body *")].filter(hasText).map((element) => {
    const svg = element.closest("svg");
    const scale = svg === null ? 1 : svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return Number.parseFloat(getComputedStyle(element).fontSize) * scale;
  });
  return Math.min(...sizes);
};

/** How many pixels of the page lie beyond its right edge. */
globalThis.overhang = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

/** The body's colour. */
globalThis.pageGround = () => getComputedStyle(document.body).backgroundColor;

/** Milliseconds from the start of the navigation until everything is loaded. */
globalThis.loadMs = () => performance.getEntriesByType("navigation")[0].loadEventEnd;

/** Each plot: its width, whether it lies within its figure, how many lines and shapes it has. */
globalThis.plots = () =>
  [...document.querySelectorAll("figure .plot svg")].map((plot) => {
    const [own, figure] = [plot, plot.closest("figure")].map((element) => element.getBoundingClientRect());
    const marks = plot.querySelectorAll("path[d]:not([d=''])").length;
    return { width: own.width, isWithin: own.left >= figure.left && own.right <= figure.right, marks };
  });

/** What must not be cut in two on paper: its height, and whether a page may break within. */
globalThis.blocks = () =>
  [...document.querySelectorAll("figure, .tile, tr")].map((element) => ({
    height: element.getBoundingClientRect().height,
    breakInside: getComputedStyle(element).breakInside,
  }));

/** Tables that are wider than their box. */
globalThis.cutTables = () =>
  [...document.querySelectorAll(".table")]
    .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
    .map((box) => box.querySelector("caption").textContent);

/** Inputs without a name that is read out, and descriptions that nobody has written. */
globalThis.unnamed = () => {
  const inputs = [...document.querySelectorAll("input, select")].filter(({ labels }) => labels.length !== 1);
  const ids = [...document.querySelectorAll("[aria-describedby]")].flatMap((element) =>
    element.getAttribute("aria-describedby").split(" "),
  );
  return [...inputs.map(({ id }) => id), ...ids.filter((id) => document.getElementById(id) === null)];
};
