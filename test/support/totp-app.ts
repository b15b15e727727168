import { totpModule } from '../../src/features/totp/index.js';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { createAuthEntities, type SettingsInput } from '../../src/index.js';
import { createMailApp, type MailApp } from './mail-app.js';
import { secrets } from './secrets.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import type { Answer, TestClient } from './test-client.js';
import { AppUser, Organization } from './users.js';

/** The entities of an app with TOTP. */
export const TOTP_ENTITIES = [
  AppUser,
  Organization,
  ...createAuthEntities({ user: () => AppUser, modules: [totpModule] }),
];

/** Starts an app with the module `jwt-allauth/totp`. */
export function createTotpApp(settings: SettingsInput = {}, options: TestAppOptions = {}): Promise<TestApp> {
  return createTestApp({ ...options, settings, orm: { entities: TOTP_ENTITIES, ...options.orm } });
}

/** The same, with mails. */
export function createTotpMailApp(settings: SettingsInput = {}, options: TestAppOptions = {}): Promise<MailApp> {
  return createMailApp(settings, { ...options, orm: { entities: TOTP_ENTITIES, ...options.orm } });
}

/** A second factor, as its owner keeps it. */
export interface Enrolment {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
  /** A code that was not used yet: the clock moves on by one step. */
  next(): string;
}

/** Sets an authenticator app up for a client that has just signed in, or for the challenge of a sign-in. */
export async function enrol(
  app: Pick<TestApp, 'clock'>,
  client: TestClient,
  body: { readonly challenge?: string; readonly revokeOthers?: boolean } = {},
): Promise<Enrolment & { readonly answer: Answer }> {
  const { revokeOthers, ...by } = body;
  const bearer = by.challenge ? {} : client.bearer;
  const setup = await client.send('POST', '/auth/mfa/totp/setup', by, bearer);
  if (setup.status !== 200) throw new Error(`set-up was answered with ${setup.status} ${setup.body.code}`);
  const { secret } = setup.body;
  const code = totpCode(secret, app.clock.now());
  const answer = await client.send('POST', '/auth/mfa/totp/confirm', { ...body, code }, bearer);
  if (answer.status !== 200) throw new Error(`confirm was answered with ${answer.status} ${answer.body.code}`);
  const { recoveryCodes } = answer.body;
  secrets.add(secret, ...recoveryCodes);
  return { secret, recoveryCodes, answer, next: () => nextCode(app, secret) };
}

/** Moves the clock on by one step, and returns the code of that step. */
export function nextCode(app: Pick<TestApp, 'clock'>, secret: string): string {
  app.clock.advance(30);
  return totpCode(secret, app.clock.now());
}

/** Signs in with the password, and returns the challenge. */
export async function challenged(app: TestApp, email: string, password?: string): Promise<string> {
  const { status, body } = await app.client().login(email, password);
  if (status !== 401 || body.code !== 'second_factor_required') throw new Error(`login: ${status} ${body.code}`);
  return body.challenge;
}

/** Answers a challenge. The client keeps the tokens. */
export async function verify(
  client: TestClient,
  body: { readonly challenge: string; readonly code?: string; readonly recoveryCode?: string },
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await client.send('POST', '/auth/mfa/verify', body, headers);
  if (answer.status === 200) {
    client.access = answer.body.access;
    client.refreshToken = answer.cookie?.value ?? answer.body.refresh;
  }
  return answer;
}
