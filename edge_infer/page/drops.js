// The ways in: drop anywhere, choose files or a folder, paste.

import { dropped, listed, workOf } from "./intake.js";

/**
 * Listen to all of them.
 * @param {HTMLElement} zone lights up while something is held over the page
 * @param {HTMLInputElement} files
 * @param {HTMLInputElement} folder
 * @param {(found: {works: object[], leftOut: string[]}) => void} onWork
 */
export function startDrops(zone, files, folder, onWork) {
  const take = async (found) => onWork(await workOf(await found));
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const light = (by) => {
    depth = Math.max(0, depth + by);
    zone.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", (event) => holdsFiles(event) && light(1));
  addEventListener("dragleave", (event) => holdsFiles(event) && light(-1));
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", (event) => {
    light(-depth);
    if (!holdsFiles(event)) return;
    event.preventDefault(); // otherwise the browser leaves the page and shows the file
    take(dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length) take(listed(pasted));
  });
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      take(listed([...input.files]));
      input.value = ""; // so that the same file can be chosen again
    });
    document.querySelector(`[data-opens="${input.id}"]`).addEventListener("click", () => input.click());
  }
}
