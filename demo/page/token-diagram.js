import { endOf, nameOf, tokensOf } from './family-story.js';
import { draw, text } from './svg.js';

/** @typedef {import('./family-story.js').Family} Family */
/** @typedef {import('./family-story.js').FamilyEvent} FamilyEvent */
/** @typedef {import('./family-story.js').Holder} Holder */

/** Tokens that are drawn; of a longer family the last ones. */
const MOST_TOKENS = 8;

/** Drawn widths: the narrowest phone's, and one that is wide enough for every word. */
const WIDTHS = { least: 256, most: 320 };
const MOST_ENLARGED = 1.2;

// Drawn pixels. The tokens stand below each other; on their left the line of the proof, on their right what happens.
const NODE = { x: 26, width: 100, height: 46 };
const AXIS = NODE.x + NODE.width / 2;
const RIGHT = NODE.x + NODE.width + 10;
const LEFT = 11;
const LINE = 20;
const GAP = 48;
const GAP_BEFORE_END = 24;

/**
 * Draws a token family: a node for each refresh token with its state, an arrow for each refresh, and how the session
 * ended.
 *
 * @param {Family} family
 * @param {number} space width in pixels
 * @returns {SVGSVGElement}
 */
export function drawFamily(family, space) {
  const width = Math.min(Math.max(space, WIDTHS.least), WIDTHS.most);
  const scale = Math.min(Math.max(space / width, 1), MOST_ENLARGED);
  const all = tokensOf(family);
  const tokens = all.slice(-MOST_TOKENS);
  const isCut = tokens.length < all.length;
  const end = endOf(family);
  const svg = draw('svg', { class: 'family', role: 'img', 'aria-label': labelOf(family), width: width * scale });
  /** @type {Map<string, number>} */
  const middles = new Map();
  let y = 6;
  if (isCut) {
    svg.append(text(AXIS, y + 12, `… ${all.length - tokens.length} before`, 'note middle'));
    y += 24;
  }
  tokens.forEach((token, place) => {
    const next = tokens[place + 1];
    const labels = labelsBelow(family, token);
    svg.append(...nodeOf(family, token, y));
    middles.set(token, y + NODE.height / 2);
    y += NODE.height;
    const gap = Math.max(next ? GAP : end ? GAP_BEFORE_END : 0, labels.length * LINE + 16);
    if (next) svg.append(...labels.flatMap((each) => arrowOf(each, y, gap)));
    svg.append(
      ...labels.map((each, line) => labelLine(family, each, y + (gap - labels.length * LINE) / 2 + line * LINE + 14)),
    );
    if (next || end || labels.length > 0) y += gap;
  });
  if (end) y = drawEnd(svg, family, end, { y, width, middles });
  svg.setAttribute('height', `${(y + 8) * scale}`);
  svg.setAttribute('viewBox', `0 0 ${width} ${y + 8}`);
  return svg;
}

/** The diagram in words, for screen readers. @param {Family} family */
function labelOf(family) {
  const lines = tokensOf(family).map((token) => {
    const holders = holdersOf(family, token);
    const held = holders.length > 0 ? `, held by the ${holders.join(' and the ')}` : '';
    return `${capital(nameOf(family, token))}: ${stateOf(family, token)}${held}.`;
  });
  const end = endOf(family);
  const what = family.isBound ? ', which is bound to a key of the owner' : '';
  return [`The refresh tokens of this session${what}.`, ...lines, end ? `The session has ended: ${end}.` : '']
    .join(' ')
    .trim();
}

/** @param {Family} family @param {string} token */
function stateOf(family, token) {
  if (tokensOf(family).at(-1) !== token) return 'used';
  return endOf(family) ? 'revoked' : 'live';
}

/** @param {Family} family @param {string} token @returns {Holder[]} */
function holdersOf({ owner, thief }, token) {
  return [
    ...(owner === token ? [/** @type {const} */ ('owner')] : []),
    ...(thief === token ? [/** @type {const} */ ('thief')] : []),
  ];
}

/** What is written between a token and its successor: refusals only once. @param {Family} family @param {string} token */
function labelsBelow({ events }, token) {
  const shown = events.filter((each) => each.kind !== 'refused' && 'presented' in each && each.presented === token);
  const isFirst = (/** @type {FamilyEvent} */ each) => shown.find(({ kind }) => kind === 'no-key') === each;
  return shown.filter((each) => each.kind !== 'no-key' || isFirst(each));
}

