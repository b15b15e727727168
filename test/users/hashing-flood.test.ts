import { expect, test } from 'vitest';
import { createTestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

test('300 connections that sign up from one address keep none of 20 owners elsewhere from signing in', async () => {
  const app = await createTestApp({
    isHashingReal: true,
    express: 5,
    configure: (server) => server.set('trust proxy', true),
  });
  const from = (ip: string) => ({ 'x-forwarded-for': ip });
  const owners = Array.from({ length: 20 }, (_, index) => ({
    email: `owner${index}@example.com`,
    ip: `198.51.100.${index}`,
  }));
  for (const { email } of owners) await app.signedUp(email);
  const attempts: number[] = [];
  const attack = async (connection: number) => {
    const body = { email: `bot${connection}@example.com`, password: PASSWORD };
    attempts.push((await app.client().send('POST', '/auth/registration', body, from('203.0.113.7'))).status);
  };
  const bots = Array.from({ length: 300 }, (_, connection) => attack(connection));
  while (!attempts.includes(503)) await new Promise(setImmediate); // the attack is at its peak
  const statuses = await Promise.all(
    owners.map(async ({ email, ip }) => {
      const { status } = await app.client().login(email, PASSWORD, from(ip));
      return status;
    }),
  );
  await Promise.all(bots);
  expect(statuses).toEqual(Array(20).fill(200));
  expect(attempts.filter((status) => status !== 201 && status !== 503)).toEqual([]);
  await app.close();
}, 60_000);
