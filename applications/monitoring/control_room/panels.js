/** The smaller panels: what is open, late, refused, run, said and linked. */

import { h, link, mark, note } from "./dom.js";
import { age, clock, count, span, things } from "./format.js";

const RUN = { success: "up", failed: "down", running: "running", queued: "unknown" };

/** Open alerts, the gravest first, each with its entry in the runbook. */
export function alerts({ open: found, fault }) {
  const unsure = fault ? [note(`${fault}: what has changed since is not known.`)] : [];
  if (!found.length) return fault ? unsure : [note("None. Rules are judged by Prometheus; what fires appears here within seconds.")];
  return [...unsure, h("ul", { class: "alerts" }, found.map((alert) => h("li", { "data-severity": alert.severity, "data-alert": alert.name },
    h("p", { class: "lead" }, h("span", { class: "pill", "data-state": alert.severity === "critical" ? "down" : "silent" }, alert.severity),
      h("strong", {}, alert.summary), alert.since ? h("span", { class: "faint" }, "for ", age(alert.since)) : null),
    h("p", {}, alert.description),
    h("p", { class: "faint" }, link("What to do", `/runbook#${alert.runbook}`, `runbook-${alert.name}-${JSON.stringify(alert.labels)}`),
      Object.entries(alert.labels).filter(([name]) => !["job", "instance"].includes(name)).map(([name, value]) => h("code", {}, `${name}=${value}`))))))];
}

/** Records that a group has not committed, by topic. */
export function lag(groups) {
  const found = groups.flatMap((group) => group.topics.map((topic) => ({ ...topic, group: group.name })));
  if (!found.length) return [note("No consumer group has committed anything yet.")];
  const most = Math.max(1, ...found.map((topic) => topic.lag));
  return [h("ul", { class: "bars" }, found.sort((a, b) => b.lag - a.lag).map((topic) =>
    h("li", { "data-topic": topic.name, "data-state": "up", title: `group ${topic.group}` }, h("span", { class: "name" }, topic.name),
      h("span", { class: "track" }, h("i", { class: "fill", style: { width: `${100 * topic.lag / most}%` } })),
      h("span", { class: "value" }, count(topic.lag)))))];
}

/** Refused records of the last hour, by reason. */
export function quarantine(reasons) {
  if (!reasons.length) return [note("Nothing was refused in the last hour.")];
  const total = reasons.reduce((sum, reason) => sum + reason.records, 0);
  return [h("p", { class: "lead" }, h("span", { class: "figure" }, count(total)), h("span", { class: "faint" }, `${things(total, "record")} refused in the last hour`)),
    h("ul", { class: "bars" }, reasons.map((reason) => h("li", { "data-reason": reason.reason, "data-state": "silent" },
      h("span", { class: "name" }, reason.reason),
      h("span", { class: "track" }, h("i", { class: "fill", style: { width: `${100 * reason.records / reasons[0].records}%` } })),
      h("span", { class: "value" }, count(reason.records)))))];
}

/** How old the newest record of a topic, or row of a table, is; judged where there is a limit. */
export function freshness(places) {
  if (!places.length) return [note("There are none yet.")];
  return [h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Name"), h("th", { scope: "col", class: "number" }, "Records"),
    h("th", { scope: "col", class: "number" }, "Newest"))),
  h("tbody", {}, places.map((place) => h("tr", { "data-place": place.name, "data-warning": place.warning, "data-failure": place.failure },
    h("th", { scope: "row" }, place.failure ? h("span", { class: "mark late", "data-at": place.newest, role: "img" }) : h("span", { class: "mark none" }), place.name),
    h("td", { class: "number" }, count(place.rows ?? place.records)), h("td", { class: "number" }, age(place.newest)))))) ];
}

/** The last runs of each DAG, the newest on the right. */
export function workflows({ dags, links }) {
  if (!dags.length) return [note("No DAG has run yet.")];
  const base = links["airflow-webserver"];
  return [h("ul", { class: "dags" }, dags.map((dag) => {
    const [last] = dag.runs;
    const took = last.begin && last.end ? `, took ${span(last.end - last.begin)}` : "";
    return h("li", { "data-dag": dag.name }, link(dag.name, base && `${base}/dags/${dag.name}`),
      h("span", { class: "runs", role: "img", "aria-label": `newest first: ${dag.runs.map((run) => run.state).join(", ")}` },
        [...dag.runs].reverse().map((run) => h("i", { class: "run", "data-state": RUN[run.state] ?? "unknown", title: `${run.state}: ${run.id}` }))),
      h("span", { class: "faint" }, `${last.state} `, age(last.end ?? last.begin, " ago"), took));
  }))];
}

/** The newest lines of level error and above. */
export function errors(lines) {
  if (!lines.length) return [note("No service has logged an error.")];
  return [h("ol", { class: "log", tabindex: "0", "data-key": "log", "aria-label": "Newest errors" }, lines.map((line) =>
    h("li", { "data-level": line.level }, h("span", { class: "faint" }, clock(line.time)), h("span", { class: "who" }, line.service),
      h("span", { class: "what" }, line.event && line.event !== line.message ? h("strong", {}, `${line.event} `) : null, line.message))))];
}

/** Every page that the platform publishes. */
export function links(found) {
  const names = Object.keys(found).sort();
  if (!names.length) return [note("The stack publishes no page.")];
  return [h("ul", { class: "chips" }, names.map((name) => h("li", {}, link(name, found[name]))))];
}

/** What this page knows, and what it cannot learn now. */
export function measurements(found) {
  return [h("ul", { class: "sources" }, found.map((source) => h("li", { "data-measurement": source.name },
    mark(source.error ? "down" : source.stale ? "unknown" : "up"), h("span", {}, source.name),
    source.error ? h("span", { class: "faint" }, source.error) : source.stale ? h("span", { class: "faint" }, "no answer yet") : null)))];
}
