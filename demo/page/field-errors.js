import { AuthError } from '/client/index.js';
import { make } from './dom.js';
import { tell } from './outcome.js';

/** Which field a code is about, where the server does not say. @type {Readonly<Record<string, string>>} */
const FIELDS = {
  email_already_registered: 'email',
  email_not_verified: 'email',
  incorrect_credentials: 'password',
  no_active_account: 'email',
};

/**
 * Takes back what was said of a form's fields.
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
 * Says beside the fields what is wrong with them, goes to the first, and tells the rest in the form's live region.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place
 * @param {unknown} error
 */
export function showErrors(form, place, error) {
  if (!(error instanceof AuthError)) return tell(place, error);
  const field = FIELDS[error.code];
  const errors = error.errors.length > 0 ? error.errors : field ? [{ field, messages: [error.message] }] : [];
  let isTold = false;
  for (const { field: name, messages } of errors) {
    const input = form.elements.namedItem(name);
    if (!(input instanceof HTMLInputElement)) continue;
    const words = make('p', { class: 'field-error', id: `${input.id}-error` }, `${messages.join('; ')} `);
    words.append(make('code', {}, error.code));
    input.closest('.field')?.append(words);
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', words.id);
    if (!isTold) input.focus();
    isTold = true;
  }
  if (isTold) tell(place, `${form.querySelector('h3')?.textContent}: see what is said beside the fields.`);
  else tell(place, error);
}
