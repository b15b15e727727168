import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuthEventMap, RefreshToken } from '../../src/index.js';
import { BoundClient } from '../support/bound-client.js';
import { claimsOf, race, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';
import { AppRefreshToken } from '../support/users.js';

/** The library's token class and a class of the app are rotated by different statements. */
describe.each([AppRefreshToken, RefreshToken])('a refresh of a bound session, with tokens of %o', (refreshToken) => {
  let app: TestApp;
  const refused: AuthEventMap['session.binding-refused']['reason'][] = [];
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken, oldPasswordFieldEnabled: false } });
    app.auth.events.on('session.binding-refused', ({ reason }) => refused.push(reason));
  });
  afterAll(() => app.close());

  async function signedUp(): Promise<BoundClient> {
    refused.length = 0;
    const client = await BoundClient.of(app);
    expect((await client.register(`${crypto.randomUUID()}@example.com`)).status).toBe(201);
    return client;
  }

  /** A client with the tokens of a session that has no key yet, and another one with another key. */
  async function unbound(): Promise<{ client: BoundClient; other: BoundClient; plain: TestClient }> {
    refused.length = 0;
    const plain = await app.signedUp();
    const tokens = { refreshToken: plain.refreshToken, access: plain.access };
    const [client, other] = await Promise.all([BoundClient.of(app), BoundClient.of(app)]);
    return { client: Object.assign(client, tokens), other: Object.assign(other, tokens), plain };
  }

  /** Another tab: the same tokens and the same key. */
  const tabOf = async (client: BoundClient) => (await client.stolenBy(client.key)) as BoundClient;

  /** Forces an order of two requests at the row of the session. */
  const inOrder = async (client: TestClient, first: () => Promise<Answer>, second: () => Promise<Answer>) => {
    const answers = await race(app, { table: 'auth_session', id: sessionOf(client) }, first, second);
    return answers.map(({ status, body }) => (status < 400 ? status : body.code));
  };
  const rowOf = async (client: TestClient) => {
    const { rows } = await app.database.pool.query('select * from auth_session where id = $1', [sessionOf(client)]);
    return rows[0];
  };
  const jtiOf = ({ refreshToken: token }: TestClient) => claimsOf(token).jti;
  const keyOf = ({ refreshToken: token }: TestClient) => claimsOf(token).cnf?.jkt;

  test('in parallel with another one gives both the same successor, and uses both proofs up', async () => {
    const client = await signedUp();
    const tab = await tabOf(client);
    const proofs = await Promise.all([client, tab].map((each) => each.proof('POST', '/auth/refresh')));
    const [dpop = '', other = ''] = proofs;
    const both = await inOrder(
      client,
      () => client.refresh({ dpop }),
      () => tab.refresh({ dpop: other }),
    );
    expect(both).toEqual([200, 200]);
    expect([jtiOf(tab), keyOf(tab)]).toEqual([jtiOf(client), client.key.thumbprint]);
    expect(await rowOf(client)).toMatchObject({ jti: jtiOf(client), enabled: true, proofs: { length: 2 } });
    for (const used of proofs) expect((await tab.refresh({ dpop: used })).body.code).toBe('dpop_proof_invalid');
    expect((await tab.refresh()).status).toBe(200);
  });

  test.each(['live token', 'parent'])(
    'in parallel with a copy of it, proof included, is answered once: %s',
    async (which) => {
      const client = await signedUp();
      const [copy, parent] = [await tabOf(client), await tabOf(client)];
      if (which === 'parent') await client.refresh();
      const { jti, proofs } = await rowOf(client);
      const dpop = await copy.proof('POST', '/auth/refresh');
      const both = await inOrder(
        client,
        () => copy.refresh({ dpop }),
        () => parent.refresh({ dpop }),
      );
      expect([both, refused]).toEqual([[200, 'dpop_proof_invalid'], ['proof-replayed']]);
      const row = await rowOf(client);
      expect([row.enabled, row.proofs.length]).toEqual([true, (proofs?.length ?? 0) + 1]);
      expect(row.jti === jti).toBe(which === 'parent');
      expect((await copy.refresh()).status).toBe(200);
    },
  );

  test('with the live token, in parallel with the parent and a copy of its proof, is answered once, in both orders', async () => {
    for (const isFirst of [true, false]) {
      const client = await signedUp();
      const parent = await tabOf(client);
      await client.refresh();
      const dpop = await client.proof('POST', '/auth/refresh');
      const both = [() => parent.refresh({ dpop }), () => client.refresh({ dpop })] as const;
      const answers = await inOrder(client, both[isFirst ? 0 : 1], both[isFirst ? 1 : 0]);
      expect([answers, refused]).toEqual([[200, 'dpop_proof_invalid'], ['proof-replayed']]);
      expect((await client.refresh()).status).toBe(200);
    }
  });

  test('with the parent, while another tab rotates the live token, is served if it is first, else it is a replay', async () => {
    for (const isFirst of [true, false]) {
      const client = await signedUp();
      const late = await tabOf(client);
      await client.refresh();
      const both = [() => late.refresh(), () => client.refresh()] as const;
      const answers = await inOrder(client, both[isFirst ? 0 : 1], both[isFirst ? 1 : 0]);
      expect(answers).toEqual([200, isFirst ? 200 : 'refresh_token_reused']);
      expect((await rowOf(client)).enabled).toBe(isFirst);
    }
  });

  const endings: [what: string, end: (client: BoundClient) => Promise<Answer>][] = [
    ['a sign-out', async (client) => client.logout()],
    ['a change of the password', async (client) => client.changePassword('', `${PASSWORD} again`)],
  ];
  test.each(endings)('in parallel with %s leaves no live session of this key, in both orders', async (_what, end) => {
    for (const isRetry of [false, true]) {
      for (const isFirst of [true, false]) {
        const client = await signedUp();
        const [tab, old] = [await tabOf(client), await tabOf(client)];
        if (isRetry) await client.refresh(); // then `tab` presents the parent
        const both = [() => tab.refresh(), () => end(old)] as const;
        const answers = await inOrder(client, both[isFirst ? 0 : 1], both[isFirst ? 1 : 0]);
        expect(answers[isFirst ? 0 : 1]).toBe(isFirst ? 200 : 'token_not_valid');
        expect(answers[isFirst ? 1 : 0]).toBeLessThan(300);
        expect((await rowOf(client)).enabled).toBe(false);
        for (const each of [client, tab]) expect((await each.refresh()).body.code).toBe('token_not_valid');
      }
    }
  });

  test('in parallel with a re-authentication keeps the key and the new proof of the user, in both orders', async () => {
    for (const isFirst of [true, false]) {
      const client = await signedUp();
      app.clock.advance(600);
      const [tab, now] = [await tabOf(client), app.clock.now() / 1000];
      const reauthenticate = () => tab.send('POST', '/auth/reauthenticate', { password: PASSWORD }, tab.bearer);
      const both = [() => client.refresh(), reauthenticate] as const;
      expect(await inOrder(client, both[isFirst ? 0 : 1], both[isFirst ? 1 : 0])).toEqual([200, 200]);
      if (isFirst) expect((await client.refresh()).status).toBe(200);
      expect(claimsOf(client.access)).toMatchObject({ auth_time: now, cnf: { jkt: client.key.thumbprint } });
      expect(await rowOf(client)).toMatchObject({ jti: jtiOf(client), key_thumbprint: client.key.thumbprint });
    }
  });

  test('that is the first one binds the session to the key of two tabs', async () => {
    const { client } = await unbound();
    const tab = await tabOf(client);
    const both = await inOrder(
      client,
      () => client.refresh(),
      () => tab.refresh(),
    );
    expect([both, keyOf(client), keyOf(tab)]).toEqual([[200, 200], client.key.thumbprint, client.key.thumbprint]);
    expect(jtiOf(tab)).toBe(jtiOf(client));
  });

  test('that is the first one binds the session to the faster of two keys, and ends nothing', async () => {
    const { client, other } = await unbound();
    const both = await inOrder(
      client,
      () => client.refresh(),
      () => other.refresh(),
    );
    expect([both, refused]).toEqual([[200, 'dpop_proof_invalid'], ['proof-of-another-key']]);
    expect(await rowOf(client)).toMatchObject({ enabled: true, key_thumbprint: client.key.thumbprint });
    expect((await client.refresh()).status).toBe(200);
  });

  test('that binds it wins over one without a proof, or comes after it and binds nothing yet', async () => {
    const first = await unbound();
    const bindingFirst = await inOrder(
      first.client,
      () => first.client.refresh(),
      () => first.plain.refresh(),
    );
    expect([bindingFirst, refused]).toEqual([[200, 'dpop_proof_invalid'], ['proof-missing']]);

    const { client, plain } = await unbound();
    const plainFirst = await inOrder(
      client,
      () => plain.refresh(),
      () => client.refresh(),
    );
    expect([plainFirst, keyOf(client), jtiOf(client)]).toEqual([[200, 200], undefined, jtiOf(plain)]);
    expect((await client.refresh()).status).toBe(200);
    expect(keyOf(client)).toBe(client.key.thumbprint);
  });
});
