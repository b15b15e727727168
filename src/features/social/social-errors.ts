import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const SOCIAL_ERRORS = {
  provider_not_found: { status: 404, detail: 'This provider does not exist here.' },
  provider_account_not_found: { status: 404, detail: 'You have no such account of a provider.' },
  provider_refused: { status: 401, detail: 'The provider did not confirm who you are.', isAboutToken: false },
  provider_email_not_verified: { status: 403, detail: 'The provider has not verified your e-mail address.' },
  provider_already_connected: { status: 409, detail: 'An account of this provider is connected already.' },
  provider_unavailable: { status: 503, detail: 'The provider does not answer right now.', retryAfter: 5 },
  return_url_not_allowed: { status: 400, detail: 'The sign-in may not return to this URL.' },
  sign_up_not_allowed: { status: 403, detail: 'New accounts are created by invitation only.' },
} as const;

/** Makes an error of this feature. */
export const socialError = errorsOf(SOCIAL_ERRORS);

/** A refusal. Its cause is for the log: a constant text, without claims and tokens. */
export const providerRefused = (why: string) => socialError('provider_refused', { cause: new Error(why) });
