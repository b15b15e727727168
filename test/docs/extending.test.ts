import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STANDARD_MODULES } from '../../src/standard-modules.js';
import { pages } from '../support/manual.js';
import { ManualApp } from '../support/manual-app.js';

const run = promisify(execFile);

describe('the pages about extending the library do over HTTP what they say', () => {
  let manualApp: ManualApp;
  beforeAll(async () => {
    manualApp = await ManualApp.build();
  });
  afterAll(() => manualApp.remove());

  /** Runs a program in the app of the manual. It prints JSON. */
  async function runProgram(name: string, program: string): Promise<unknown> {
    await writeFile(join(manualApp.directory, 'dist', name), program);
    const env = { ...process.env, INVITE_CODES: 'welcome,hello' };
    const { stdout } = await run(process.execPath, [join('dist', name)], { cwd: manualApp.directory, env });
    return JSON.parse(stdout);
  }

  test('sign-up-and-profile.md: fields, hook, password rules and a route that is switched off', async () => {
    const answers = await runProgram(
      'try-fields.js',
      `
      import { createHash } from 'node:crypto';
      import { createServer } from 'node:http';
      import { once } from 'node:events';
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { inputs } from './company-fields.js';
      import { User } from './company-user.entity.js';
      import { CompanyUsers } from './company-users.js';
      import { membersOnly } from './members-only.js';
      import { OwnPolicy } from './own-policy.js';
      useContainer(Container);
      const BREACHED = 'a sentence from a breach';
      const sha1 = createHash('sha1').update(BREACHED).digest('hex').toUpperCase();
      const asked = [];
      const breaches = createServer((request, response) => {
        asked.push(request.url.length);
        response.end(request.url.endsWith(sha1.slice(0, 5)) ? sha1.slice(5) + ':7' : '');
      }).listen(0, '127.0.0.1');
      await once(breaches, 'listening');
      class LocalPolicy extends OwnPolicy {
        rangeUrl = 'http://127.0.0.1:' + breaches.address().port + '/';
      }
      const logger = { info() {}, warn() {}, error() {} };
      const services = [LocalPolicy];
      const routes = { accountDeletion: false };
      const app = await startTestApp({ user: User, inputs, hooks: membersOnly, services, routes, logger });
      const headers = { 'Content-Type': 'application/json' };
      const send = async (method, path, body, more = {}) => {
        const init = { method, headers: { ...headers, ...more }, body: body && JSON.stringify(body) };
        const answer = await fetch(app.url + '/auth' + path, init);
        return { status: answer.status, ...(await answer.json()) };
      };
      const password = 'eleven green umbrellas';
      const good = { email: 'ada@example.com', password, company: 'Engines', inviteCode: 'welcome' };
      const signUp = (changes) => send('POST', '/registration', { ...good, ...changes });
      const results = {
        missing: await signUp({ company: undefined }),
        empty: await signUp({ company: '' }),
        unknown: await signUp({ newsletter: true }),
        role: await signUp({ role: 1000 }),
        list: await signUp({ company: { name: 'Engines' } }),
        refused: await signUp({ inviteCode: 'no' }),
        common: await signUp({ password: 'password1' }),
        named: await signUp({ password: 'acme has eleven umbrellas' }),
        breached: await signUp({ password: BREACHED }),
        signedUp: (await signUp({})).status,
      };
      const { access } = await send('POST', '/login', { email: good.email, password });
      const bearer = { Authorization: 'Bearer ' + access };
      results.changed = await send('PATCH', '/user', { company: 'Looms' }, bearer);
      results.emptied = await send('PATCH', '/user', { company: '' }, bearer);
      results.inviteChanged = await send('PATCH', '/user', { inviteCode: 'x' }, bearer);
      results.user = await send('GET', '/user', undefined, bearer);
      results.deleted = (await send('DELETE', '/user', { password }, bearer)).status;
      results.stored = await app.orm.em.fork().execute('select company, invite_code from "user"');
      breaches.close().closeAllConnections();
      results.withoutService = (await signUp({ email: 'eve@example.com' })).status;
      await app.close();
      const invitedTo = async (services) => {
        const settings = { publicUrl: 'http://app.test', invitations: true };
        const inviting = await startTestApp({ user: User, services, settings, logger });
        const { headers: staff } = await inviting.signIn(await inviting.createUser({ role: 1000, company: 'Engines' }));
        const body = JSON.stringify({ email: 'bo@looms.example', role: 0 });
        const init = { method: 'POST', headers: { ...headers, ...staff }, body };
        const { status } = await fetch(inviting.url + '/auth/registration/user-register', init);
        const stored = await inviting.orm.em.fork().execute("select company from public.user where role = 0");
        await inviting.close();
        return [status, ...stored];
      };
      results.invited = [await invitedTo([]), await invitedTo([CompanyUsers])];
      console.log(JSON.stringify({ ...results, asked }));`,
    );
    const invalid = (field: string, message: RegExp) => ({
      status: 400,
      code: 'validation_failed',
      errors: [{ field, messages: [expect.stringMatching(message)] }],
    });
    expect(answers).toMatchObject({
      missing: { status: 400, errors: [{ field: 'company' }] },
      empty: invalid('company', /should not be empty$/),
      unknown: invalid('newsletter', /^is not a known field$/),
      role: invalid('role', /^is not a known field$/),
      list: invalid('company', /^must be a plain value or a list of them$/),
      refused: { status: 403, code: 'invite_code_needed', detail: 'Ask a member for an invite code.' },
      common: invalid('password', /common/),
      named: invalid('password', /^must not contain the name of the company$/),
      breached: invalid('password', /breach/),
      signedUp: 201,
      changed: { status: 200, company: 'Looms' },
      emptied: invalid('company', /should not be empty$/),
      inviteChanged: invalid('inviteCode', /^is not a known field$/),
      user: { status: 200, email: 'ada@example.com', company: 'Looms' },
      deleted: 404,
      stored: [{ company: 'Looms', invite_code: 'welcome' }],
      withoutService: 201, // the service does not answer: the password is accepted
      invited: [[500], [201, { company: 'looms.example' }]],
    });
    const { user, asked } = answers as { user: object; asked: number[] };
    expect(user).not.toHaveProperty('inviteCode');
    expect(new Set(asked)).toEqual(new Set(['/12345'.length])); // five characters of the SHA-1
  });

  test('extending.md: claims, hooks, a service, own code and two apps in one process', async () => {
    const results = await runProgram(
      'try-extending.js',
      `
      import { RefreshToken, Role, SessionService } from 'jwt-allauth';
      import { startTestApp } from './start-test-app.js';
      import { Container } from 'typedi';
      import { CompanyRegistration } from './company-registration.js';
      import { shop, staff, useBothContainers } from './containers.js';
      import { hooks, maintenance, suspendedTenants } from './hooks.js';
      import { supportDesk } from './support-desk.js';
      import { User } from './user.entity.js';
      useBothContainers();
      const logger = { info() {}, warn() {}, error() {} };
      const faults = { isOn: false };
      class OwnToken extends RefreshToken {
        static async forUser(user, options) {
          if (faults.isOn) throw new Error('no claims');
          const token = await super.forUser(user, options);
          Object.assign(token.payload, { tenant: 'of forUser', seen: options.client?.ip ?? 'no request' });
          return token;
        }
      }
      const settings = { refreshTokenAsCookie: false, refreshToken: OwnToken };
      const start = (options) => startTestApp({ user: User, logger, settings, ...options });
      const apps = [await start({ container: shop }), await start({ container: staff })];
      const inBoth = [shop, staff].map((each) => each.has(SessionService));
      const results = { inDefault: Container.has(SessionService), inBoth };
      const app = await start({ hooks, services: [CompanyRegistration] });
      const post = async (path, body, { url } = app) => {
        const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
        const answer = await fetch(url + '/auth' + path, init);
        return { status: answer.status, ...(await answer.json()) };
      };
      const claimsOf = ({ access }) => JSON.parse(Buffer.from(access.split('.')[1], 'base64url').toString());
      const password = 'eleven green umbrellas';
      const signUp = { email: 'ada@example.com', password };
      results.apps = [];
      for (const each of apps) results.apps.push((await post('/registration', signUp, each)).status);
      for (const each of apps) await each.close();

      results.company = await post('/registration', { ...signUp, email: 'eve@example.org' });
      results.signedUp = claimsOf(await post('/registration', signUp));

      const user = await app.createUser({ password });
      const opened = await app.auth.sessions.open(user, { claims: { tenant: 'acme' }, amr: ['ticket'] });
      results.opened = claimsOf(opened);
      suspendedTenants.add('acme');
      results.suspended = await post('/refresh', { refresh: opened.refresh });
      suspendedTenants.clear();
      faults.isOn = true;
      results.failed = (await post('/refresh', { refresh: opened.refresh })).status;
      faults.isOn = false;
      results.refreshed = claimsOf(await post('/refresh', { refresh: opened.refresh }));

      maintenance.isOn = true;
      const member = await app.createUser({ role: Role.STAFF, password });
      results.maintenance = await post('/login', { email: user.email, password });
      results.staff = (await post('/login', { email: member.email, password })).status;
      maintenance.isOn = false;
      const other = await app.createUser({ password });
      results.desk = typeof (await supportDesk(app.auth, other, app.orm.em.fork())).access;
      results.deactivated = (await post('/login', { email: other.email, password })).code;
      results.sessions = await app.auth.sessions.list(other.id);
      console.log(JSON.stringify(results));
      await app.close();`,
    );
    expect(results).toMatchObject({
      inDefault: false,
      inBoth: [true, true],
      apps: [201, 201],
      company: { status: 403, code: 'not_of_this_company', detail: 'Only members of the company may sign up.' },
      signedUp: { tenant: 'of forUser', seen: expect.stringContaining('127.0.0.1') },
      opened: { tenant: 'acme', seen: 'no request', amr: ['ticket'] },
      suspended: { status: 403, code: 'tenant_suspended' },
      failed: 500,
      refreshed: { tenant: 'acme', amr: ['ticket'] },
      maintenance: { status: 503, code: 'maintenance' },
      staff: 200,
      desk: 'string',
      deactivated: 'no_active_account',
      sessions: [],
    });
  });

  test('modules.md: the table of its migration, its route, limit, event, sweep and switch', async () => {
    const results = await runProgram(
      'try-visits.js',
      `
      import { authMigrations, createAuthEntities, settingsFromEnv } from 'jwt-allauth';
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { User } from './user.entity.js';
      import { visitsModule } from './visits/visits.module.js';
      useContainer(Container);
      const entities = [User, ...createAuthEntities({ user: () => User, modules: [visitsModule] })];
      const prepare = async (orm) => {
        await orm.schema.create();
        await orm.em.execute('drop table visit');
        const { class: AddVisits } = authMigrations([visitsModule]).find(({ name }) => name === 'Visits_1');
        const migration = new AddVisits(orm.em.getDriver(), orm.config);
        migration.up();
        for (const sql of migration.getQueries()) await orm.em.execute(sql);
      };
      const settings = { visitsLimit: 2 };
      const start = (options) => startTestApp({ user: User, orm: { entities }, prepare, settings, ...options });
      const app = await start();
      const { headers } = await app.signIn(await app.createUser());
      const answers = [(await fetch(app.url + '/auth/visits', { method: 'POST' })).status];
      for (let visit = 0; visit < 3; visit++) {
        const answer = await fetch(app.url + '/auth/visits', { method: 'POST', headers });
        answers.push([answer.status, await answer.json()]);
      }
      const events = app.events.ofType('visit.added').length;
      app.clock.advance('29d');
      const kept = await app.auth.purge.run({ dryRun: true });
      app.clock.advance('2d');
      const due = await app.auth.purge.run({ dryRun: true });
      await app.close();
      const without = await start({ routes: { visits: false } });
      const { headers: bearer } = await without.signIn(await without.createUser());
      const off = (await fetch(without.url + '/auth/visits', { method: 'POST', headers: bearer })).status;
      await without.close();
      const env = { JWT_ALLAUTH_SECRET_KEY: 'x'.repeat(64), NODE_ENV: 'development', JWT_ALLAUTH_VISITS_LIMIT: '7' };
      const { visitsLimit } = settingsFromEnv(env, [visitsModule]);
      console.log(JSON.stringify({ answers, events, kept: kept.visits, due: due.visits, off, visitsLimit }));`,
    );
    expect(results).toMatchObject({
      answers: [401, [200, { count: 1 }], [200, { count: 2 }], [409, { code: 'too_many_visits' }]],
      events: 2,
      kept: 0,
      due: 1,
      off: 404,
      visitsLimit: 7,
    });
  });

  test('sign-in-modules.md: a badge is linked after the second factor only, and the last method stays', async () => {
    const results = await runProgram(
      'try-badges.js',
      `
      import { createAuthEntities } from 'jwt-allauth';
      import { totpModule } from 'jwt-allauth/totp';
      import { totpCode } from 'jwt-allauth/totp/testing';
      import { startTestApp } from './start-test-app.js';
      import { useContainer } from 'routing-controllers';
      import { Container } from 'typedi';
      import { User } from './user.entity.js';
      import { badgesModule } from './badges/badges.module.js';
      useContainer(Container);
      const modules = [badgesModule, totpModule];
      const entities = [User, ...createAuthEntities({ user: () => User, modules })];
      const app = await startTestApp({ user: User, orm: { entities } });
      const codeOf = (work) => work.then(() => 'done', (error) => error.code);
      const rows = () => app.orm.em.fork().execute('select badge from badge order by badge');
      const badges = async () => (await rows()).map((row) => row.badge);
      const send = async (path, body, headers = {}) => {
        const json = { 'content-type': 'application/json', ...headers };
        const init = { method: 'POST', headers: json, body: JSON.stringify(body) };
        return (await fetch(app.url + '/auth' + path, init)).json();
      };
      const ada = await app.createUser({ email: 'ada@example.com', emailVerified: true });
      const unknown = await codeOf(app.auth.badges.signIn({ badge: 'B0', email: 'nobody@example.com' }, {}));
      await app.createUser({ email: 'unproved@example.com', emailVerified: false });
      const unproved = await codeOf(app.auth.badges.signIn({ badge: 'B0', email: 'unproved@example.com' }, {}));
      const { headers } = await app.signIn(ada);
      const { secret } = await send('/mfa/totp/setup', {}, headers);
      await send('/mfa/totp/confirm', { code: totpCode(secret, app.clock.now()) }, headers);
      app.clock.advance('1m');
      const first = app.auth.badges.signIn({ badge: 'B1', email: 'ada@example.com' }, {});
      const challenged = await first.catch((error) => error);
      const before = await badges();
      const { challenge } = challenged.toJSON();
      await send('/mfa/verify', { challenge, code: totpCode(secret, app.clock.now()) });
      const after = await badges();
      const bob = await app.createUser({ email: 'bob@example.com', emailVerified: true, passwordHash: null });
      await app.auth.badges.signIn({ badge: 'B2', email: 'bob@example.com' }, {});
      await app.auth.badges.signIn({ badge: 'B2', email: 'bob@example.com' }, {});
      const sessions = (await app.auth.sessions.list(bob.id)).length;
      const { claims } = await app.auth.authenticate((await app.signIn(bob)).access);
      const last = await codeOf(app.auth.badges.remove(claims));
      const left = await badges();
      await app.close();
      console.log(JSON.stringify({ unknown, unproved, code: challenged.code, before, after, sessions, last, left }));`,
    );
    expect(results).toEqual({
      unknown: 'incorrect_credentials',
      unproved: 'incorrect_credentials',
      code: 'second_factor_required',
      before: [],
      after: ['B1'],
      sessions: 2,
      last: 'last_sign_in_method',
      left: ['B1', 'B2'],
    });
  });
});

test('the manual names all groups of endpoints that can be switched off', () => {
  const page = pages.get('docs/sign-up-and-profile.md') ?? '';
  const names = [...page.matchAll(/^\| `(\w+)` \| `(?:GET|POST|DELETE)/gm)].map(([, name = '']) => name);
  expect(names.sort()).toEqual(STANDARD_MODULES.flatMap(({ routes }) => routes ?? []).sort());
});

test('extending.md names every service that an app can replace', () => {
  const sources = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'));
  const made = sources.flatMap((text) => [...text.matchAll(/\bmake\(\s*([A-Z]\w+)/g)].map(([, name = '']) => name));
  const section = /## Replace a service\n([\s\S]*?)\n## /.exec(pages.get('docs/extending.md') ?? '')?.[1] ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
  const named = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
  expect(named.sort()).toEqual(made.sort());
});
