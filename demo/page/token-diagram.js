import { endOf, tokensOf } from './family-story.js';

/** @typedef {import('./family-story.js').Family} Family */
/** @typedef {import('./family-story.js').Happening} Happening */
/** @typedef {import('./family-story.js').Holder} Holder */

const SVG = 'http://www.w3.org/2000/svg';
/** Tokens that are drawn; of a longer family the last ones. */
const MOST_TOKENS = 8;

/** Drawn widths: the narrowest phone's, and one that is wide enough for every word. */
const WIDTHS = { least: 256, most: 330 };
const MOST_ENLARGED = 1.4;

// Drawn pixels. The tokens stand below each other; on their left what kills, on their right what happens to them.
const NODE = { x: 48, width: 92, height: 36 };
const AXIS = NODE.x + NODE.width / 2;
const RIGHT = NODE.x + NODE.width + 8;
const LEFT = 22;
const LINE = 20;
const GAP = 52;

/**
 * Draws a token family: a node for each refresh token, an arrow for each rotation, and how the session ended.
 *
 * @param {Family} family
 * @param {number} space pixels that there are
 * @returns {SVGSVGElement}
 */
export function drawFamily(family, space) {
  const width = Math.min(Math.max(space, WIDTHS.least), WIDTHS.most);
  const scale = Math.min(Math.max(space / width, 1), MOST_ENLARGED);
  const all = tokensOf(family);
  const tokens = all.slice(-MOST_TOKENS);
  const isCut = tokens.length < all.length;
  const end = endOf(family);
  const svg = draw('svg', { class: 'family', role: 'img', 'aria-label': labelOf(all, end), width: width * scale });
  /** @type {Map<string, number>} */
  const middles = new Map();
  let y = 6;
  if (isCut) {
    svg.append(text(AXIS, y + 12, `… ${all.length - tokens.length} before`, 'note middle'));
    y += 24;
  }
  tokens.forEach((token, place) => {
    const next = tokens[place + 1];
    const labels = family.happenings.filter((each) => isBelow(each, token));
    svg.append(...nodeOf(family, token, y, !next && !end));
    middles.set(token, y + NODE.height / 2);
    y += NODE.height;
    const gap = Math.max(next || end ? GAP : 0, labels.length * LINE + 16);
    if (next) svg.append(...labels.flatMap((each) => arrowOf(each, y, gap)));
    svg.append(...labels.map((each, line) => labelLine(each, y + (gap - labels.length * LINE) / 2 + line * LINE + 14)));
    if (next || end || labels.length > 0) y += gap;
  });
  if (end) y = drawEnd(svg, family, end, { y, width, middles });
  svg.setAttribute('height', `${(y + 8) * scale}`);
  svg.setAttribute('viewBox', `0 0 ${width} ${y + 8}`);
  return svg;
}

/**
 * @param {readonly string[]} tokens
 * @param {string | undefined} end
 */
function labelOf(tokens, end) {
  const state = end ? `The session has ended: ${end}` : `The live one is ${tokens.at(-1)}`;
  return `The family of ${tokens.length} refresh token${tokens.length === 1 ? '' : 's'}: ${tokens.join(', ')}. ${state}. What happened is in the list.`;
}

/** Whether something is told between a token and its successor. @param {Happening} each @param {string} token */
function isBelow(each, token) {
  return (each.kind === 'rotated' || each.kind === 'grace' || each.kind === 'copied') && each.presented === token;
}

/**
 * @param {Family} family
 * @param {string} token
 * @param {number} y
 * @param {boolean} isLive
 */
function nodeOf({ owner, thief }, token, y, isLive) {
  const box = draw('rect', { x: NODE.x, y, width: NODE.width, height: NODE.height, rx: 8 });
  const node = draw('g', { class: isLive ? 'node live' : 'node' }, box, text(AXIS, y + 23, token, 'jti middle'));
  const parts = [node];
  if (isLive) parts.push(text(LEFT, y + 22, 'live', 'note middle'));
  let x = RIGHT;
  for (const holder of /** @type {const} */ (['owner', 'thief'])) {
    if ((holder === 'owner' ? owner : thief) !== token) continue;
    const pill = draw('rect', { x, y: y + 6, width: 52, height: 24, rx: 12 });
    parts.push(draw('g', { class: `pill ${holder}` }, pill, text(x + 26, y + 22, holder, 'middle')));
    x += 56;
  }
  return parts;
}

