// The page: takes files, has them answered one after the other, and shows what was answered.

import * as engines from "./engine.js";
import { announce, counted, el } from "./dom.js";
import { saveAll, saveLines } from "./download.js";
import { startDrops } from "./drops.js";
import { jobRow } from "./list_view.js";
import { isWhole, Queue } from "./queue.js";
import { found, resultView } from "./result_view.js";
import { firstKey, leftOutWords, said } from "./spoken.js";
import { startTheme } from "./theme.js";
import { askToken } from "./token.js";

const TAKES = "Images, DICOM, NIfTI, ZIP or folders. Paste works, too.";
const at = (id) => document.getElementById(id);
const queue = new Queue();
const rows = new Map();
const pending = new Set();
let facts = null;
let chosen = "";
let isShown = "";
let hadToken = false;

async function open() {
  at("trouble").hidden = true;
  at("starting").textContent = "Opening the model …";
  at("starting").hidden = false;
  try {
    const engine = await engines.openEngine();
    facts = engine.facts;
    const { name, precision, manifest_sha256: digest } = facts.model;
    at("model").textContent = `${name} · ${precision} · ${digest.slice(0, 12)}`;
    at("classes").textContent = `It tells apart: ${facts.labels.join(", ")}.`;
    at("where").textContent = engine.where ?? "";
    at("takes").textContent = engine.takes ?? TAKES;
    at("notice").textContent = facts.research_use_only;
    queue.engine = engine;
  } catch (error) {
    if (error.status === 401 && engines.useToken) return enterToken();
    at("trouble-words").textContent = [error.message, error.hint].filter(Boolean).join(". ");
    at("trouble").hidden = false;
  } finally {
    at("starting").hidden = true;
  }
}

async function enterToken() {
  queue.engine = null;
  const token = await askToken(at("token"), hadToken);
  hadToken = true;
  if (token) {
    engines.useToken(token);
    await open();
    for (const job of queue.jobs) if (job.error?.status === 401) queue.retry(job);
  } else {
    at("trouble-words").textContent = "The service asks for a token. ";
    at("trouble").hidden = false;
  }
}

function choose(key) {
  const before = found(chosen, queue.jobs);
  chosen = key;
  show();
  for (const job of new Set([before?.job, found(key, queue.jobs)?.job])) if (job) draw(job);
  if (matchMedia("(max-width: 899px)").matches) at("result").scrollIntoView();
}

const act = {
  choose,
  cancel: (job) => queue.cancel(job),
  retry: (job) => queue.retry(job),
  remove: (job) => queue.remove(job),
};

function draw(job) {
  if (!queue.jobs.includes(job)) {
    rows.get(job)?.remove();
    rows.delete(job);
    return;
  }
  if (!rows.has(job)) {
    rows.set(job, el("li"));
    at("jobs").append(rows.get(job));
  }
  const row = rows.get(job);
  const focused = row.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  row.className = `job ${job.state}`;
  row.replaceChildren(...jobRow(job, facts, chosen, act));
  if (focused) (row.querySelector(`[data-key="${CSS.escape(focused)}"]`) ?? row.querySelector("button"))?.focus();
}

function show() {
  const what = chosen ? found(chosen, queue.jobs) : null;
  const state = what ? `${chosen} ${what.entry?.line ? "whole" : what.job.state}` : "";
  if (state === isShown) return;
  isShown = state;
  at("result").replaceChildren(...(what ? resultView(what, facts, act.retry) : []));
}

function changed(job) {
  draw(job);
  const isOver = job.state === "done" || job.state === "failed";
  const still = chosen && found(chosen, queue.jobs);
  if (!still) {
    chosen = firstKey(queue.jobs);
    if (chosen) draw(found(chosen, queue.jobs).job);
  }
  show();
  document.body.classList.toggle("empty", !queue.jobs.length);
  at("all").hidden = queue.jobs.length === 0;
  for (const id of ["save-lines", "save-all"]) at(id).hidden = !queue.jobs.some(isWhole);
  const left = queue.jobs.filter(({ state }) => state === "waiting" || state === "running").length;
  at("count").textContent = left ? `${queue.jobs.length - left} of ${queue.jobs.length}` : counted(queue.jobs.length, "item");
  if (isOver && queue.jobs.includes(job)) announce(`${job.work.name}: ${said(job)}${left ? "" : ". All done."}`);
}

function taken({ works, leftOut }) {
  works.forEach((work) => queue.add(work));
  at("left-out").textContent = leftOutWords(leftOut) || (works.length ? "" : "Nothing there was an image or a scan.");
}

// Up and down walk through the list, as in any list.
at("jobs").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const all = [...at("jobs").querySelectorAll("button.entry")];
  const next = step && all[all.indexOf(document.activeElement) + step];
  if (!next || !document.activeElement.matches("button.entry")) return;
  event.preventDefault();
  next.focus();
});
// Lines of a study come by the hundred: what runs is drawn ten times a second.
queue.addEventListener("change", ({ detail }) => {
  if (detail.state !== "running") changed(detail);
  else if (!pending.has(detail)) {
    pending.add(detail);
    setTimeout(() => pending.delete(detail) && detail.state === "running" && changed(detail), 100);
  }
});
queue.addEventListener("token", enterToken);
at("again").addEventListener("click", open);
at("save-lines").addEventListener("click", () => saveLines(queue.jobs.filter(isWhole).flatMap(({ lines }) => lines), "brain-edge-answers"));
at("save-all").addEventListener("click", () => saveAll(queue.jobs.filter(isWhole), facts));
at("clear").addEventListener("click", () => [...queue.jobs].forEach((job) => queue.remove(job)));
startTheme(at("theme"));
startDrops(at("drop"), at("files"), at("folder"), taken);
open();
