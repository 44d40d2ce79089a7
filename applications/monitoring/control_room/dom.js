/** Elements: made, and put in the place of earlier ones. */

/** An element with attributes (`class`, `title`, …; null leaves one out), styles (`style` is an object) and children. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") {
      // By property: the page's policy forbids style attributes.
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else if (value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Puts children into an element; what had the focus and which details were open stay so, by their data-key. */
export function replace(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...element.querySelectorAll("details[open]")].map((found) => found.dataset.key);
  element.replaceChildren(...children.flat());
  for (const found of element.querySelectorAll("[data-key]")) {
    if (open.includes(found.dataset.key)) found.open = true;
    if (focused !== undefined && found.dataset.key === focused) found.focus({ preventScroll: true });
  }
}

const shown = new Map();

/** Renders a section only when what it shows has changed, so that nothing flickers and nothing loses its place. */
export function section(id, facts, render) {
  const key = JSON.stringify(facts ?? null);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  replace(document.querySelector(`#${id} > div`), render(facts));
}

/** A shape for a state, which tells it without colour, too, and says it to screen readers. */
export function mark(state) {
  return h("span", { class: "mark", "data-state": state, role: "img", "aria-label": state, title: state });
}

/** A link, or the bare words where there is no address for them. */
export function link(words, address, key = address) {
  if (!address) return h("span", {}, words);
  const outside = /^https?:/.test(address);
  return h("a", { href: address, "data-key": key, target: outside ? "_blank" : null, rel: outside ? "noopener" : null }, words);
}

/** A sentence in the place of what cannot be shown. */
export function note(words) {
  return h("p", { class: "note" }, words);
}
