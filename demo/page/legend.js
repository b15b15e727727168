import { createElement } from './dom.js';

/**
 * The signs of the diagram, in words.
 *
 * @param {number} graceSeconds for which a used token gets the same successor again
 * @param {boolean} [isBound] whether the session is bound to a key
 * @returns {HTMLUListElement}
 */
export function legendOf(graceSeconds, isBound = false) {
  const repeated = `sent again within ${graceSeconds} seconds: the same new token, because an answer can get lost`;
  const ofKind = isBound
    ? [line('thief', '✕', 'sent without the key: refused, and the session goes on')]
    : [
        line('thief', '◆', 'the thief refreshes'),
        ...(graceSeconds > 0 ? [line('again', '┄', repeated)] : []),
        line('death', '✕', 'a used token came back: the session ends for both'),
      ];
  return createElement(
    'ul',
    { class: 'legend' },
    line('live', '▢', 'live: the only token that the server accepts'),
    line('used', '▢', 'used: the server has replaced it with the next one'),
    line('owner', '●', 'the owner refreshes'),
    ...ofKind,
  );
}

/** @param {string} kind @param {string} sign @param {string} words */
function line(kind, sign, words) {
  return createElement('li', { class: kind }, createElement('span', { 'aria-hidden': 'true' }, sign), ` ${words}`);
}
