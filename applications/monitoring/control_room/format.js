/** Numbers and times as people read them. */

import { h } from "./dom.js";

let ahead = 0;

/** Tells what the service's clock said just now: all ages are by it, whatever the browser's clock says. */
export function setClock(seconds) {
  ahead = seconds - Date.now() / 1000;
}

/** The service's time now, in seconds since 1970. */
export function now() {
  return Date.now() / 1000 + ahead;
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** A length of time with its greatest unit: `42 s`, `3 min`, `5 h`. */
export function span(seconds) {
  const [size, unit] = UNITS.find(([least]) => seconds >= least * (least === 60 ? 1.5 : 1)) ?? [1, "s"];
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}

/** How long ago a moment was; goes on by itself (`tick`). */
export function age(moment, suffix = "") {
  if (!moment) return h("span", { class: "faint" }, "\u2013");
  const iso = new Date(moment * 1000).toISOString();
  return h("time", { datetime: iso, title: iso, "data-at": moment, "data-suffix": suffix }, span(now() - moment) + suffix);
}

/** Brings all ages on the page up to date, and what is judged by them. */
export function tick() {
  for (const found of document.querySelectorAll("time[data-at]")) {
    const words = span(now() - Number(found.dataset.at)) + found.dataset.suffix;
    if (found.textContent !== words) found.textContent = words;
  }
  for (const row of document.querySelectorAll("[data-failure]")) {
    const late = row.querySelector(".late"), old = late.dataset.at ? now() - Number(late.dataset.at) : Infinity;
    const state = old > row.dataset.failure ? "down" : old > row.dataset.warning ? "silent" : "up";
    late.dataset.state = state;
    late.setAttribute("aria-label", { up: "fresh", silent: "late", down: "too old" }[state]);
  }
}

/** A time of day (and the day, unless it is today), in the reader's zone. */
export function clock(moment) {
  const date = new Date(moment * 1000);
  const today = date.toDateString() === new Date(now() * 1000).toDateString();
  const words = date.toLocaleTimeString("en-GB");
  const day = date.toLocaleDateString("en-GB", { day: "2-digit", month: "short" });
  return h("time", { datetime: date.toISOString(), title: date.toISOString() }, today ? words : `${day} ${words}`);
}

/** A count with thousands apart. */
export function count(number) {
  return number.toLocaleString("en-US");
}

/** The name of one thing or of several: `prediction`, `predictions`. */
export function things(number, thing) {
  return number === 1 ? thing : `${thing}s`;
}

/** Events a second: three figures, no more. */
export function rate(number) {
  if (number === null || number === undefined) return "\u2013";
  return number >= 100 ? count(Math.round(number)) : number >= 10 ? number.toFixed(1) : number > 0 ? number.toFixed(2) : "0";
}

/** A share as percents. */
export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
