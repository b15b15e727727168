import { AuthError } from '/client/index.js';
import { make } from './dom.js';

/**
 * Tells what an action came to, in words and, for an error, by its code.
 *
 * @param {HTMLElement} place a live region
 * @param {unknown} outcome a sentence, or an error
 */
export function tell(place, outcome) {
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
  return [`${words} `, make('code', {}, error.code)];
}

/**
 * Makes a button do something, once at a time, and tells how it ended.
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
      tell(place, await action());
    } catch (error) {
      tell(place, error);
    } finally {
      isBusy = false;
      button.removeAttribute('aria-busy');
    }
  });
}
