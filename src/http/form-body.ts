/**
 * Options of `@Body` for a form that a browser sends without a script. In an action that is not of JSON (`@ContentType`)
 * routing-controllers reads the body as text, provided that the parameter's type is `string`.
 */
export const formBody = { options: { type: 'application/x-www-form-urlencoded', limit: '10kb' }, required: false };

/** The fields of a form's body; of a field that is sent twice the last. Empty for what is no form. */
export function parseForm(body: unknown): Partial<Record<string, string>> {
  if (typeof body === 'string') return Object.fromEntries(new URLSearchParams(body));
  // An app that parses forms itself has come first.
  const fields = Object.entries(body ?? {}).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(fields);
}
