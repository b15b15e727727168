/** A program of a client in body mode, written against types that are generated from the document. */
export const CLIENT_PROGRAM = `
import createClient from 'openapi-fetch';
import type { DeviceSession, UserProfile } from 'jwt-allauth/client';
import type { components, paths } from './api.js';

const client = createClient<paths>({ baseUrl: process.argv[2] ?? '' });
const results: Record<string, unknown> = {};

const signUp = await client.POST('/auth/registration', {
  body: { email: 'ada@example.com', password: 'a sentence of some length', firstName: 'Ada' },
});
results['signUp'] = signUp.response.status;

const login = await client.POST('/auth/login', {
  body: { email: 'ada@example.com', password: 'a sentence of some length' },
});
if (!login.data) throw new Error(login.error.code);

const refreshed = await client.POST('/auth/refresh', { body: { refresh: login.data.refresh } });
if (!refreshed.data) throw new Error(refreshed.error.detail);
const tokens: components['schemas']['AuthTokens'] = refreshed.data;
const headers = { Authorization: \`Bearer \${tokens.access}\` };

const user = await client.GET('/auth/user', { headers });
const email: string | undefined = user.data?.email;
results['user'] = [email, user.data?.firstName];

const sessions = await client.GET('/auth/sessions', { headers });
const current = sessions.data?.filter((session) => session.current) ?? [];
const browser: string | null | undefined = current[0]?.browser;
results['sessions'] = [sessions.data?.length, current.length, browser];

const report = await client.GET('/admin/report', { headers });
results['report'] = report.error?.code;

const gone = await client.DELETE('/auth/sessions/{id}', { headers, params: { path: { id: 'nonsense' } } });
results['gone'] = gone.error?.status === 404 ? gone.error.code satisfies 'session_not_found' : 'another error';

const order = await client.POST('/orders', { headers, body: { lines: [{ article: 'tea', count: 2 }], colour: null } });
const article: string | undefined = order.data?.lines[0]?.article;
results['order'] = article;

const wrong = await client.POST('/auth/login', { body: { email: 'ada@example.com', password: 'wrong, wrong' } });
if (wrong.error?.status === 401) {
  results['wrong'] = wrong.error.code satisfies
    | 'incorrect_credentials'
    | 'no_active_account'
    | 'dpop_proof_invalid'
    | 'use_dpop_nonce';
}

const logout = await client.POST('/auth/logout', { body: { refresh: tokens.refresh } });
results['logout'] = logout.response.status;
const again = await client.POST('/auth/refresh', { body: { refresh: tokens.refresh } });
results['again'] = again.error?.code;

/** The result types of the client's methods match the document. */
export const profile = (described: components['schemas']['AuthProfile']): UserProfile => described;
export const session = (described: components['schemas']['AuthSession']): DeviceSession => described;

/** Code that must not compile. */
export async function mistakes() {
  // @ts-expect-error there is no such path
  await client.GET('/auth/usr');
  // @ts-expect-error a password is needed
  await client.POST('/auth/login', { body: { email: 'ada@example.com' } });
  // @ts-expect-error a name is a string
  await client.PATCH('/auth/user', { body: { firstName: 1 } });
  // @ts-expect-error the session must be named
  await client.DELETE('/auth/sessions/{id}', {});
  // @ts-expect-error there is no such code
  if (wrong.error?.code === 'wrong_password') return;
}

console.log(JSON.stringify(results));
`;

/** A program for the demo's own routes, and for detecting a thief. */
export const DEMO_PROGRAM = `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

const client = createClient<paths>({ baseUrl: process.argv[2] ?? '' });
const signUp = await client.POST('/auth/registration', {
  body: { email: 'ada@example.com', password: 'a sentence of some length' },
});
const tokens = signUp.data;
if (!tokens || !('refresh' in tokens)) throw new Error('no tokens came');
const headers = { Authorization: \`Bearer \${tokens.access}\` };

const profile = await client.GET('/profile', { headers });
const anonymous = await client.GET('/profile');
const publish = await client.POST('/profile/publish', { headers });
const first = await client.POST('/auth/refresh', { body: { refresh: tokens.refresh } });
const second = await client.POST('/auth/refresh', { body: { refresh: first.data?.refresh ?? '' } });
const thief = await client.POST('/auth/refresh', { body: { refresh: tokens.refresh } });

console.log(
  JSON.stringify({
    profile: [(profile.data as { email?: string } | undefined)?.email, anonymous.response.status],
    publish: [publish.error?.code, publish.response.status],
    refreshed: second.data !== undefined,
    replayed: thief.error?.code,
  }),
);
`;
