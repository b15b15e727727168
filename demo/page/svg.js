const SVG = 'http://www.w3.org/2000/svg';

/**
 * Creates a line of text.
 *
 * @param {number} x
 * @param {number} y
 * @param {string} words
 * @param {string} kind its class
 */
export function text(x, y, words, kind) {
  const made = draw('text', { x, y, class: kind });
  made.textContent = words;
  return made;
}

/**
 * Creates an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Readonly<Record<string, string | number>>} attributes
 * @param {Node[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, `${value}`);
  made.append(...children);
  return made;
}
