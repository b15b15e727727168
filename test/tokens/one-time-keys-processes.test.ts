import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { expectProblem } from '../support/expect-problem.js';
import { type MailSink, startMailSink } from '../support/mail-sink.js';
import { claimsOf, createOwner } from '../support/race.js';
import { startServerProcess } from '../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const PROCESSES = 3;
const PUBLIC_URL = 'http://accounts.test';

type Server = Awaited<ReturnType<typeof startServerProcess>>;

let app: TestApp;
let sink: MailSink;
let servers: Server[];
beforeAll(async () => {
  [app, sink] = [await createTestApp(), await startMailSink()];
  servers = await Promise.all(
    Array.from({ length: PROCESSES }, (_, index) =>
      startServerProcess(app.database.appUrl, {
        secretKey: SECRET,
        encryptionKeys: ENCRYPTION_KEY,
        development: true,
        loginRateLimit: 'off',
        mailRateLimit: 'off',
        publicUrl: PUBLIC_URL,
        smtpUrl: sink.url,
        emailFrom: `server${index}@example.com`,
      }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await app.close();
  await sink.close();
});

/** A client of one of the processes, in turn. */
const at = (index: number) => new TestClient(servers[index % PROCESSES]?.url ?? '', 'cookie', 'refresh_token');

const toAddress = (address: string) => sink.mails.filter((mail) => [mail.to].flat().some((to) => to?.text === address));
const ask = async (index: number, email: string) =>
  expect((await at(index).send('POST', '/auth/password/reset', { email })).status).toBe(202);
const rowsOf = async (sql: string, id?: string) => (await app.database.pool.query(sql, id ? [id] : [])).rows;

/** The cookie that the mailed link sets when it is opened at one of the processes. */
async function openLink(index: number, email: string): Promise<string> {
  await until(() => toAddress(email).length > 0);
  const [link = ''] = toAddress(email)[0]?.text?.match(/http:\/\/accounts\.test\/\S+/) ?? [];
  const opened = await fetch(link.replace(PUBLIC_URL, at(index).url), { redirect: 'manual' });
  expect(opened.status).toBe(303);
  return opened.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

test('parallel uses of one key on three processes set one password and open one session, 60 times', async () => {
  const winners = new Set<number>();
  for (let round = 0; round < 60; round++) {
    const { id, another, live } = await createOwner(app);
    await another();
    const [{ email }] = await rowsOf('select email from app_user where id = $1', id);
    await ask(round, email);
    const cookie = await openLink(round + 1, email);
    const answers = await Promise.all(
      Array.from({ length: 3 * PROCESSES }, (_, tab) =>
        at(round + tab).send(
          'POST',
          '/auth/password/reset/set-new',
          { newPassword: `a password of tab ${tab}` },
          { cookie },
        ),
      ),
    );
    const winner = answers.findIndex(({ status }) => status === 200);
    const [won, ...more] = answers.filter(({ status }) => status === 200);
    expect([Object.keys(won?.body ?? {}), won?.cookie?.name, more]).toEqual([['access'], 'refresh_token', []]);
    for (const answer of answers.filter((each) => each !== won)) expectProblem(answer, 401, 'token_not_valid');
    const enabled = await rowsOf('select id from auth_session where user_id = $1 and enabled', id);
    expect(enabled).toEqual([{ id: claimsOf(won?.cookie?.value ?? '').session }]);
    expect(await live()).toBe(1);
    expect(await rowsOf('select 1 from auth_one_time_key where user_id = $1', id)).toEqual([]);
    expect((await at(round).login(email, `a password of tab ${winner}`)).status).toBe(200);
    await until(() => toAddress(email).length >= 2); // the link, and the notice of a new password
    winners.add((round + winner) % PROCESSES);
  }
  await until(async () => (await rowsOf('select 1 from auth_outbox_mail')).length === 0);
  expect([sink.mails.length, winners.size]).toEqual([2 * 60, PROCESSES]);
});

test('the outboxes of three processes send each of 100 mails once, 5 times', async () => {
  const owners = await Promise.all(Array.from({ length: PROCESSES }, () => createOwner(app)));
  const users = await rowsOf('select id, email from app_user');
  const emails = owners.map(({ id }) => users.find((user) => user.id === id).email as string);
  const seal = new EncryptionKeys([Buffer.from(ENCRYPTION_KEY, 'base64url')]).sealFor('outbox');
  const senders = new Set<string | undefined>();
  for (let round = 0; round < 5; round++) {
    sink.mails.splice(0);
    const waiting = Array.from({ length: 100 - PROCESSES }, (_, index) => ({
      id: randomUUID(),
      to: `user${index + 1}@example.com`,
    }));
    const contents = waiting.map(({ id }) =>
      seal.seal(JSON.stringify({ subject: 'Hello', text: 'Hello', html: 'Hello' }), id),
    );
    await app.database.pool.query(
      `insert into auth_outbox_mail (id, recipient, content, attempts, next_attempt_at, expires_at)
       select id, recipient, content, 0, now(), now() + interval '1 day'
       from unnest($1::uuid[], $2::text[], $3::text[]) as given (id, recipient, content)`,
      [waiting.map(({ id }) => id), waiting.map(({ to }) => to), contents],
    );
    await Promise.all(emails.map((email, index) => ask(index, email))); // a new mail wakes the outbox of its process
    await until(async () => (await rowsOf('select 1 from auth_outbox_mail')).length === 0 && sink.mails.length >= 100);
    const sent = sink.mails.flatMap(({ to }) => [to].flat().map((each) => each?.text));
    expect(sent.sort()).toEqual([...waiting.map(({ to }) => to), ...emails].sort());
    expect(new Set(sink.mails.map(({ messageId }) => messageId)).size).toBe(100);
    for (const { from } of sink.mails) senders.add(from?.text);
  }
  expect([...senders].sort()).toEqual(servers.map((_, index) => `server${index}@example.com`));
});
