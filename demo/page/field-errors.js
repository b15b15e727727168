import { AuthError } from '/client/index.js';
import { createElement } from './dom.js';
import { showOutcome } from './outcome.js';

/** The fields for an error code, if the server does not name one. @type {Readonly<Record<string, string[]>>} */
const FIELDS = {
  code_not_valid: ['code', 'recoveryCode'],
  email_already_registered: ['email'],
  email_not_verified: ['email'],
  incorrect_credentials: ['password', 'code', 'recoveryCode'],
  no_active_account: ['email'],
};

/**
 * Removes the errors of a form's fields.
 *
 * @param {HTMLFormElement} form
 */
export function clearErrors(form) {
  for (const old of form.querySelectorAll('.field-error')) old.remove();
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-errormessage');
    input.removeAttribute('aria-describedby');
  }
}

/**
 * Shows errors next to their fields, focuses the first of these fields, and shows any other error in the form's live
 * region.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place
 * @param {unknown} error
 */
export function showErrors(form, place, error) {
  if (!(error instanceof AuthError)) return showOutcome(place, error);
  const field = FIELDS[error.code]?.find((name) => form.elements.namedItem(name));
  const errors = error.errors.length > 0 ? error.errors : field ? [{ field, messages: [error.message] }] : [];
  let hasFieldError = false;
  for (const { field: name, messages } of errors) {
    const input = form.elements.namedItem(name);
    if (!(input instanceof HTMLInputElement)) continue;
    const words = createElement('p', { class: 'field-error', id: `${input.id}-error` }, `${messages.join('; ')} `);
    words.append(createElement('code', {}, error.code));
    input.closest('.field')?.append(words);
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', words.id);
    if (!hasFieldError) input.focus();
    hasFieldError = true;
  }
  const title = form.querySelector('h3')?.textContent ?? form.getAttribute('aria-label') ?? 'Your answer';
  showOutcome(place, hasFieldError ? `${title}: see the messages next to the fields.` : error);
}

/**
 * Runs an action when a form is sent, one at a time, and shows its error.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place
 * @param {(fields: Record<string, string>) => Promise<void>} action gets the texts of the fields by name
 */
export function onSubmit(form, place, action) {
  let isBusy = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    clearErrors(form);
    try {
      await action(Object.fromEntries(Array.from(new FormData(form), ([name, value]) => [name, String(value)])));
    } catch (error) {
      showErrors(form, place, error);
    } finally {
      isBusy = false;
    }
  });
}
