/** Asks for the state every three seconds and shows it; says so when there is no news. */

import { section } from "./dom.js";
import { setClock, span, tick } from "./format.js";
import { flow } from "./flow.js";
import { draw, graph } from "./graph.js";
import { champion, drift } from "./model.js";
import { alerts, errors, freshness, lag, links, measurements, quarantine, workflows } from "./panels.js";

const EVERY = 3000, PATIENCE = 5000, OLD = 12000;
let last = null;

async function poll() {
  try {
    const answer = await fetch("/api/state", { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const state = await answer.json();
    last = Date.now();
    setClock(state.time);
    show(state);
  } catch (error) {
    // A page that was left, a service that restarts: `watch` tells how old the news is.
    if (!(error instanceof TypeError || error instanceof DOMException || /^status/.test(error.message))) throw error;
  } finally {
    watch();
    setTimeout(poll, EVERY);
  }
}

function faults(state) {
  return new Map(state.measurements.filter((found) => found.error).map((found) => [found.name, found.error]));
}

function show(state) {
  const wrong = faults(state);
  const part = (id, source, facts, render) =>
    section(id, { facts, fault: facts === null ? wrong.get(source) ?? "no answer yet" : null },
      ({ facts: found, fault }) => (found === null ? [missing(source, fault)] : render(found)));
  document.querySelector("#stack").textContent = state.stack;
  document.title = `${title(state)}Control room · ${state.stack}`;
  verdict(state);
  section("alerts", { open: state.alerts, fault: wrong.get("alerts") ?? null }, alerts);
  document.querySelector("#alerts").dataset.count = state.alerts.length;
  section("graph", state.layers, graph);
  part("flow", "flow", state.stages && { stages: state.stages, groups: state.groups, topics: state.topics, tables: state.tables }, flow);
  part("model", "champion", state.champion && { champion: state.champion, predictions: state.predictions, links: state.links }, champion);
  part("drift", "drift", state.drift && { drift: state.drift, retraining: state.retraining }, drift);
  part("workflows", "airflow", state.dags && { dags: state.dags, links: state.links }, workflows);
  part("lag", "kafka", state.groups, lag);
  part("quarantine", "lake", state.quarantine, quarantine);
  part("topics", "kafka", state.topics, freshness);
  part("tables", "lake", state.tables, freshness);
  part("errors", "logs", state.errors, errors);
  section("links", state.links, links);
  section("measurements", state.measurements.map(({ name, last: at, error, stale }) => ({ name, at: stale ? at : null, error, stale })),
    measurements);
  draw();
  tick();
}

function missing(source, fault) {
  const words = document.createElement("p");
  words.className = "note";
  words.textContent = `Not measured (${source}): ${fault}`;
  return words;
}

function counted(state) {
  const services = state.layers.flatMap((layer) => layer.services);
  const of = (...states) => services.filter((service) => states.includes(service.state));
  return { down: of("down"), silent: of("silent"), up: of("up", "silent"), unknown: of("unknown") };
}

function title(state) {
  const bad = counted(state).down.length + state.alerts.length;
  return bad ? `(${bad}) ` : "";
}

function verdict(state) {
  const { down, silent, up, unknown } = counted(state);
  const open = state.alerts.length;
  const critical = state.alerts.some((alert) => alert.severity === "critical");
  const services = down.length ? `${down.length} ${down.length === 1 ? "service is" : "services are"} down`
    : unknown.length && !up.length ? "No service has been looked at yet" : `${up.length} services up`;
  const words = [services, silent.length ? `${silent.length} without metrics` : null,
    open ? `${open} ${open === 1 ? "alert" : "alerts"} open` : faults(state).has("alerts") ? "alerts unknown" : "no alert open"].filter(Boolean).join(" · ");
  const element = document.querySelector("#verdict");
  // Only a change is written: screen readers read it out.
  if (element.textContent !== words) element.textContent = words;
  element.dataset.state = down.length || critical ? "down" : silent.length || open ? "silent" : up.length ? "up" : "unknown";
}

function watch() {
  const silence = last === null ? null : Date.now() - last;
  const old = silence !== null && silence > OLD;
  const never = last === null;
  document.body.classList.toggle("stale", old);
  const banner = document.querySelector("#stale");
  const words = old ? `No news from monitoring-service for ${span(silence / 1000)}: what is shown below is as old as that. `
    + "It is asked again every three seconds." : never ? "monitoring-service does not answer. It is asked again every three seconds." : "";
  banner.hidden = !words;
  if (banner.textContent !== words) banner.textContent = words;
  document.querySelector("#updated").dataset.state = old || never ? "down" : "up";
  document.querySelector("#age").textContent = never ? "not yet" : silence < 5000 ? "live" : `${span(silence / 1000)} ago`;
}

setInterval(() => { tick(); if (last !== null) watch(); }, 1000);
poll();
