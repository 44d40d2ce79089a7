/** Events a second through each stage, with the last minutes as a small curve. */

import { h, s } from "./dom.js";
import { age, count, rate } from "./format.js";

const WIDTH = 120, HEIGHT = 34;
const WORDS = {
  senders: ["Senders", "sent"], gateway: ["Gateway", "accepted"], kafka: ["Kafka", "taken"], bronze: ["Bronze", "stored"],
  silver: ["Silver", "cleaned"], gold: ["Gold", "aggregated"], features: ["Features", "computed"], predictions: ["Predictions", "served"],
};

/** The strip of stages. */
export function flow({ stages, groups, topics, tables }) {
  const newest = (list, prefix) => Math.max(0, ...(list ?? []).filter((found) => found.name.startsWith(prefix)).map((found) => found.newest ?? 0));
  const lag = groups?.find((group) => group.name === "bronze")?.topics.reduce((sum, topic) => sum + topic.lag, 0);
  const below = {
    kafka: () => fresh(newest(topics, "")),
    bronze: () => (lag === undefined ? null : h("span", {}, lag ? `${count(lag)} waiting` : "nothing waits")),
    silver: () => fresh(newest(tables, "silver/")), gold: () => fresh(newest(tables, "gold/patient-day")),
    features: () => fresh(newest(tables, "gold/features")),
  };
  return [h("ol", { class: "stages" }, stages.map((stage) => {
    const [label, verb] = WORDS[stage.name] ?? [stage.name, ""];
    return h("li", { class: "stage", "data-stage": stage.name, "data-moving": stage.rate > 0 ? "yes" : "no" },
      h("h3", {}, label),
      h("p", { class: "figure" }, rate(stage.rate), h("small", {}, "/s")),
      curve(stage.history.filter(([, value]) => value !== null)),
      h("p", { class: "faint" }, below[stage.name]?.() ?? verb));
  }))];
}

function fresh(moment) {
  return moment ? h("span", {}, "newest ", age(moment)) : null;
}

function curve(points) {
  const svg = s("svg", { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (points.length < 2) return svg;
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const top = Math.max(...points.map(([, value]) => value)) || 1;
  const line = points.map(([moment, value]) =>
    `${((moment - first) / (last - first) * WIDTH).toFixed(1)},${(HEIGHT - 2 - value / top * (HEIGHT - 4)).toFixed(1)}`).join(" ");
  svg.append(s("polygon", { points: `0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`, class: "area" }), s("polyline", { points: line, class: "line" }));
  return svg;
}
