import { AuthError } from '/client/index.js';
import { createElement } from './dom.js';

/**
 * Shows the result of an action in words and, for an error, its code.
 *
 * @param {HTMLElement} place a live region
 * @param {unknown} outcome a sentence, or an error
 */
export function showOutcome(place, outcome) {
  const isError = typeof outcome !== 'string';
  place.classList.toggle('error', isError);
  place.replaceChildren(...(isError ? wordsOf(outcome) : [outcome]));
}

/**
 * @param {unknown} error
 * @returns {(Node | string)[]}
 */
function wordsOf(error) {
  if (!(error instanceof AuthError)) return [error instanceof Error ? error.message : 'This did not work.'];
  const words = [error.message, ...error.errors.flatMap(({ messages }) => messages)].join(' ');
  return [`${words} `, createElement('code', {}, error.code)];
}

/**
 * Runs an action when a button is pressed, one at a time, and shows the result.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} place
 * @param {() => Promise<string>} action
 */
export function onPress(button, place, action) {
  let isBusy = false;
  button.addEventListener('click', async () => {
    if (isBusy || button.getAttribute('aria-disabled') === 'true') return;
    isBusy = true;
    button.setAttribute('aria-busy', 'true');
    try {
      showOutcome(place, await action());
    } catch (error) {
      showOutcome(place, error);
    } finally {
      isBusy = false;
      button.removeAttribute('aria-busy');
    }
  });
}
