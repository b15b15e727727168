import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../support/database-fingerprint.js';
import { ENDPOINTS, type Endpoint } from '../support/endpoints.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { type RawRequest, rawRequest } from '../support/raw-request.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { Answer } from '../support/test-client.js';

/** A part of every bad body; no answer may contain it. */
const MARKER = 'MARKER9f3a';
const JSON_TYPE = 'application/json';
const multipart = `--x\r\ncontent-disposition: form-data; name="email"\r\n\r\n${MARKER}\r\n--x--\r\n`;
const utf16 = Buffer.from(JSON.stringify({ email: MARKER }), 'utf16le');

let app: TestApp;
let bearer: Record<string, string>;
beforeAll(async () => {
  app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  bearer = (await app.signedUp('user@example.com')).bearer;
});
afterAll(() => app.close());

/** Sends to an endpoint and asserts that nothing changed. */
async function sendInVain(endpoint: Endpoint, { headers, body }: RawRequest): Promise<Answer> {
  const before = await fingerprint(app.database);
  const { method, path, isBearer } = endpoint;
  const answer = await rawRequest(app.url + path, { method, headers: { ...headers, ...(isBearer && bearer) }, body });
  expect(await fingerprint(app.database)).toBe(before);
  expect(answer.headers.getSetCookie()).toEqual([]);
  expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
  return answer;
}

describe.each(ENDPOINTS)('the body of $name', (endpoint) => {
  const json = JSON.stringify(endpoint.body);

  test.each<[what: string, type: string | undefined, body: RawRequest['body']]>([
    ['text', 'text/plain', MARKER],
    ['JSON that calls itself text', 'text/plain', json],
    ['a form', 'application/x-www-form-urlencoded', `email=${MARKER}&password=${MARKER}`],
    ['JSON that calls itself a form', 'application/x-www-form-urlencoded', json],
    ['a multipart form', 'multipart/form-data; boundary=x', multipart],
    ['a multipart form in chunks', 'multipart/form-data; boundary=x', [multipart]],
    ['JSON without a content type', undefined, json],
    ['JSON in chunks without a content type', undefined, [json.slice(0, 3), json.slice(3)]],
    ['XML', 'application/xml', `<email>${MARKER}</email>`],
    ['another kind of JSON', 'application/vnd.api+json', json],
    ['a type that only begins like JSON', 'application/jsonp', json],
    ['two types', 'text/plain, application/json', json],
    ['a malformed type', 'json', json],
    ['JSON in a charset that is not Unicode', `${JSON_TYPE}; charset=iso-8859-1`, json],
  ])('as %s is 415', async (_, type, body) => {
    const answer = await sendInVain(endpoint, { headers: type ? { 'content-type': type } : {}, body });
    expectProblemDetails(answer, 415, 'unsupported_media_type', [MARKER]);
  });

  test('with an unknown encoding is 415', async () => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'rot13' };
    expectProblemDetails(await sendInVain(endpoint, { headers, body: json }), 415, 'unsupported_media_type');
  });

  test.each<[what: string, body: RawRequest['body']]>([
    ['cut off', json.slice(0, -4)],
    ['one brace', '{'],
    ['not quoted', `{email: ${MARKER}}`],
    ['in single quotes', `{'email': '${MARKER}'}`],
    ['followed by more', `${json} ${MARKER}`],
    ['two in one', json + json],
    ['with a trailing comma', `{"email": "${MARKER}",}`],
    ['with a comment', `{"email": "${MARKER}" /* */}`],
    ['with a control character', `{"email": "${MARKER}\u0000"}`],
    ['only blanks', '   '],
    ['behind a byte order mark and garbage', `\uFEFF${MARKER}`],
    ['cut off between chunks', ['{"email":', ` "${MARKER}`]],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x00])],
  ])('that is not JSON (%s) is 400 malformed_json', async (_, body) => {
    const answer = await sendInVain(endpoint, { headers: { 'content-type': JSON_TYPE }, body });
    expectProblemDetails(answer, 400, 'malformed_json', [MARKER]);
  });

  test.each<[what: string, body: string]>([
    ['a bare string', JSON.stringify(MARKER)],
    ['an empty string', '""'],
    ['a number', '12345'],
    ['null', 'null'],
    ['true', 'true'],
    ['null with blanks around it', ' null\n'],
  ])('that is JSON but not an object (%s) is 400 validation_failed', async (_, body) => {
    const answer = await sendInVain(endpoint, { headers: { 'content-type': JSON_TYPE }, body });
    expectProblemDetails(answer, 400, 'validation_failed', [MARKER, '12345']);
    expect(answer.body.errors).toEqual([{ field: '', messages: ['must be a JSON object'] }]);
  });

  test('that claims to be compressed and is not is 400', async () => {
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' };
    expectProblemDetails(await sendInVain(endpoint, { headers, body: MARKER }), 400, 'bad_request', [MARKER]);
  });

  const large = JSON.stringify({ email: MARKER.repeat(11_000) });
  test.each<[what: string, body: RawRequest['body'], encoding?: string]>([
    ['with its length', large],
    ['in chunks', [large.slice(0, 60_000), large.slice(60_000)]],
    ['when unpacked from gzip', gzipSync(large), 'gzip'],
    ['when unpacked from deflate', deflateSync(large), 'deflate'],
    ['of broken JSON', '{'.repeat(110_000)],
  ])('of more than 100 kB %s is 413', async (_, body, encoding) => {
    const headers = { 'content-type': JSON_TYPE, ...(encoding && { 'content-encoding': encoding }) };
    const answer = await sendInVain(endpoint, { headers, body });
    expectProblemDetails(answer, 413, 'payload_too_large', [MARKER]);
  });

  test('of exactly 100 kB is accepted', async () => {
    const body = `{"unknown":"${'x'.repeat(102_400 - 14)}"}`;
    expect(body).toHaveLength(102_400);
    const answer = await sendInVain(endpoint, { headers: { 'content-type': JSON_TYPE }, body });
    expectProblemDetails(answer, 400, 'validation_failed', ['xxx']);
  });

  test('in UTF-16 is decoded correctly or refused, and validated either way', async () => {
    const answer = await sendInVain(endpoint, {
      headers: { 'content-type': `${JSON_TYPE}; charset=utf-16` },
      body: utf16,
    });
    expect([400, 415]).toContain(answer.status);
    const code = answer.status === 415 ? 'unsupported_media_type' : answer.body.code;
    expect(['unsupported_media_type', 'malformed_json', 'validation_failed']).toContain(code);
    expectProblemDetails(answer, answer.status, code, [MARKER]);
  });
});

