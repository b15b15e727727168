import { AuthError } from './auth-error.js';

/**
 * The error that the server has added to the URL of the present page. Its code is in the query, or with a challenge in
 * the fragment. All else is in the fragment. Undefined: the URL has no error.
 */
export function refusalIn(href: string): AuthError | undefined {
  const { hash, searchParams } = new URL(href);
  const parameters = new URLSearchParams(hash.slice(1));
  const text = (name: string) => parameters.get(name) ?? undefined;
  const number = (name: string) => Number(text(name)) || undefined;
  const code = text('error') ?? searchParams.get('error');
  if (!code) return undefined;
  return new AuthError(code, number('status') ?? 401, 'The sign-in did not work.', {
    challenge: text('challenge'),
    methods: text('methods')?.split(','),
    expiresIn: number('expires_in'),
    retryAfter: number('retry_after'),
  });
}