/**
 * An arrow from a token to its successor: whole where the token was used up, broken where it was used again.
 *
 * @param {Happening} happening
 * @param {number} y
 * @param {number} gap
 * @returns {SVGElement[]}
 */
function arrowOf(happening, y, gap) {
  if (happening.kind !== 'rotated' && happening.kind !== 'grace') return [];
  const side = happening.by === 'owner' ? -1 : 1;
  const x = happening.kind === 'rotated' ? AXIS : AXIS + side * 28;
  const tip = y + gap - 2;
  return [
    draw(
      'g',
      { class: `arrow ${happening.kind} ${happening.by}` },
      draw('path', { class: 'line', d: `M${x} ${y} V${tip - 8}` }),
      draw('path', { class: 'head', d: `M${x - 5} ${tip - 9} L${x} ${tip} L${x + 5} ${tip - 9} Z` }),
      shapeOf(happening.by, x, y + gap / 2 - 4),
    ),
  ];
}

/** A circle for the owner, a diamond for the thief. @param {Holder} by @param {number} x @param {number} y */
function shapeOf(by, x, y) {
  return by === 'owner'
    ? draw('circle', { class: 'shape', cx: x, cy: y, r: 6 })
    : draw('path', { class: 'shape', d: `M${x} ${y - 8} L${x + 8} ${y} L${x} ${y + 8} L${x - 8} ${y} Z` });
}

/** @param {Happening} happening @param {number} y */
function labelLine(happening, y) {
  if (happening.kind === 'copied') return text(RIGHT, y, 'thief: copied', 'label thief');
  if (happening.kind !== 'rotated' && happening.kind !== 'grace') return text(RIGHT, y, '', 'label');
  const words = happening.kind === 'rotated' ? 'new token' : 'same again';
  return text(RIGHT, y, `${happening.by}: ${words}`, `label ${happening.by}`);
}

/**
 * The death of the session, and the way to it from the token that gave the theft away.
 *
 * @param {SVGSVGElement} svg
 * @param {Family} family
 * @param {string} end
 * @param {{ y: number, width: number, middles: ReadonlyMap<string, number> }} place
 * @returns {number} where the drawing ends
 */
function drawEnd(svg, { happenings }, end, { y, width, middles }) {
  const proof = happenings.find((each) => each.kind === 'refused' && each.isProof);
  const killer = proof?.kind === 'refused' ? proof : undefined;
  const height = 52;
  const middle = y + height / 2;
  const start = killer ? (middles.get(killer.presented) ?? 0) : y - GAP;
  const way = killer
    ? `M${middles.has(killer.presented) ? NODE.x : LEFT} ${start} H${LEFT} V${middle} H${NODE.x - 9}`
    : `M${AXIS} ${start} V${y - 10}`;
  const head = killer
    ? `M${NODE.x - 10} ${middle - 5} L${NODE.x - 1} ${middle} L${NODE.x - 10} ${middle + 5} Z`
    : `M${AXIS - 5} ${y - 10} L${AXIS} ${y - 1} L${AXIS + 5} ${y - 10} Z`;
  const death = draw(
    'g',
    { class: 'death' },
    draw('path', { class: 'line', d: way }),
    draw('path', { class: 'head', d: head }),
    draw('rect', { x: NODE.x, y, width: Math.min(width - NODE.x - 4, 240), height, rx: 8 }),
    text(NODE.x + 12, y + 22, '✕ session ended', 'strong'),
    text(NODE.x + 12, y + 41, killer ? `${end}, by the ${killer.by}` : end, 'label'),
  );
  if (killer) death.append(shapeOf(killer.by, LEFT, (start + middle) / 2));
  svg.append(death);
  return y + height;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} words
 * @param {string} kind
 */
function text(x, y, words, kind) {
  const made = draw('text', { x, y, class: kind });
  made.textContent = words;
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Readonly<Record<string, string | number>>} attributes
 * @param {Node[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
function draw(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, `${value}`);
  made.append(...children);
  return made;
}
