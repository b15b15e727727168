import { beforeEach, describe, expect, test } from 'vitest';
import { ProviderFetch } from '../../../src/features/social/provider-fetch.js';

const DOCUMENT = 'https://id.example.com/.well-known/openid-configuration';
const KEYS = 'https://id.example.com/keys';

let now: number;
let requests: string[];
let answer: () => Promise<Response>;
let provider: ProviderFetch;

beforeEach(() => {
  now = 1_000_000_000;
  requests = [];
  answer = async () => Response.json({ number: requests.length });
  provider = new ProviderFetch(
    (url) => {
      requests.push(url);
      return answer();
    },
    () => now,
  );
});

const discover = async () => (await provider.send(DOCUMENT, {})).json();
const down = async () => {
  throw new TypeError('fetch failed');
};

describe('a discovery document', () => {
  test('is read once an hour, also by parallel sign-ins', async () => {
    expect(await Promise.all([discover(), discover(), discover()])).toEqual(Array(3).fill({ number: 1 }));
    now += 3_599_000;
    expect(await discover()).toEqual({ number: 1 });
    now += 2000;
    expect(await discover()).toEqual({ number: 2 });
  });

  test('is used longer if a newer one cannot be read, which is tried once a minute', async () => {
    await discover();
    now += 3_601_000;
    answer = down;
    for (let each = 0; each < 3; each++) expect(await discover()).toEqual({ number: 1 });
    expect(requests).toHaveLength(2);
    now += 61_000;
    answer = async () => Response.json({ number: 7 });
    expect(await discover()).toEqual({ number: 7 });
  });

  test.each([
    ['no answer', down],
    ['a server error', async () => new Response('{}', { status: 503 })],
    ['an unknown path', async () => new Response('{}', { status: 404 })],
    ['a page', async () => new Response('<html>')],
  ])('is not replaced by %s, and is asked for again at the next sign-in', async (_what, failing) => {
    answer = failing;
    await expect(discover()).rejects.toMatchObject({ code: 'provider_unavailable' });
    answer = async () => Response.json({ number: 5 });
    expect(await discover()).toEqual({ number: 5 });
  });

  test('that cannot be used is read again', async () => {
    await discover();
    provider.forgetDiscovery();
    expect(await discover()).toEqual({ number: 2 });
  });
});

describe('the keys', () => {
  test('are downloaded at most six times a minute', async () => {
    provider.watchKeys(KEYS);
    for (let each = 0; each < 6; each++) await provider.send(KEYS, {});
    await expect(provider.send(KEYS, {})).rejects.toMatchObject({ code: 'provider_unavailable', retryAfter: 60 });
    now += 61_000;
    expect((await provider.send(KEYS, {})).status).toBe(200);
  });

  test('are downloaded once for sign-ins that need them at the same time, as after a start', async () => {
    provider.watchKeys(KEYS);
    const download = async () => (await provider.send(KEYS, {})).json();
    expect(await Promise.all(Array.from({ length: 20 }, download))).toEqual(Array(20).fill({ number: 1 }));
    expect(requests).toEqual([KEYS]);
    answer = down;
    const failed = await Promise.allSettled([download(), download()]);
    expect(failed).toMatchObject(Array(2).fill({ reason: { code: 'provider_unavailable' } }));
    answer = async () => Response.json({ number: 3 });
    expect(await download()).toEqual({ number: 3 });
  });

  test('are cached for less than five minutes, and count as a minute older, so that an unknown key id causes a download', () => {
    const uat = now / 1000;
    const jwks = { keys: [{ kid: 'one' }] };
    provider.keep({ jwks, uat }, undefined);
    expect(provider.keys).toEqual({ jwks, uat: uat - 60 });
    provider.keep({ jwks: { keys: [] }, uat: uat - 60 }, provider.keys); // not downloaded, only used
    expect(provider.keys).toEqual({ jwks, uat: uat - 60 });
    now += 241_000;
    expect(provider.keys).toBeUndefined();
  });
});

describe('any other request', () => {
  test.each([500, 502, 503, 429])('answered with %d means that the provider is not available', async (status) => {
    answer = async () => new Response('{}', { status });
    await expect(provider.send('https://id.example.com/token', {})).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
  });

  test('answered without an end is cut off', async () => {
    let sent = 0;
    const endless = new ReadableStream({
      pull: (controller) => {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    answer = async () => new Response(endless);
    await expect(provider.send(KEYS, {})).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(sent).toBeLessThan(1_500_000);
  });

  test('answered with a refusal is passed on', async () => {
    answer = async () => new Response('{"error":"invalid_grant"}', { status: 400 });
    expect((await provider.send('https://id.example.com/token', {})).status).toBe(400);
  });
});
