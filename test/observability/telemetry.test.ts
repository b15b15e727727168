import { metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Authorized, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AuthEvents, Role } from '../../src/index.js';
import { consoleLogger } from '../../src/observability/logger.js';
import { Telemetry } from '../../src/observability/telemetry.js';
import { createOwner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const spans = new InMemorySpanExporter();
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 2 ** 31 - 1 });
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
afterAll(() => {
  trace.disable();
  metrics.disable();
});
const meters = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(meters);

/** The data of one metric, by its attributes: its value, or the number of measurements. */
async function valuesOf(name: string): Promise<Record<string, number>> {
  await reader.forceFlush();
  const all =
    measured
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  const points = all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  return Object.fromEntries(
    points.map(({ attributes, value }) => [
      Object.values(attributes).join(' '),
      typeof value === 'number' ? value : (value as { count: number }).count,
    ]),
  );
}

@Service()
@JsonController('/staff')
class StaffController {
  @Get()
  @Authorized(Role.STAFF)
  read() {
    return {};
  }
}

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    settings: { accessTokenSessionCheck: 'revocation-list' },
    controllers: [StaffController],
  });
});
afterAll(async () => {
  await app.close();
  await meters.shutdown();
});

test('spans, a histogram and counters report operations by outcome and kind of reuse, and nothing secret or personal', async () => {
  const client = await app.signedUp('ada@example.com');
  await app.client().login('ada@example.com', 'a wrong sentence');
  const tab = client.copy();
  const thief = client.copy();
  app.clock.advance(11);
  await client.refresh();
  await tab.refresh();
  const lost = 'update auth_session set jti = previous_jti, previous_jti = null, rotated_at = created_at where id = $1';
  await app.database.pool.query(lost, [sessionOf(client)]);
  await client.refresh();
  await thief.refresh();
  await client.refresh();
  expect(await valuesOf('jwt_allauth.operation.duration')).toEqual({
    'register ok': 1,
    'login incorrect_credentials': 1,
    'rotate ok': 1,
    'rotate lost-response': 1,
    'rotate recovered': 1,
    'rotate replay': 1,
    'rotate revoked-session': 1,
  });
  expect(await valuesOf('jwt_allauth.events')).toEqual({
    'user.registered': 1,
    'session.opened': 1,
    'session.refreshed': 2,
    'login.failed incorrect_credentials': 1,
    'session.reuse-detected lost-response': 1,
    'session.reuse-detected recovered': 1,
    'session.reuse-detected replay': 1,
    'session.reuse-detected revoked-session': 1,
    'session.revoked replay': 1,
  });
  const finished = spans.getFinishedSpans().map(({ name, attributes, status }) => ({ name, attributes, status }));
  expect(finished.map(({ name, attributes }) => `${name} ${attributes['outcome']}`)).toEqual([
    'jwt_allauth.register ok',
    'jwt_allauth.login incorrect_credentials',
    'jwt_allauth.rotate ok',
    'jwt_allauth.rotate lost-response',
    'jwt_allauth.rotate recovered',
    'jwt_allauth.rotate replay',
    'jwt_allauth.rotate revoked-session',
  ]);
  expect(finished.every(({ status }) => status.code === 0)).toBe(true);
  expect(JSON.stringify(finished)).not.toMatch(/@example|eyJ|[0-9a-f]{8}-/);
});

test('refused requests are counted by code and reason', async () => {
  const before = await valuesOf('jwt_allauth.refusals');
  const client = await app.signedUp();
  const foreign = { origin: 'https://evil.example' };
  expect((await app.client().send('POST', '/auth/refresh', undefined, foreign)).status).toBe(403);
  expect((await client.get('/staff')).status).toBe(403);
  expect((await app.client().get('/staff')).status).toBe(401);
  expect((await app.client().send('GET', '/nowhere')).status).toBe(404);
  const after = await valuesOf('jwt_allauth.refusals');
  const added = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  expect(Object.fromEntries(added.filter(([, value]) => value > 0))).toEqual({
    csrf_failed: 1,
    permission_denied: 1,
    not_authenticated: 1,
  });
});

test('sign-ins without a proof are counted if DPOP requires one, although their status is 400', async () => {
  const strict = await createTestApp({ settings: { dpop: 'required' } });
  expect((await strict.client().register('ada@example.com')).status).toBe(400);
  expect((await strict.client().send('POST', '/auth/login', {})).status).toBe(400); // validation_failed
  await strict.close();
  const refusals = Object.entries(await valuesOf('jwt_allauth.refusals'));
  expect(refusals.filter(([name]) => /dpop|validation/.test(name))).toEqual([['dpop_proof_missing proof-missing', 1]]);
});

test('an error that is not a refusal marks its span as failed', async () => {
  spans.reset();
  const { client } = await createOwner(app);
  await app.database.pool.query('alter table auth_session rename column jti to away');
  expect((await client.refresh()).status).toBe(500);
  await app.database.pool.query('alter table auth_session rename column away to jti');
  expect(spans.getFinishedSpans()).toMatchObject([
    { name: 'jwt_allauth.rotate', attributes: { outcome: 'error' }, status: { code: 2 } },
  ]);
});

test('gauges show the revocation list', async () => {
  const before = (await valuesOf('jwt_allauth.revocation_list.size'))[''] ?? 0;
  const { client } = await createOwner(app);
  await client.logout();
  for (let size = before; size < before + 1; ) size = (await valuesOf('jwt_allauth.revocation_list.size'))[''] ?? 0;
  expect(await valuesOf('jwt_allauth.revocation_list.current')).toEqual({ '': 1 });
  const now = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 1000); // nothing was received for a second
  expect(await valuesOf('jwt_allauth.revocation_list.current')).toEqual({ '': 0 });
  clock.mockRestore();
});

test('without the package everything works and nothing is measured', async () => {
  vi.doMock('@opentelemetry/api', () => {
    throw new Error('Cannot find package');
  });
  spans.reset();
  const telemetry = await Telemetry.load();
  vi.doUnmock('@opentelemetry/api');
  telemetry.count(new AuthEvents(consoleLogger));
  telemetry.gauge('nothing', 'Nothing.', () => 1);
  expect(await telemetry.measure('rotate', async () => 'done')).toBe('done');
  await expect(telemetry.measure('rotate', () => Promise.reject(new RangeError('of the app')))).rejects.toThrow(
    RangeError,
  );
  expect(spans.getFinishedSpans()).toEqual([]);
});