/**
 * @param {Family} family
 * @param {string} token
 * @param {number} y
 */
function nodeOf(family, token, y) {
  const state = stateOf(family, token);
  const box = draw('rect', { x: NODE.x, y, width: NODE.width, height: NODE.height, rx: 8 });
  const name = text(AXIS, y + 20, capital(nameOf(family, token)), 'strong middle');
  const node = draw('g', { class: `node ${state}` }, box, name, text(AXIS, y + 37, state, 'note middle'));
  const parts = [node];
  let x = RIGHT;
  for (const holder of holdersOf(family, token)) {
    const pill = draw('rect', { x, y: y + 11, width: 52, height: 24, rx: 12 });
    parts.push(draw('g', { class: `pill ${holder}` }, pill, text(x + 26, y + 27, holder, 'middle')));
    x += 56;
  }
  return parts;
}

/**
 * An arrow from a token to its successor: whole where the token was used up, broken where it was used again.
 *
 * @param {FamilyEvent} event
 * @param {number} y
 * @param {number} gap
 * @returns {SVGElement[]}
 */
function arrowOf(event, y, gap) {
  if (event.kind !== 'rotated' && event.kind !== 'grace') return [];
  const side = event.by === 'owner' ? -1 : 1;
  const x = event.kind === 'rotated' ? AXIS : AXIS + side * 28;
  const tip = y + gap - 2;
  return [
    draw(
      'g',
      { class: `arrow ${event.kind} ${event.by}` },
      draw('path', { class: 'line', d: `M${x} ${y} V${tip - 8}` }),
      draw('path', { class: 'head', d: `M${x - 5} ${tip - 9} L${x} ${tip} L${x + 5} ${tip - 9} Z` }),
      shapeOf(event.by, x, y + gap / 2 - 4),
    ),
  ];
}

/** A circle for the owner, a diamond for the thief. @param {Holder} by @param {number} x @param {number} y */
function shapeOf(by, x, y) {
  return by === 'owner'
    ? draw('circle', { class: 'shape', cx: x, cy: y, r: 6 })
    : draw('path', { class: 'shape', d: `M${x} ${y - 8} L${x + 8} ${y} L${x} ${y + 8} L${x - 8} ${y} Z` });
}

/** @param {Family} family @param {FamilyEvent} event @param {number} y */
function labelLine(family, event, y) {
  if (event.kind === 'copied') return text(RIGHT, y, 'thief copies it', 'label thief');
  if (event.kind === 'no-key') return text(RIGHT, y, `✕ ${event.by} has no key`, `label ${event.by}`);
  if (event.kind !== 'rotated' && event.kind !== 'grace') return text(RIGHT, y, '', 'label');
  const words = event.kind === 'rotated' ? `gets ${nameOf(family, event.received)}` : 'gets the same';
  return text(RIGHT, y, `${event.by} ${words}`, `label ${event.by}`);
}

/**
 * The end of the session, and the line to it from the used token that came back.
 *
 * @param {SVGSVGElement} svg
 * @param {Family} family
 * @param {string} end
 * @param {{ y: number, width: number, middles: ReadonlyMap<string, number> }} place
 * @returns {number} where the drawing ends
 */
function drawEnd(svg, family, end, { y, width, middles }) {
  const proof = family.events.find((each) => each.kind === 'refused' && each.isProof);
  const killer = proof?.kind === 'refused' ? proof : undefined;
  const height = 52;
  const middle = y + height / 2;
  const start = killer ? (middles.get(killer.presented) ?? 0) : y - GAP_BEFORE_END;
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
    text(NODE.x + 12, y + 22, killer ? '✕ Session ended for both' : '✕ Session ended', 'strong'),
    text(NODE.x + 12, y + 41, killer ? `${killer.by} sent used ${nameOf(family, killer.presented)}` : end, 'label'),
  );
  if (killer) death.append(shapeOf(killer.by, LEFT, (start + middle) / 2));
  svg.append(death);
  return y + height;
}

/** @param {string} words */
function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
