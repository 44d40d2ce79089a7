/** The stack: a card a layer, in columns by what each needs, with the dependencies as lines between them. */

import { h, link, mark, s } from "./dom.js";

/** Names that are more than a word with a capital letter. */
const NAMES = { ml: "ML" };
const GRAVE = ["down", "silent", "unknown", "up", "stopped"];

let layers = [];

/** The cards of all layers. Lines that follow from others are left out: who needs what in full is shown on a layer that is pointed at. */
export function graph(found) {
  layers = found;
  const depths = new Map();
  const depth = (name) => {
    if (!depths.has(name)) depths.set(name, 1 + Math.max(-1, ...needs(name).map(depth)));
    return depths.get(name);
  };
  const columns = [];
  for (const layer of layers) (columns[depth(layer.name)] ??= []).push(layer);
  const reach = (layer) => Math.max(0, ...layers.filter((other) => direct(other.name).includes(layer.name))
    .map((other) => depth(other.name) - depth(layer.name)));
  const stack = h("div", { class: "stack" }, s("svg", { class: "edges", "aria-hidden": "true" }),
    // Those with the longest lines stand lowest, where the lines pass below the cards between.
    columns.map((column) => h("div", { class: "rank" }, column.sort((a, b) => reach(a) - reach(b)).map(card))));
  new ResizeObserver(draw).observe(stack);
  return [stack];
}

function needs(name) {
  return layers.find((layer) => layer.name === name)?.needs.filter((other) => layers.some((layer) => layer.name === other)) ?? [];
}

function direct(name) {
  const behind = (other) => needs(other).flatMap((further) => [further, ...behind(further)]);
  const further = new Set(needs(name).flatMap(behind));
  return needs(name).filter((other) => !further.has(other));
}

function worst(layer) {
  const states = layer.services.map((service) => service.state);
  return layer.state !== "running" ? "stopped" : GRAVE.find((state) => states.includes(state)) ?? "up";
}

function card(layer) {
  const up = layer.services.filter((service) => ["up", "silent"].includes(service.state)).length;
  const running = layer.state === "running";
  const words = !running ? layer.state : layer.services.length ? `${up} of ${layer.services.length} up` : "no service of its own";
  const element = h("article", { class: "layer", "data-layer": layer.name, "data-state": worst(layer), tabindex: "0",
    "data-key": `layer-${layer.name}`, "aria-label": `${layer.name}: ${words}; needs ${layer.needs.join(", ") || "nothing"}` },
    h("h3", {}, NAMES[layer.name] ?? layer.name), h("p", { class: "faint" }, words),
    layer.services.length ? h("ul", {}, layer.services.map(service)) : null);
  const others = () => document.querySelectorAll(".layer");
  const point = () => others().forEach((other) => {
    const name = other.dataset.layer;
    other.dataset.relation = name === layer.name ? "self" : needs(layer.name).includes(name) ? "needed"
      : needs(name).includes(layer.name) ? "needing" : "apart";
  });
  const leave = () => others().forEach((other) => delete other.dataset.relation);
  for (const [event, act] of [["mouseenter", point], ["focusin", point], ["mouseleave", leave], ["focusout", leave]]) {
    element.addEventListener(event, act);
  }
  return element;
}

function service(found) {
  const title = found.since ? `${found.state} since ${new Date(found.since * 1000).toLocaleTimeString("en-GB")}` : null;
  return h("li", { "data-service": found.name, "data-state": found.state, title }, mark(found.state), link(found.name, found.link));
}

/** Draws the lines to where the cards are now. */
export function draw() {
  const stack = document.querySelector(".stack");
  const svg = stack?.querySelector("svg");
  if (!svg) return;
  const frame = stack.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  const box = (name) => {
    const found = stack.querySelector(`[data-layer="${name}"]`).getBoundingClientRect();
    return { left: found.left - frame.left, right: found.right - frame.left, top: found.top - frame.top, bottom: found.bottom - frame.top };
  };
  svg.replaceChildren(...layers.flatMap((layer) => direct(layer.name).map((need) => {
    const state = worst(layers.find((other) => other.name === need));
    const from = box(need), to = box(layer.name);
    const path = to.left > from.right ? across(from, to) : down(from, to);
    return s("path", { d: path, class: "edge", "data-state": state, "data-edge": `${need} ${layer.name}` });
  })));
}

function across(from, to) {
  const least = Math.max(from.top, to.top) + 22, most = Math.min(from.bottom, to.bottom) - 12;
  const straight = least <= most;
  const begin = straight ? (from.top >= to.top ? from.top + 22 : least) : (from.top + from.bottom) / 2;
  const y = straight ? Math.min(begin, most) : begin;
  const end = straight ? y : (to.top + to.bottom) / 2;
  const half = (to.left - from.right) / 2;
  return `M${from.right} ${y} C${from.right + half} ${y} ${to.left - half} ${end} ${to.left} ${end}`;
}

/** In one column: straight to the next card, or along the edge, past those between. */
function down(from, to) {
  const x = (from.left + from.right) / 2;
  if (to.top - from.bottom < 40) return `M${x} ${from.bottom} L${x} ${to.top}`;
  const beside = from.left - 9, y = to.top + 20;
  return `M${from.left} ${from.bottom - 16} C${beside} ${from.bottom - 16} ${beside} ${from.bottom} ${beside} ${from.bottom + 8} `
    + `L${beside} ${y - 12} C${beside} ${y} ${beside} ${y} ${to.left} ${y}`;
}
