import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import { claimsOf } from '../../support/race.js';
import { challenged, createTotpMailApp, enrol, verify } from '../../support/totp-app.js';

let app: MailApp;
beforeAll(async () => {
  app = await createTotpMailApp({ auditLog: true, passwordResetRequestUrl: 'https://app.example.com/forgot' });
});
afterAll(() => app.close());

test('each change is mailed, recorded in the audit log and emitted, and a rolled back one is not', async () => {
  const emitted: string[] = [];
  app.auth.events.onAny((name, _) => name.startsWith('mfa.') && emitted.push(name));
  const email = 'ada@example.com';
  const client = await app.signedUp(email);
  const { recoveryCodes, next } = await enrol(app, client);
  const recoveryCode = recoveryCodes[3] ?? '';
  await verify(client, { challenge: await challenged(app, email), recoveryCode });
  await verify(app.client(), { challenge: await challenged(app, email), recoveryCode });
  await verify(client, { challenge: await challenged(app, email), code: next() });
  await client.send('POST', '/auth/mfa/recovery-codes', undefined, client.bearer);
  await client.send('DELETE', '/auth/mfa/totp', undefined, client.bearer);

  const events = [
    'mfa.enabled',
    'mfa.recovery-codes-created',
    'mfa.recovery-code-used',
    'mfa.failed',
    'mfa.recovery-codes-created',
    'mfa.disabled',
  ];
  expect(emitted).toEqual(events);
  const sql = `select event, details from auth_audit_event where event like 'mfa.%' and user_id = $1`;
  const { rows } = await app.database.pool.query(sql, [claimsOf(client.access).sub]);
  expect(rows.map(({ event }) => event).sort()).toEqual(events.toSorted());
  expect(rows.find(({ event }) => event === 'mfa.failed').details).toEqual({
    method: 'recovery_code',
    ip: '127.0.0.1',
  });
  expect(rows.find(({ event }) => event === 'mfa.recovery-code-used').details).toEqual({ left: 9 });
  for (const code of recoveryCodes) expect(JSON.stringify(rows)).not.toContain(code);

  const mails = await app.mailsTo(email, 4);
  expect(mails.map(({ subject }) => subject).sort()).toEqual([
    'A recovery code was used',
    'The second factor was removed from your account',
    'You have new recovery codes',
    'Your account has a second factor',
  ]);
  for (const { text, html } of mails) {
    for (const part of [text, String(html)]) {
      expect(part).toContain(new URL(PUBLIC_URL).host);
      expect(part).toContain('https://app.example.com/forgot');
      for (const code of recoveryCodes) expect(part).not.toContain(code);
    }
  }
  expect(await app.mailCount()).toBe(4);
});
