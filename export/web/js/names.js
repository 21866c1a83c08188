// How a name is shown: nothing in it may break a line (edge_infer/names.py: what Python's isprintable says no to).

const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;
const SHORT = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** @param {string} name @returns {string} With control characters as escapes such as \x1b. */
export function shownName(name) {
  return name.replace(UNPRINTABLE, (character) => SHORT[character] ?? escaped(character.codePointAt(0)));
}

function escaped(code) {
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}
