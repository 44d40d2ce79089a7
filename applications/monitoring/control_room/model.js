/** The model that serves, and whether the world still looks as it did when it learned. */

import { h, link, note } from "./dom.js";
import { age, count, percent, things } from "./format.js";

const FIGURES = [["auroc", "AUROC"], ["pr_auc", "PR-AUC"], ["recall_at_precision_30", "Recall at precision 0.3"], ["brier", "Brier"],
  ["ece", "Calibration error"]];
const FIRST = 16, MOST_PSI = 0.5;

/** The champion: its version, when it was trained, its figures, and what it predicted in the last day. */
export function champion({ champion: found, predictions, links }) {
  if (!found.version) return [note("There is no champion yet: the DAG scheduled_retraining trains one.")];
  const figures = FIGURES.filter(([name]) => name in found.figures);
  const served = predictions?.versions?.[found.version];
  return [
    h("p", { class: "lead" }, link(`Version ${found.version}`, links["mlflow-server"]),
      found.trained ? h("span", { class: "faint" }, "trained ", age(found.trained, " ago")) : null),
    h("dl", { class: "figures" }, figures.map(([name, label]) => h("div", {}, h("dt", {}, label), h("dd", {}, found.figures[name].toFixed(3))))),
    h("p", { class: "faint" }, served ? `${count(served.predictions)} ${things(served.predictions, "prediction")} in the last day`
      + (served["high-risk-share"] === undefined ? "" : `, ${percent(served["high-risk-share"])} of them high-risk`)
      : "It has predicted nothing in the last day."),
  ];
}

/** Drift: the verdict, and each feature's stability index against the two limits. */
export function drift({ drift: found, retraining }) {
  const state = { ok: "up", warning: "silent", failure: "down" }[found.status] ?? "unknown";
  const words = { ok: "No drift", warning: "Some features drifted", failure: "The model's world has changed" }[found.status] ?? "Not judged";
  const last = retraining?.last ? h("p", { class: "faint" }, `Drift led to ${retraining.run} `, age(retraining.last, " ago"),
    `; ${retraining.started} in all.`) : h("p", { class: "faint" }, "Drift has led to no training yet.");
  return [
    h("p", { class: "lead" }, h("span", { class: "pill", "data-state": state }, words), h("span", { class: "faint" }, found.words)),
    found.features.length ? h("p", { class: "legend faint" }, `Stability index against the training window; lines at ${found.limit.look} (look) `
      + `and ${found.limit.psi} (drifted)`) : null,
    h("ul", { class: "bars" }, found.features.slice(0, FIRST).map((feature) => bar(feature, found.limit))),
    found.features.length > FIRST ? h("details", { "data-key": "features" }, h("summary", {}, `${found.features.length - FIRST} more features`),
      h("ul", { class: "bars" }, found.features.slice(FIRST).map((feature) => bar(feature, found.limit)))) : null,
    last,
  ].filter(Boolean);
}

function bar(feature, limit) {
  const psi = feature.psi ?? null;
  // By its root: most features lie near nothing, and the limits should not stand in the first fifth.
  const share = (value) => `${(100 * Math.sqrt(Math.min(value, MOST_PSI) / MOST_PSI)).toFixed(1)}%`;
  const state = !feature.judged ? "unknown" : feature.drifted ? "down" : psi !== null && psi > limit.look ? "silent" : "up";
  const title = `psi ${psi ?? "\u2013"}, ks ${feature.ks ?? "\u2013"}, change of nulls ${feature.nulls ?? "\u2013"}${feature.judged ? "" : "; not judged"}`;
  return h("li", { "data-feature": feature.name, "data-state": state, title },
    h("span", { class: "name" }, feature.name),
    h("span", { class: "track" }, h("i", { class: "fill", style: { width: share(psi ?? 0) } }),
      h("i", { class: "limit", style: { left: share(limit.look) } }), h("i", { class: "limit", style: { left: share(limit.psi) } })),
    h("span", { class: "value" }, psi === null ? "\u2013" : psi.toFixed(3)));
}
