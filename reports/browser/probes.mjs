// What the tests ask a page. Each function runs inside of it, so none uses anything from outside
// itself. Not responsible for what is right: they only tell what is there.

/** What is shown only where the head of a table, which says the same, is not. */
export const REPEATED = ".unit";

/**
 * Texts that cannot be seen, but for those in `except`. With `folded`, what a closed `<details>` holds
 * is taken as readable: its summary is there to open it, and is looked at like any other text.
 */
export function unseen({ folded, except }) {
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.parentElement;
    // A `<noscript>` is one text that is never shown, where there are scripts.
    if (!node.data.trim() || at.closest("script, style, template, title, desc")) continue;
    if (at.localName === "noscript" || (except && at.closest(except))) continue;
    const isFolded = (inner) => {
      const fold = inner.closest("details:not([open])");
      if (!fold) return false;
      const isSummary = inner.closest("summary")?.parentElement === fold;
      return isSummary && fold.parentElement ? isFolded(fold.parentElement) : true;
    };
    if (folded && isFolded(at)) continue;
    if (!at.checkVisibility({ opacityProperty: true, visibilityProperty: true })) {
      texts.push(`${at.localName}: ${node.data.trim().slice(0, 60)}`);
    }
  }
  return texts;
}

/**
 * Boxes that cut off what is in them. Boxes that can be scrolled are among them when `scrolled` is
 * set: paper cannot be scrolled.
 */
export function clipped({ scrolled }) {
  const cut = [];
  for (const box of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(box);
    // What is for screen readers alone is a pixel wide, and no loss to the eye.
    if (box.closest("script, style") || box.clientWidth <= 1 || style.clipPath.startsWith("inset")) continue;
    const hides = ["overflowX", "overflowY"].filter(
      (side) => /hidden|clip/.test(style[side]) || (scrolled && /auto|scroll/.test(style[side])),
    );
    // Rounding makes a box seem a pixel too small.
    const cuts = (side) =>
      side === "overflowX" ? box.scrollWidth > box.clientWidth + 1 : box.scrollHeight > box.clientHeight + 1;
    if (hides.some(cuts)) cut.push(`${box.localName}.${box.className} ${box.textContent.trim().slice(0, 40)}`);
  }
  return cut;
}

/** Whether the document scrolls sideways, and what of it sticks out of a box that does not scroll. */
export function sideways() {
  const root = document.documentElement;
  const out = [];
  const scrolls = (at) => /auto|scroll/.test(getComputedStyle(at).overflowX);
  for (const at of document.body.querySelectorAll("*")) {
    const own = [...at.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !at.checkVisibility()) continue;
    const box = at.getBoundingClientRect();
    if (box.right <= root.clientWidth + 1 && box.left >= -1) continue;
    let around = at;
    while (around && !scrolls(around)) around = around.parentElement;
    // A skip link waits outside until it has the focus.
    if (!around && !(box.right < 0)) out.push(`${at.localName}: ${at.textContent.trim().slice(0, 40)}`);
  }
  return { extra: Math.max(0, root.scrollWidth - root.clientWidth), out };
}

/** Opens or closes every fold. */
export function openAll(open) {
  for (const fold of document.querySelectorAll("details")) fold.open = open;
}

/** How many elements there are of each name and set of attributes. */
export function shape() {
  const shapes = {};
  for (const at of document.querySelectorAll("*")) {
    const shape = `${at.localName}[${at.getAttributeNames().sort().join(" ")}]`;
    shapes[shape] = (shapes[shape] ?? 0) + 1;
  }
  return shapes;
}

/** Addresses in attributes that lead out of the page. */
export function addresses() {
  const names = ["href", "xlink:href", "src", "srcset", "data", "action", "formaction", "poster", "ping"];
  const found = [];
  for (const at of document.querySelectorAll("*")) {
    for (const name of names) {
      const to = at.getAttribute(name);
      if (to !== null && !to.startsWith("#") && !to.startsWith("data:")) {
        found.push(`${at.localName} ${name}=${to}`);
      }
    }
  }
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (/url\((?!["']?(#|data:))|@import/.test(rule.cssText)) found.push(rule.cssText);
    }
  }
  return found;
}

/** Links within the page that lead nowhere. */
export function dangling() {
  return [...document.querySelectorAll('a[href^="#"]')]
    .map((link) => link.getAttribute("href"))
    .filter((href) => !document.getElementById(decodeURIComponent(href.slice(1))));
}

/** Lightness from 0 to 1 of the page's ground and of its text. */
export function lightness() {
  const of = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  };
  const style = getComputedStyle(document.body);
  const grounds = [style.backgroundColor, getComputedStyle(document.documentElement).backgroundColor];
  const ground = grounds.find((colour) => colour !== "rgba(0, 0, 0, 0)") ?? "white";
  return { ground: of(ground), text: of(style.color) };
}
