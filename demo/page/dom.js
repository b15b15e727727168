/**
 * The element with an id.
 *
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} [type]
 * @returns {E}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof (type ?? HTMLElement))) throw new TypeError(`There is no such element: ${id}`);
  return /** @type {any} */ (found);
}

/**
 * A new element. Text comes in as text, never as markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Readonly<Record<string, string>>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Shows text, and touches nothing if it is there already: a screen reader would tell it again.
 *
 * @param {Element} place
 * @param {string} text
 */
export function show(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
