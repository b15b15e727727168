import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JwtAllauthError } from '../../src/index.js';
import { athOf, BoundClient, ProofSigner } from '../support/bound-client.js';
import { claimsOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let app: TestApp;
let server: Server;
let url: string;
let client: BoundClient;
/** The users whose upgrades were accepted, and the codes of the errors of the others. */
let outcomes: string[];

beforeAll(async () => {
  app = await createTestApp({ settings: { accessTokenBinding: true } });
  server = createServer();
  server.on('upgrade', async (asked, socket) => {
    const accepted = app.auth.authenticate(asked).then(({ id }) => id);
    const outcome = await accepted.catch(({ code, reason }: JwtAllauthError) => `${code} ${reason}`);
    outcomes.push(outcome);
    socket.end(`HTTP/1.1 ${/ /.test(outcome) ? 401 : 101} Answer\r\nConnection: close\r\n\r\n`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/live`;
});
afterAll(async () => {
  server.close();
  await app.close();
});
beforeEach(async () => {
  outcomes = [];
  client = await BoundClient.of(app);
  await client.register(`${crypto.randomUUID()}@example.com`);
});
afterEach(() => expect(app.log.filter(({ level }) => level === 'error')).toEqual([]));

const proof = (claims: object = {}, key = client.key, htu = url) =>
  key.proof('GET', htu, app.clock.now(), { claims: { ath: athOf(client.access), ...claims } });

/** Opens a WebSocket. @returns the outcome at the server */
async function upgrade(
  dpop?: string,
  authorization = `DPoP ${client.access}`,
  path = '?room=1',
): Promise<string | undefined> {
  const headers = { connection: 'Upgrade', upgrade: 'websocket', authorization, ...(dpop && { dpop }) };
  const outgoing = request(url + path, { headers, agent: false }).end();
  await Promise.race([once(outgoing, 'upgrade'), once(outgoing, 'response')]);
  outgoing.destroy();
  return outcomes.at(-1);
}

test('an upgrade with a proof for it is accepted once, whatever its query is', async () => {
  const dpop = await proof();
  expect(await upgrade(dpop)).toBe(claimsOf(client.access).sub);
  expect(await upgrade(dpop, undefined, '?room=2')).toBe('dpop_proof_invalid proof-replayed');
  expect(await upgrade(await proof({}, client.key, url.replace('http:', 'https:')))).toBe(claimsOf(client.access).sub); // TLS at a proxy
});

test.each<[what: string, outcome: string, () => Promise<string | undefined>]>([
  ['no proof', 'proof-missing', () => upgrade()],
  [
    'the token as a bearer token, with a proof',
    'proof-missing',
    async () => upgrade(await proof(), `Bearer ${client.access}`),
  ],
  ['a proof for another token', 'proof-for-another-token', async () => upgrade(await proof({ ath: athOf('another') }))],
  ['a proof without a token', 'proof-for-another-token', async () => upgrade(await proof({ ath: undefined }))],
  ['a proof for another path', 'proof-for-another-url', async () => upgrade(await proof({ htu: `${url}/more` }))],
  ['a proof for ws', 'proof-for-another-url', async () => upgrade(await proof({ htu: url.replace('http', 'ws') }))],
  ['a proof for CONNECT', 'proof-for-another-method', async () => upgrade(await proof({ htm: 'CONNECT' }))],
  ['a proof by another key', 'proof-of-another-key', async () => upgrade(await proof({}, await ProofSigner.create()))],
  ['two proofs', 'proof-malformed', async () => upgrade(`${await proof()}, ${await proof()}`)],
])('an upgrade with %s is refused with %s', async (_, reason, send) => {
  expect(await send()).toBe(`dpop_proof_invalid ${reason}`);
  expect(outcomes).toHaveLength(1);
  expect(await upgrade(await proof())).toBe(claimsOf(client.access).sub); // nothing has ended
});

test('an access token without its request is refused, as in a subprotocol of a WebSocket', async () => {
  const refusal = { code: 'dpop_proof_invalid', reason: 'proof-missing' };
  await expect(app.auth.authenticate(client.access)).rejects.toMatchObject(refusal);
});
