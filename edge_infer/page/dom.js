// Elements, made with texts that are only ever texts: names of files and of classes may hold anything.

const SVG = "http://www.w3.org/2000/svg";
// Control characters, marks that turn the direction of writing, half characters, ends of lines.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Make an element.
 * @param {string} tag
 * @param {object} given "class", "text", listeners as on…, attributes (with a "-", or role, for, scope), else properties
 * @param {...(Node|string|null)} children null is left out
 */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["role", "for", "scope", "open"].includes(name)) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Make an element of a drawing, with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Return a name with what cannot be seen as escapes, so that it looks like what it is. */
export function shownName(name) {
  return String(name).replace(UNSEEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

/** Return "1 slice", "2 slices". */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Tell who listens to the page instead of looking at it. */
export function announce(text) {
  document.getElementById("told").textContent = text;
}
