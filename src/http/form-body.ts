/**
 * Options of `@Body` for a form that a browser sends without a script. In an action that is not of JSON (`@ContentType`)
 * routing-controllers reads the body as text.
 */
export const formBody = { options: { type: 'application/x-www-form-urlencoded', limit: '10kb' }, required: false };

/** The fields of a form's body; of a field that is sent twice the last. Empty for what is no form. */
export function parseForm(body: unknown): Partial<Record<string, string>> {
  return typeof body === 'string' ? Object.fromEntries(new URLSearchParams(body)) : {};
}
