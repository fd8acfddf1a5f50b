// Takes the regions of this page from the server as they change. A region in which somebody works waits: one that
// has the focus, selected text or an open <details>. A page that is not seen has no connection.
import { localTimes } from "./times.js";

const regions = new Map([...document.querySelectorAll("[data-region]")].map((one) => [one.dataset.region, one]));
const waiting = new Map();
let source = null;

function busy(region) {
  const selection = document.getSelection();
  return region.contains(document.activeElement)
    || (!selection.isCollapsed && region.contains(selection.anchorNode))
    || region.querySelector("details[open]") !== null;
}

function show(name, html) {
  const region = regions.get(name);
  if (!region) return;
  if (busy(region)) {
    waiting.set(name, html);
    return;
  }
  waiting.delete(name);
  region.innerHTML = html; // the server's own template, in which every value is escaped
  localTimes(region);
}

function open() {
  if (source) return;
  source = new EventSource(`/events?page=${encodeURIComponent(location.pathname + location.search)}`);
  source.addEventListener("update", (event) => {
    for (const [name, html] of Object.entries(JSON.parse(event.data))) show(name, html);
  });
  source.addEventListener("open", () => document.body.classList.remove("stale"));
  source.addEventListener("error", () => document.body.classList.add("stale"));
}

function close() {
  source?.close();
  source = null;
}

export function follow() {
  if (regions.size === 0) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  setInterval(() => {
    for (const [name, html] of waiting) show(name, html);
  }, 1000);
  if (!document.hidden) open();
}