describe('JSON', () => {
  const json = JSON.stringify({ email: 'user@example.com', password: 'not the right password' });
  test.each<[what: string, request: RawRequest]>([
    ['with a charset', { headers: { 'content-type': 'application/json; charset=utf-8' }, body: json }],
    ['in capitals', { headers: { 'content-type': 'Application/JSON;Charset="UTF-8"' }, body: json }],
    ['with a parameter', { headers: { 'content-type': 'application/json; profile="x"' }, body: json }],
    ['in chunks', { headers: { 'content-type': JSON_TYPE }, body: [json.slice(0, 30), json.slice(30)] }],
    ['in gzip', { headers: { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(json) }],
    ['with blanks around it', { headers: { 'content-type': JSON_TYPE }, body: `\r\n ${json}\r\n ` }],
  ])('%s is read', async (_, request) => {
    const answer = await rawRequest(`${app.url}/auth/login`, request);
    expectProblemDetails(answer, 401, 'incorrect_credentials');
  });

  test('is not required if there is no body', async () => {
    const { method, path, headers } = {
      method: 'POST',
      path: '/auth/logout',
      headers: { 'content-type': 'text/plain' },
    };
    expectProblemDetails(await rawRequest(app.url + path, { method, headers }), 400, 'refresh_token_missing');
    const { status } = await rawRequest(`${app.url}/auth/user`, { method: 'PATCH', headers: bearer });
    expect(status).toBe(200);
  });

  test('is required before the access token is checked', async () => {
    const send = (type: string, body: string) => {
      const headers = { 'content-type': type, authorization: 'Bearer garbage' };
      return rawRequest(`${app.url}/auth/user`, { method: 'PATCH', headers, body });
    };
    expectProblemDetails(await send('text/plain', '{}'), 415, 'unsupported_media_type');
    expectProblemDetails(await send(JSON_TYPE, '{'), 400, 'malformed_json');
    expectProblemDetails(await send(JSON_TYPE, '{}'), 401, 'token_not_valid');
  });
});
